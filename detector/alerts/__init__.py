"""From the evidence of events to alerts within a budget, each with its reasons."""
