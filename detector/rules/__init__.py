"""Detections that need no history: they read events and say what they found."""
