"""Benchmarks with permanent scenario ids; ``python -m benchmarks`` writes RESULTS.md."""
