"""What is done about an alert: the tier, the breaker, the command and its audit record."""
