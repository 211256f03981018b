"""Readers of what other tools have written."""
