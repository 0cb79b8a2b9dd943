"""Writes a title for every article with the champion model; reads `articles` and `adapters`, writes `titles`."""
