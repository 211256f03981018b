"""Tests of what brings Portulan into other people's work: the action, the hook, the examples of the guide."""
