"""What an event has, as the bits of one number: fields that say something, kind, outcome, a text worth a look.

Whoever looks for a few events of a batch asks all of them at once; what no event has costs nothing.
"""

from __future__ import annotations

from typing import Final, get_args

from detector.schema.event import Event, Kind, Outcome

OF_FIELD: Final[dict[str, int]] = {name: 1 << place for place, name in enumerate(Event.__struct_fields__)}
"""The bit of each field; an event has it where the field is not what it is by default."""
_KINDS: Final = len(OF_FIELD)
_OUTCOMES: Final = _KINDS + len(get_args(Kind))
_WATCHED: Final = _OUTCOMES + len(get_args(Outcome))
OF_KIND: Final[dict[str, int]] = {kind: 1 << (_KINDS + place) for place, kind in enumerate(get_args(Kind))}
"""The bit of each kind; an event has one of them."""
OF_OUTCOME: Final[dict[str, int]] = {name: 1 << (_OUTCOMES + place) for place, name in enumerate(get_args(Outcome))}
"""The bit of each outcome; an event has one of them."""
WATCHED: Final = 1 << _WATCHED
"""The bit of an event whose target or attributes have one of the pieces of text that rules look for."""
