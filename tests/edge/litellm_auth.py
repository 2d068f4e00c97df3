"""Who calls, for a proxy without a database: `sk-NAME` is the virtual key of the alias NAME. Runs in the proxy."""

from __future__ import annotations

from litellm.proxy._types import UserAPIKeyAuth


async def user_api_key_auth(request: object, api_key: str) -> UserAPIKeyAuth:
    """Return what the proxy knows of a key, as its own database would say it."""
    team, _, alias = api_key.removeprefix("sk-").rpartition(".")
    return UserAPIKeyAuth(api_key=api_key, key_alias=alias or None, team_id=team or None)
