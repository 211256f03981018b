"""Proofs of what is seen on this machine."""
