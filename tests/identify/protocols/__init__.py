"""Proofs of the recognisers."""
