"""Tidings cross a topic whole, and stand between alerts where the input had them."""

from __future__ import annotations

import pytest

from detector.schema.tiding import MOST_TIDING_BYTES, PlacedTiding, decode_tiding, encode_tiding, in_order
from tests.response.hearings import tiding
from tests.sinks.alerts import make


def test_a_tiding_comes_back_as_it_was_sent() -> None:
    """With its place, and what is left at its default left out."""
    one = tiding("a", "b", 12.5, on_behalf_of="eve", zone="eu")
    assert decode_tiding(encode_tiding(one)) == one
    assert b"outcome" not in encode_tiding(one)


def test_a_field_of_a_newer_version_is_left_out() -> None:
    """A worker that is not updated yet goes on."""
    one = tiding("a", "b", 12.5)
    assert decode_tiding(encode_tiding(one)[:-1] + b',"later":1}') == one


@pytest.mark.parametrize("value", [b"", b"{}", b"[]", b" " * (MOST_TIDING_BYTES + 1)])
def test_what_is_no_tiding_is_refused(value: bytes) -> None:
    """With an error that a caller can tell."""
    with pytest.raises(ValueError):
        decode_tiding(value)


def test_alerts_and_tidings_keep_the_order_of_the_input() -> None:
    """Each tiding behind as many alerts as were raised before it."""
    alerts = [make("x", time=1.0), make("y", time=2.0)]
    first, between, last = (tiding("a", other, 1.0) for other in "bcd")
    placed = [PlacedTiding(0, first), PlacedTiding(1, between), PlacedTiding(2, last)]
    assert list(in_order(alerts, placed)) == [first, alerts[0], between, alerts[1], last]
    assert list(in_order(alerts, [])) == alerts


def test_evidence_of_a_tiding_says_who_called_whom() -> None:
    """By the event's own field names, cut."""
    act = tiding("a", "b" * 400, 12.5, on_behalf_of="eve").evidence("response.lateral_path")
    assert (act.event_id[:4], act.ts, act.about["on_behalf_of"]) == ("e-a-", 12.5, "eve")
    assert len(act.about["peer_agent_id"]) < 300
    assert "parent_agent_id" in tiding("a", "b", 1.0, is_caller=False).evidence("x").about
