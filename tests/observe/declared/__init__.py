"""Readers of files that declare ports."""
