"""`detector alerts`: grouped, bounded, safe, and nothing that was taken is lost."""

from __future__ import annotations

import json
import threading
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detector.schema.alert import Alert, EarlierSession, VerdictNote
from detector.schema.topics import TopicNames
from detector.sinks.ocsf import encode
from detector.views.containment import policy_of
from detector.views.findings import AlertFilter, FindingBook, Sighting
from detector.views.incidents import headline, incident_lines, release_line
from detector.views.reading import StoredRecord
from detector.views.watch import AlertWatch, WatchOptions, json_line
from tests.sinks.alerts import make
from tests.views.deployment import WAIT_S, names_of, put, stand, state_of, tell

HOUR_S = 3_600.0
EVERYTHING = AlertFilter()
TEXT = st.text(alphabet=st.sampled_from("a\x00\x07\x1b[2J\x7f\x9b\u200f\u202e\u2066\u2028\u05d0\\'\n"), min_size=1)


def _record(alert: Alert, at: float = 1_772_442_850.0, offset: int = 0) -> StoredRecord:
    return StoredRecord(0, offset, at, alert.agent_id.encode(), encode(alert), {})


def _watch(kafka: dict[str, Any], names: TopicNames, said: list[str], aside: list[str]) -> AlertWatch:
    return AlertWatch(kafka, names, said.append, aside.append, time.time)


def test_an_incident_reads_as_a_block_with_the_lines_to_type() -> None:
    """Golden: who, what, against what, who is contained, what to type."""
    now = 1_772_442_847.0
    first = make("support-12", time=now)
    second = make("support-13", time=now + 60.0, session_id="s-2", incident_uid=first.finding_uid, incident_sessions=2)
    state = state_of("support-12", now)
    contained = policy_of([StoredRecord(0, 0, now, b"", state.model_dump_json(by_alias=True).encode(), {})], now)
    incident = [Sighting(one, _record(one, now + 61.0)) for one in (first, second)]
    acts = "12 events, 2 past the threshold, score 2.10, threshold 2.00"
    assert (
        "\n".join(incident_lines(incident, contained.contained, " --bootstrap kafka:9092"))
        == f"""\
HIGH     risk 80   incident {first.finding_uid}  open, 2 sessions of 2 agents
  what       Unusual session (behaviour.session)
  when       2026-03-02 09:13:57Z to 2026-03-02 09:15:07Z; told 2026-03-02 09:15:08Z
  agent      support-12 (type support, tenant acme, version 1.4, zone eu)
  also       support-13
  rarity     about 1 in 126 is as strange, 1 of 240 recent sessions; alerts from 1 in 100 on
  leading    novelty: send_money to iban-9
             expected one of 3 known targets (its own history, 40 observations)
  normal     a target it has used before
  finding    {first.finding_uid}  create, support-12, session s-1, {acts}
  finding    {second.finding_uid}  create, support-13, session s-2, {acts}
  contained  support-12: isolate (enforced) since 2026-03-02 09:13:07Z until 2026-03-02 13:14:07Z, then limit
  lift       detector release support-12 --by NAME --reason TEXT --tenant=acme --bootstrap kafka:9092
  say        detector verdict {first.finding_uid} confirm --by NAME --reason TEXT --bootstrap kafka:9092
             detector verdict {first.finding_uid} dismiss --by NAME --reason TEXT --bootstrap kafka:9092
             detector verdict {first.finding_uid} safe --by NAME --reason TEXT --bootstrap kafka:9092"""
    )


def test_a_judged_finding_shows_the_verdict_and_how_to_take_it_back() -> None:
    """Who said what, and no second verdict is asked for."""
    note = VerdictNote(verdict="dismiss", by="Kim", reason="planned move", at=0.0)
    alert = make(verdict=note, activity="verdict", counter=2)
    text = "\n".join(incident_lines([Sighting(alert, _record(alert))], {}))
    assert "  verdict    dismiss by Kim, 1970-01-01 00:00:00Z: planned move" in text
    assert f"  undo       detector verdict {alert.finding_uid} undo --by NAME" in text
    assert " confirm " not in text


