"""What every section of a profile is made of: its base, and the kinds of numbers an analyst may turn."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field

Whole = Annotated[int, Field(strict=True, ge=1, le=2**31 - 1)]
Natural = Annotated[int, Field(strict=True, ge=0, le=2**31 - 1)]
Hourly = Annotated[int, Field(strict=True, ge=1, le=100_000)]
Seconds = Annotated[float, Field(strict=True, gt=0.0, le=31_536_000.0)]
Share = Annotated[float, Field(strict=True, ge=0.0, le=1.0)]
Weight = Annotated[float, Field(strict=True, ge=0.0, le=10.0)]
Factor = Annotated[float, Field(strict=True, gt=0.0, le=1.0)]
Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]

MOST_SHARE: Final = 0.2
"""Share of sessions that may alert at most, whatever is promised and whatever the balance of the account says."""


class Section(BaseModel):
    """Frozen, finite, nothing unknown: what every section of a profile has in common."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
