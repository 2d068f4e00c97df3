"""What people use: the feed of a SIEM, releases, verdicts."""
