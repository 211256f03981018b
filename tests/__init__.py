"""The proofs: one folder per room, and beside them the tests of the house as a whole."""
