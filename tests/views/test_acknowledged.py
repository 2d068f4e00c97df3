"""What `detector status` says of acknowledgements: how many there are, and by name which commands nobody confirmed."""

from __future__ import annotations

from detector.schema.acks import PolicyAck
from detector.schema.command import PolicyState
from detector.views.acknowledged import AckStanding, ack_body, ack_lines, since_of, standing_of, watched
from detector.views.containment import MOST_LINES
from detector.views.reading import StoredRecord
from tests.response.test_acknowledged import ack
from tests.views.deployment import state_of

NOW = 1_772_442_847.0


def stored(one: PolicyState | PolicyAck | bytes, at: float) -> StoredRecord:
    """Return a record that was written at a time."""
    value = one if isinstance(one, bytes) else one.model_dump_json(by_alias=True).encode()
    return StoredRecord(0, 0, at, b"", value, {})


def found(states: list[PolicyState], acks: list[PolicyAck], at: float = NOW - 60.0) -> list[AckStanding]:
    """Return what is known of commands that were written at a time."""
    watch = watched([stored(b"", at), stored(b"not ours", at), *(stored(one, at) for one in states)])
    return standing_of(watch, [stored(b"{", at), *(stored(one, at) for one in acks)], NOW)


def test_an_acknowledged_command_is_counted_and_another_is_named() -> None:
    """With what to look for, and since when."""
    one, other = state_of("a-1", NOW), state_of("a\n2", NOW, command_id="c-2")
    told = found([one, other, state_of("a-3", NOW, mode="shadow")], [ack(one, NOW - 59.0)])
    first, second = ack_lines(told)
    assert first == "acknowledged  1 of 2 enforced commands in force"
    assert second == (
        "  a\\n2 (tenant acme)  isolate: no enforcement point has acknowledged command c-2 of 2026-03-02 09:13:07Z, "
        "due 2026-03-02 09:13:12Z"
    )
    late, known = map(ack_body, told)
    assert (late["overdue"], late["acknowledged"], known["overdue"], known["by"]) == (True, None, False, "edge-1")


def test_within_its_deadline_nobody_is_named() -> None:
    """It may still come; and of many only some are."""
    assert list(ack_lines(found([state_of("a-1", NOW)], [], NOW - 2.0))) == [
        "acknowledged  0 of 1 enforced command in force"
    ]
    many = found([state_of(f"a-{n}", NOW, command_id=f"c-{n}") for n in range(MOST_LINES + 3)], [])
    assert list(ack_lines(many))[-1] == "  and 3 commands more: --json names them all"


def test_acknowledgements_are_read_since_the_oldest_command() -> None:
    """None is older; without a command none matters."""
    assert since_of(watched([stored(state_of("a-1", NOW), NOW)]), NOW) == NOW - 60.0
    assert since_of(watched([]), NOW) == NOW
