"""The numbers that decide, from tables of runs and published ones, and the items they belong to."""
