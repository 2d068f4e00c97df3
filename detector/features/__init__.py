"""What an event looks like against memory: columns, novelty, sequence, numbers."""
