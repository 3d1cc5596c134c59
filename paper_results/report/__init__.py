"""What the report says: agreement by number, verdicts on claims, pages."""
