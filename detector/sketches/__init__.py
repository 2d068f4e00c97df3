"""Bounded-memory statistics and their kernels; nothing here knows what an agent is."""
