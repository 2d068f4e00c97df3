"""Connecting a source: what to set, and whether what was set arrives."""