def test_a_finding_about_the_fleet_asks_for_no_verdict() -> None:
    """Agent `*` is nobody."""
    alert = make("*", detection="sensor.storm")
    text = "\n".join(incident_lines([Sighting(alert, _record(alert))], None))
    assert "detector verdict" not in text
    assert "  contained  not known: agent.policy could not be read" in text


def test_what_several_agents_made_together_offers_a_picture_and_no_verdict() -> None:
    """No partition knows such a finding."""
    alert = make("planner", detection="response.lateral_path")
    text = "\n".join(incident_lines([Sighting(alert, _record(alert))], {}, " --group blue"))
    assert "detector verdict" not in text
    assert f"  draw       detector graph {alert.finding_uid} --out {alert.finding_uid[:8]}.svg --group blue" in text


def test_an_agent_whose_name_looks_like_an_option_can_be_released() -> None:
    """It stands behind the end of the options."""
    assert release_line("default", "--help") == "detector release --by NAME --reason TEXT -- --help"
    assert "no command line can carry" in release_line("default", "a\0")


@settings(max_examples=60)
@given(st.lists(TEXT, min_size=12, max_size=12))
def test_no_field_of_an_alert_reaches_the_terminal_as_it_is(words: list[str]) -> None:
    """Every text of an alert is somebody's; blocks and JSON lines hold printable characters only."""
    part = make().contributions[0].model_copy(update={"channel": words[0], "observed": words[1], "expected": words[2]})
    note = VerdictNote(verdict=words[3], by=words[3], reason=words[4], at=1.0)
    alert = make(
        words[5], contributions=(part,), verdict=note, title=words[6], detection=words[7], tenant=words[8],
        agent_type=words[9], agent_version=words[9], zone=words[10], session_id=words[10], normal_if=words[11],
        incident_uid=words[11],
    )  # fmt: skip
    for one in (alert, alert.model_copy(update={"verdict": None})):
        state = state_of("x", 1e9, subject=f"acme/agent/{words[5]}")
        held = policy_of([StoredRecord(0, 0, 1e9, b"", state.model_dump_json(by_alias=True).encode(), {})], 1e9)
        seen = Sighting(one.model_copy(update={"tenant": "acme"}), _record(one))
        lines = [*incident_lines([Sighting(one, _record(one)), seen], held.contained)]
        lines.append(json_line({"alert": one.model_dump(mode="json")}))
        assert [line for line in lines if not line.isprintable() or "\u05d0" in line] == []


def test_the_book_keeps_the_newest_state_and_drops_repeats() -> None:
    """By finding and counter, whatever is delivered again."""
    book = FindingBook(EVERYTHING)
    states = [make(), make(counter=2, activity="close"), make(), make(counter=2, activity="close")]
    assert [book.take(_record(one)) is not None for one in states] == [True, True, False, False]
    assert book.counts == {"records": 4, "repeats": 2}
    assert [[one.alert.activity for one in incident] for incident in book.incidents()] == [["close"]]


def test_the_book_is_bounded_and_says_what_left() -> None:
    """Of ten findings the three told last are held."""
    book = FindingBook(EVERYTHING, most=3)
    for number in range(10):
        book.take(_record(make(f"a-{number}"), at=float(number)))
    assert [incident[0].alert.agent_id for incident in book.incidents()] == ["a-7", "a-8", "a-9"]
    assert book.counts["left_out"] == 7


def test_alerts_are_read_by_incident_and_by_agent(kafka: dict[str, Any]) -> None:
    """What is not asked for is counted, what is no alert is passed over, and the newest block is the last."""
    names = names_of(kafka, "read.")
    old, one, other = make("a-0"), make("a-1"), make("a-2")
    put(kafka, names.alerts, "a-1", b"no alert")
    tell(kafka, names, old, at=time.time() - 2 * HOUR_S)
    tell(kafka, names, one, at=time.time() - 60.0)
    tell(kafka, names, other)
    stand(kafka, names, state_of("a-1", time.time()))
    said: list[str] = []
    aside: list[str] = []
    watch = _watch(kafka, names, said, aside)
    watch.run(WatchOptions(EVERYTHING, time.time() - HOUR_S), threading.Event())
    heads = [line for line in said if "  incident " in line]
    assert [head.split()[4] for head in heads] == [one.finding_uid, other.finding_uid]
    assert any(line.startswith("  lift       detector release a-1 ") for line in said)
    assert said[-1].startswith("2 incidents since ")
    assert said[-1].endswith(": 2 high")
    assert aside == ["3 records read; 1 no alerts of this product, passed over"]
    said.clear()
    watch.run(WatchOptions(AlertFilter("a-0"), 0.0, is_json=True), threading.Event())
    assert [Alert.model_validate(json.loads(line)["alert"]) for line in said] == [old]
    said.clear()
    watch.run(WatchOptions(AlertFilter(incident=other.finding_uid[:8]), 0.0, most=1), threading.Event())
    assert [line.split()[4] for line in said if "  incident " in line] == [other.finding_uid]


