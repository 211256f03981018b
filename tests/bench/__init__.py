"""The proofs of the bench: the machine it measures on."""
