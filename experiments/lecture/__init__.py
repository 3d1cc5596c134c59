"""A lecture on regularization, row by row: numbers, a picture, and what to see."""