@pytest.mark.parametrize("is_json", [True, False], ids=["json", "blocks"])
def test_following_ends_at_its_limit_and_loses_nothing(kafka: dict[str, Any], is_json: bool) -> None:
    """What comes while it reads is shown, once each, up to the very number."""
    names = names_of(kafka, f"follow-{is_json}.")
    tell(kafka, names, make("before"))
    said: list[str] = []
    stop, has_begun = threading.Event(), threading.Event()

    def say(line: str) -> None:
        said.append(line)
        if "before" in line:
            has_begun.set()

    watch = AlertWatch(kafka, names, say, lambda _: None, time.time)
    options = WatchOptions(EVERYTHING, 0.0, follow=True, limit=3, is_json=is_json)
    thread = threading.Thread(target=watch.run, args=(options, stop), daemon=True)
    thread.start()
    assert has_begun.wait(WAIT_S)
    for number in range(3):
        tell(kafka, names, make(f"after-{number}"))
        tell(kafka, names, make(f"after-{number}"))
    thread.join(WAIT_S)
    assert not thread.is_alive()
    wanted = ["before", "after-0", "after-1", "after-2"]
    found = [
        name for name in wanted for line in said if f'"{name}"' in line or line.startswith(f"  agent      {name} ")
    ]
    assert set(found) == set(wanted)
    assert len(found) == len(set(found))


def test_following_ends_when_it_is_told_to(kafka: dict[str, Any]) -> None:
    """In order: the counts are said."""
    names = names_of(kafka, "stopped.")
    stop = threading.Event()
    aside: list[str] = []
    watch = _watch(kafka, names, [], aside)
    options = WatchOptions(EVERYTHING, 0.0, follow=True, is_json=True)
    thread = threading.Thread(target=watch.run, args=(options, stop), daemon=True)
    thread.start()
    stop.set()
    thread.join(WAIT_S)
    assert not thread.is_alive()
    assert aside == ["0 records read; none left out"]


def test_an_incident_counts_agents_that_are_not_shown_and_says_what_it_does_not_know() -> None:
    """Its earlier sessions name their agents; of more sessions than are named it says at least."""
    earlier = (EarlierSession(finding_uid="e" * 32, agent_id="support-7", session_id="s-0"),)
    two = make("support-12", incident_sessions=2, incident_earlier=earlier)
    assert headline([Sighting(two, _record(two))]).endswith("open, 2 sessions of 2 agents")
    five = make("support-12", incident_sessions=5, incident_earlier=earlier)
    assert headline([Sighting(five, _record(five))]).endswith("open, 5 sessions of at least 2 agents")


def test_what_is_too_early_to_tell_says_so_and_what_is_nobodys_has_no_score() -> None:
    """Neither a fleet nor the detector is a session; a rule rests on no observations."""
    learning = make(learning=True)
    assert "  sure       learning: too early to tell" in "\n".join(incident_lines([_sighted(learning)], {}))
    storm = make("*", detection="sensor.storm")
    text = "\n".join(incident_lines([_sighted(storm)], {}))
    assert "score" not in text
    assert "rarity" not in text
    part = storm.contributions[0].model_copy(update={"voice": "rule", "n": 0})
    assert "(a rule)" in "\n".join(incident_lines([_sighted(make(contributions=(part,)))], {}))


def _sighted(alert: Alert) -> Sighting:
    return Sighting(alert, _record(alert))
