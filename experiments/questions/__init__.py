"""One file per question; `experiments.discovery` finds them by looking here."""
