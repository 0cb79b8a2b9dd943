"""Polls feeds, takes the text out of pages, recognises duplicates and revisions; writes `articles`."""
