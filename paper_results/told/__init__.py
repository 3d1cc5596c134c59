"""Numbers that pages tell of stored runs, each computed from stored and published tables."""
