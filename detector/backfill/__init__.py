"""What coding agents wrote down of their own sessions, as the events that their telemetry would have been."""
