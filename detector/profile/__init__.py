"""Profiles: the analyst's file, loaded, linted and locked."""
