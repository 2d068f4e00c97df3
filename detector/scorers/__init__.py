"""Scorers, one family a file: high is strange, and not ready is not zero."""
