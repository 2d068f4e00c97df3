"""Readers of other people's inventories, one a form: each gives proposed entries, none of them grants anything."""
