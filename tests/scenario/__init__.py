"""The acceptance scenario: a whole machine, a policy learned from it, and what happens to it."""
