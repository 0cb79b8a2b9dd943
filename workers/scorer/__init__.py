"""Judges titles; reads `titles`, writes `published` and `review`."""
