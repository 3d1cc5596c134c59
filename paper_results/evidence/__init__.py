"""What decides claims and stands beside the paper: by subject, numbers and points of a figure.

A subject's module reads what was published from paper_results.published, and takes what was
measured as the tables of runs, in which nothing published is looked for.
"""
