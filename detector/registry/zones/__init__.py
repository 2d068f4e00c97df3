"""Zones of a tenant, as people keep them: files to review, changes with their log, and rules for a cluster."""
