"""Portulan: what is on this port, and is it what belongs there."""

__version__ = "0.1.0"
