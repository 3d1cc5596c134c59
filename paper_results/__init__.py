"""Published numbers, and what was reproduced beside them."""
