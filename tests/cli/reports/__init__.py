"""The reports of a check."""
