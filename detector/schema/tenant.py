"""Whose agents they are that name no tenant."""

from __future__ import annotations

from typing import Final

DEFAULT_TENANT: Final = "default"
"""Tenant of an event, an entry or an alert that names none."""
