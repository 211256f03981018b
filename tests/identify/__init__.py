"""Proofs of what is said to answer."""
