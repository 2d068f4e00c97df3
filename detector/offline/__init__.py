"""Replay and evaluation without a broker: the same pipeline, for notebooks and other harnesses."""
