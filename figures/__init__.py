"""One file per picture: a table in, figures out. Nothing is computed here but positions."""
