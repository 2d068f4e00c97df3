"""Whom events are of, and what is refused before the first."""

from __future__ import annotations

from functools import partial

import msgspec
import pytest

from detector.edge.kit.keyed import Redactor
from detector.edge.kit.recorder import Recorder
from detector.edge.kit.writer import Actor
from detector.errors import SetupError
from detector.schema.event import StrictEvent
from tests.edge.kit.events import REDACTOR, Wire

decode = partial(msgspec.json.decode, type=StrictEvent)
SECRET = "hunter2-Passw0rd"


@pytest.mark.parametrize(
    "actor", [Actor(""), Actor("a" * 2_000), Actor("a", agent_type=""), Actor(7)]  # type: ignore[arg-type]
)  # fmt: skip
def test_an_actor_that_fits_no_event_is_refused_at_once(actor: Actor) -> None:
    """Before the agent runs, not at its first act."""
    with pytest.raises(SetupError, match="actor and kinds"):
        Recorder(Wire(), actor, redactor=REDACTOR)


def test_a_kind_that_fits_no_event_is_refused_at_once() -> None:
    """The same for kinds."""
    with pytest.raises(SetupError, match="actor and kinds"):
        Recorder(Wire(), Actor("a"), redactor=REDACTOR, kinds={"t": "nonsense"})  # type: ignore[dict-item]


def test_a_number_kept_in_clear_reaches_the_event() -> None:
    """Odd amounts are seen where the platform asks for it."""
    wire = Wire()
    recorder = Recorder(wire, Actor("a"), redactor=Redactor("k" * 32, keep=["amount"]))
    recorder.conversation("s").called("1", "pay", {"amount": 12.5, "to": "x@y.example"})
    assert recorder.close()
    assert wire.events()[0].attributes["arg.amount"] == 12.5
