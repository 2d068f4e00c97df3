"""Working hours of a risk class: days and times of a place, and whether a moment lies within them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from importlib.resources import files
from typing import Annotated, Final, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import Field, field_validator, model_validator

from detector.profile.section import Section

Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
TimeOfDay = Annotated[str, Field(pattern=r"^(?:[01][0-9]|2[0-3]):[0-5][0-9]$|^24:00$")]
_DAYS: Final[tuple[Day, ...]] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_WEEK: Final[tuple[Day, ...]] = ("mon", "tue", "wed", "thu", "fri")
_FIRST: Final = datetime(1, 1, 3, tzinfo=UTC).timestamp()
_LAST: Final = datetime(9999, 12, 30, tzinfo=UTC).timestamp()
"""Moments between which every zone has a date, and a day before it: senders may write any year from 1 to 9999."""


@lru_cache(maxsize=64)
def zone_of(name: str) -> ZoneInfo:
    """Return a time zone of the locked package `tzdata`, not of the machine: a replay elsewhere reads the same hours.

    Raises
    ------
    ValueError
        There is none of that name.
    """
    parts = name.split("/")
    if not all(part and part.replace("_", "").replace("-", "").replace("+", "").isalnum() for part in parts):
        raise ValueError(f"zone must be a name such as Europe/Berlin or UTC, got {name!r:.80}")
    place = files("tzdata").joinpath("zoneinfo", *parts)
    if not place.is_file() or not place.read_bytes().startswith(b"TZif"):
        raise ValueError(f"zone must be a name such as Europe/Berlin or UTC, got {name!r:.80}")
    with place.open("rb") as data:
        return ZoneInfo.from_file(data, name)


class Hours(Section):
    """``[class.hours]``: when agents of a class are expected to act.

    Parameters
    ----------
    zone : str
        Name of the time zone in which `begin` and `end` are read, summer time included.
    days : tuple of str
        Days of the week on which a shift begins.
    begin, end : str
        ``HH:MM``; an `end` that is not later than `begin` is on the next day.

    Examples
    --------
    >>> Hours(zone="Europe/Berlin").holds(datetime(2026, 7, 1, 16, 30, tzinfo=UTC).timestamp())
    False
    """

    zone: Annotated[str, Field(min_length=1, max_length=64)]
    days: Annotated[tuple[Day, ...], Field(min_length=1, max_length=7)] = _WEEK
    begin: TimeOfDay = "08:00"
    end: TimeOfDay = "18:00"

    @field_validator("zone")
    @classmethod
    def _is_known(cls, name: str) -> str:
        zone_of(name)
        return name

    @model_validator(mode="after")
    def _is_some_time(self) -> Self:
        if self.begin in {self.end, "24:00"}:
            raise ValueError(f"begin must be earlier than 24:00 and differ from end, got {self.begin} to {self.end}")
        return self

    def holds(self, at: float) -> bool:
        """Tell whether a moment (epoch seconds) lies within the hours; one at the ends of the calendar never does."""
        if not _FIRST <= at <= _LAST:
            return False
        local = datetime.fromtimestamp(at, UTC).astimezone(zone_of(self.zone))
        minute = f"{local.hour:02}:{local.minute:02}"
        today, before = _DAYS[local.weekday()], _DAYS[(local - timedelta(days=1)).weekday()]
        if self.begin < self.end:
            return today in self.days and self.begin <= minute < self.end
        return (today in self.days and minute >= self.begin) or (before in self.days and minute < self.end)
