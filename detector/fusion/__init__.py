"""Channels become p-values, p-values evidence, evidence the score of an event."""
