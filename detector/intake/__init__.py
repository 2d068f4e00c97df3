"""Bytes become columns: everything the kernels need of a micro-batch, as hashes and numbers."""
