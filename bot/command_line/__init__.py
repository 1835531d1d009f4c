"""The commands: each builds what it needs of the house, uses it, and closes it."""
