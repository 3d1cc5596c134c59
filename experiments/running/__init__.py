"""What runs the experiments, apart from the questions they ask."""
