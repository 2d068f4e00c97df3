"""Observables: what can be searched for elsewhere, told from text without guessing, and bounded."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.schema.alert import Alert, Argument
from detector.sinks.ecs import OWN
from detector.sinks.ecs import render as render_ecs
from detector.sinks.observables import MOST_LETTERS, MOST_OBSERVABLES, MOST_OF_AN_ACT, TYPES, kinds_of, observables_of
from detector.sinks.ocsf import render

MakeAlert = Callable[..., Alert]


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("eve@drop.example", ["Email Address"]),
        ("<eve@drop.example>; bob@corp.example", ["Email Address", "Email Address"]),
        ("ledger.internal:8443", ["Hostname"]),
        ("10.0.0.7:443", ["IP Address"]),
        ("2001:db8::1", ["IP Address"]),
        ("https://user:pw@drop.example/x?y", ["URL String", "Hostname"]),
        ("https://[::1]/x", ["URL String", "IP Address"]),
        ("http://[bad", ["URL String"]),
        ("/etc/passwd", ["File Path"]),
        ("C:\\Users\\eve\\x.txt", ["File Path"]),
        ("report.pdf", ["File Name"]),
        ("ab" * 32, ["Hash"]),
        ("md5:" + "ab" * 16, ["Hash"]),
        ("DE89370400440532013000", ["Bank Account"]),
        ("please write to eve@drop.example now", ["Email Address"]),
    ],
)
def test_a_text_is_told_by_its_form(text: str, kinds: list[str]) -> None:
    """Alone, with a port, in a list, among words."""
    assert [kind for kind, _ in kinds_of(text)] == kinds


@pytest.mark.parametrize(
    "text",
    [
        "",
        "iban-9",
        "v1.2",
        "3.14",
        "hello",
        "see you. bye.now then",
        "ab" * 16,
        "DE89370400440532013001",
        "a@b",
        "12:30",
    ],
)
def test_what_is_not_sure_is_no_observable(text: str) -> None:
    """The harmless twins: numbers, words, a uuid, a wrong check digit."""
    assert list(kinds_of(text)) == []


def test_an_alert_tells_its_observables_in_both_formats(make_alert: MakeAlert) -> None:
    """OCSF with its type ids, ECS where it has a field."""
    alert = make_alert()
    told = {(one["type_id"], one["value"]) for one in render(alert)["observables"]}
    assert told == {
        (10, "agent-1"), (99, "send_money"), (4, "ada"), (8, "sha256:" + "ab" * 32), (5, "eve@drop.example"),
        (2, "10.0.0.7"), (1, "ledger.internal"),
    }  # fmt: skip
    body = render_ecs(alert)
    assert body["related"] == {
        "user": ["ada", "eve@drop.example"], "hash": ["sha256:" + "ab" * 32], "ip": ["10.0.0.7"],
        "hosts": ["ledger.internal"],
    }  # fmt: skip
    assert {"type": "Tool", "value": "send_money"} in body[OWN]["observables"]


def test_one_act_with_many_names_leaves_room_for_the_others_and_what_is_left_out_is_counted(
    make_alert: MakeAlert,
) -> None:
    """A flood of addresses in one argument hides no other act's host."""
    (act,) = make_alert().evidence
    hosts = Argument(name="cc", value=",".join(f"m{k}@corp.example" for k in range(16)))
    flood = act.model_copy(update={"strength": 9.0, "arguments": (hosts,) * 8, "about": {}})
    quiet = act.model_copy(update={"target": "drop.example", "arguments": (), "about": {}})
    found, left = observables_of(make_alert(evidence=(quiet, flood)))
    assert "drop.example" in {one.value for one in found}
    assert len(found) == 1 + MOST_OF_AN_ACT + 1
    assert left == 17 - MOST_OF_AN_ACT
    assert render(make_alert(evidence=(quiet, flood)))["unmapped"]["detector"]["observables_left"] == left


@given(st.lists(st.text(max_size=400) | st.from_regex(r"[a-z@:/.,\\0-9]{0,400}", fullmatch=True), max_size=8))
def test_whatever_the_text_observables_are_printable_bounded_and_told_once(
    make_alert: MakeAlert, texts: list[str]
) -> None:
    """Each is chosen by whoever acts."""
    (act,) = make_alert().evidence
    arguments = tuple(Argument(name="x", value=text) for text in texts)
    acts = tuple(act.model_copy(update={"target": text, "arguments": arguments}) for text in texts)
    found, _ = observables_of(make_alert(evidence=acts))
    assert len(found) <= MOST_OBSERVABLES
    assert len({(one.kind, one.value) for one in found}) == len(found)
    for one in found:
        assert one.value.isprintable()
        assert len(one.value) <= MOST_LETTERS + 9
        assert one.kind in TYPES
