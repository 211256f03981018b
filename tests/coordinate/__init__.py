"""Proofs of what is chosen, claimed and kept."""
