"""Conformance suites, shipped: what every scorer, sketch, sink and profile must keep to."""
