"""The page and the HTTP API where curators judge titles; writes `corrections` and `published`."""
