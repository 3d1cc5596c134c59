"""An hour for a student: a script in cells, and the page it makes."""
