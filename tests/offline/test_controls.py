"""Recorded controls in a replay: where the journal says, or by their own time."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from detector.errors import SetupError
from detector.offline.controls import read_plan
from detector.offline.partition import partition_of
from detector.offline.replay import Replay, Replayed, ReplaySettings
from detector.offline.sources import batches
from detector.profile.load import load_profile
from detector.schema.control import Control, digest_of
from detector.schema.declaration import declaration_of, pack_declarations, unpack_declarations
from detector.schema.feedback import Verdict
from detector.schema.zones import zones_key
from tests.offline.stand_in import StandInPipeline, event
from tests.schema.cases import case

PROFILE = load_profile()
AGENTS = [f"agent-{number}" for number in range(8)]
LINES = [event(number, agent_id=AGENTS[number % 8]) for number in range(80)]
BEGIN = 1_772_409_600.0
"""Event 0 of the stand-in's stream: 2026-03-02T00:00:00Z."""


def _verdict(agent: str, at: float, number: int = 0) -> bytes:
    act = Verdict(
        agent_id=agent, by="Ada", reason="known job", at=at, id=f"v{number}", finding_uid="f" * 32, verdict="dismiss"
    )
    return act.model_dump_json().encode()


def _file(path: Path, lines: list[bytes]) -> Path:
    path.write_bytes(b"".join(line + b"\n" for line in lines))
    return path


def _entry(control: bytes, place: int, offset: int = 0, partition: int = 0, **more: object) -> bytes:
    body = {"partition": partition, "input_offset": place, "control_offset": offset, "digest": digest_of(control)}
    return json.dumps({**body, **more}).encode()


def _run(
    controls: Path | None, journal: Path | None, partitions: int = 1, size: int = 512
) -> tuple[Replayed, list[StandInPipeline]]:
    made: list[StandInPipeline] = []

    def make(_profile: object, _settings: object) -> StandInPipeline:
        made.append(StandInPipeline())
        return made[-1]

    plan = read_plan(controls, journal, partitions)
    run = Replay(PROFILE, ReplaySettings(partitions), make, plan)
    for batch in batches(LINES, size):
        run.feed(batch)
    return run.finish(), made


def _places(pipeline: StandInPipeline) -> list[int]:
    return [place for place, _ in pipeline.controls]


@pytest.mark.parametrize("size", [1, 7, 512])
def test_with_a_journal_controls_take_effect_where_the_worker_let_them(tmp_path: Path, size: int) -> None:
    """Before the first record, between two, and behind the last: however the file is cut."""
    acts = [_verdict("agent-0", 5.0, number) for number in range(4)]
    places = [0, 33, 33, 80]
    journal = [_entry(act, place, number) for number, (act, place) in enumerate(zip(acts, places, strict=True))]
    out, (pipeline,) = _run(_file(tmp_path / "c", acts), _file(tmp_path / "j", journal), size=size)
    assert _places(pipeline) == places
    assert [control.value for _, control in pipeline.controls] == acts
    assert [control.offset for _, control in pipeline.controls] == [0, 1, 2, 3]
    assert (out.counts["controls_not_journaled"], out.counts["controls_without_their_events"]) == (0, 0)


def test_a_journal_that_holds_the_controls_needs_no_other_file(tmp_path: Path) -> None:
    """`detector journal` writes both; the journal alone is enough."""
    act = _verdict("agent-0", 5.0)
    _, (pipeline,) = _run(None, _file(tmp_path / "j", [_entry(act, 7, value=act.decode())]))
    assert pipeline.controls == [(7, Control(0, act))]


def test_places_count_per_partition(tmp_path: Path) -> None:
    """As replay numbers its records, and as Kafka does."""
    agent = next(agent for agent in AGENTS if partition_of(agent, 3) == 2)
    act = _verdict(agent, 5.0)
    exported = json.dumps({"partition": 2, "offset": 41, "value": act.decode()}).encode()
    journal = _file(tmp_path / "j", [_entry(act, 5, 41, 2)])
    _, made = _run(_file(tmp_path / "c", [exported]), journal, partitions=3, size=16)
    assert [_places(pipeline) for pipeline in made] == [[], [], [5]]


@pytest.mark.parametrize("size", [1, 7, 512])
def test_without_a_journal_a_control_waits_for_its_own_time(tmp_path: Path, size: int) -> None:
    """Before the first event of its partition that is not earlier; behind the last if none is."""
    acts = [_verdict("agent-0", BEGIN + at, number) for number, at in enumerate((1e6, 20.0, 20.5, -1.0))]
    out, (pipeline,) = _run(_file(tmp_path / "c", acts), None, size=size)
    assert _places(pipeline) == [0, 20, 21, 80]
    assert out.counts["controls_without_their_events"] == 0


@pytest.mark.parametrize("size", [1, 512])
def test_what_names_no_agent_is_given_to_every_partition(tmp_path: Path, size: int) -> None:
    """A case of a SIEM names findings, and each partition knows its own; its time is in milliseconds."""
    record = case(["f" * 32], time=(BEGIN + 20.0) * 1_000)
    scope = {"kind": "suppression", "id": "c" * 32, "at": BEGIN + 30.0, "tool": "x", "everyone": True}
    everyones = json.dumps(scope).encode()
    _, made = _run(_file(tmp_path / "c", [everyones, record]), None, partitions=3, size=size)
    assert [[control.value for _, control in pipeline.controls] for pipeline in made] == [[record, everyones]] * 3


def test_what_is_no_event_places_no_control(tmp_path: Path) -> None:
    """A line without a time is passed over."""
    made: list[StandInPipeline] = []
    plan = read_plan(_file(tmp_path / "c", [_verdict("agent-0", BEGIN)]), None, 1)

    def make(*_: object) -> StandInPipeline:
        made.append(StandInPipeline())
        return made[-1]

    run = Replay(PROFILE, ReplaySettings(), make, plan)
    run.feed([b"junk", b'{"ts":"yesterday"}', LINES[0]])
    assert _places(made[0]) == [2]


def test_what_has_no_place_is_counted(tmp_path: Path) -> None:
    """A control the worker never journaled, and an entry behind the end of the file."""
    acts = [_verdict("agent-0", 5.0, 0), _verdict("agent-0", 6.0, 1)]
    journal = _file(tmp_path / "j", [_entry(acts[0], 500)])
    out, (pipeline,) = _run(_file(tmp_path / "c", acts), journal)
    assert pipeline.controls == []
    assert (out.counts["controls_not_journaled"], out.counts["controls_without_their_events"]) == (1, 1)


def test_a_control_that_is_not_the_one_journaled_is_refused(tmp_path: Path) -> None:
    """The digest tells."""
    act, other = _verdict("agent-0", 5.0), _verdict("agent-0", 5.5)
    with pytest.raises(SetupError, match=r"line 1 of .* is refused: .* must have the digest"):
        read_plan(_file(tmp_path / "c", [other]), _file(tmp_path / "j", [_entry(act, 3)]), 1)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (b"junk", "must be an entry of the journal"),
        (_entry(b"x", 3, 9), "control 9 of partition 0 must be in the controls file, got none"),
        (_entry(b"x", 3, 0, 4), "partition of line 1 of .* must be below 1, got 4"),
    ],
)
def test_a_journal_line_that_does_not_fit_is_refused(tmp_path: Path, line: bytes, says: str) -> None:
    """With the line, and what to do."""
    with pytest.raises(SetupError, match=says):
        read_plan(None, _file(tmp_path / "j", [line]), 1)


def test_a_journal_out_of_order_is_refused(tmp_path: Path) -> None:
    """Places never fall within a partition."""
    act = _verdict("agent-0", 5.0)
    lines = [_entry(act, 9, 0, value=act.decode()), _entry(act, 8, 1, value=act.decode())]
    with pytest.raises(SetupError, match=r"input_offset of line 2 of .* must not fall"):
        read_plan(None, _file(tmp_path / "j", lines), 1)


def test_a_controls_line_that_is_no_feedback_is_refused(tmp_path: Path) -> None:
    """A controls file is written by tools, so a fault is an error, not a dead letter."""
    with pytest.raises(SetupError, match=r"line 2 of .* must be a feedback record with agent_id and at"):
        read_plan(_file(tmp_path / "c", [_verdict("agent-0", 5.0), b"{}"]), None, 1)


def test_without_files_there_is_no_plan() -> None:
    """The harmless twin: a replay of events alone is what it was."""
    assert read_plan(None, None, 1) is None


def _declared(agent: str, at: float, revision: int = 1) -> bytes:
    entry = {"agent_id": agent, "at": at, "revision": revision, "by": "Ada", "reason": "new", "tools": ["read"]}
    return json.dumps(entry).encode()


@pytest.mark.parametrize("size", [1, 7, 512])
def test_entries_of_the_registry_take_effect_at_their_own_time(tmp_path: Path, size: int) -> None:
    """Each beside the events of its agent, between verdicts, however the file is cut; later ones at the end."""
    entries = [_declared("agent-0", BEGIN - 5.0), _declared("agent-1", BEGIN + 1e9)]
    acts = _file(tmp_path / "c", [_verdict("agent-0", BEGIN - 4.0)])
    plan = read_plan(acts, None, 1, _file(tmp_path / "r", entries))
    made: list[StandInPipeline] = []

    def make(_profile: object, _settings: object) -> StandInPipeline:
        made.append(StandInPipeline())
        return made[-1]

    run = Replay(PROFILE, ReplaySettings(1), make, plan)
    for batch in batches(LINES, size):
        run.feed(batch)
    run.finish()
    assert [(place, control.source) for place, control in made[0].controls] == [
        (0, "registry"),
        (0, "feedback"),
        (80, "registry"),
    ]
    assert [one.key for one in unpack_declarations(made[0].controls[2][1].value)] == ["agent-1"]


@pytest.mark.parametrize(("is_first", "places"), [(True, [0, 0]), (False, [0, 80])])
def test_entries_made_later_are_held_against_all_events_if_asked(
    tmp_path: Path, is_first: bool, places: list[int]
) -> None:
    """An inventory of today tells what it would have said of a week gone by; else nothing is held against it."""
    entries = _file(tmp_path / "r", [_declared("agent-0", BEGIN - 5.0), _declared("agent-1", BEGIN + 1e9)])
    plan = read_plan(None, None, 1, entries, is_registry_first=is_first)
    pipeline = StandInPipeline()
    run = Replay(PROFILE, ReplaySettings(1), lambda _profile, _settings: pipeline, plan)
    for batch in batches(LINES, 512):
        run.feed(batch)
    assert plan is not None
    assert plan.left == places.count(80)
    run.finish()
    assert [place for place, _ in pipeline.controls] == places


def test_a_registry_beside_a_journal_is_refused(tmp_path: Path) -> None:
    """The journal has what took effect, and where."""
    entries = _file(tmp_path / "r", [_declared("agent-0", BEGIN)])
    with pytest.raises(SetupError, match="must be left out with a journal"):
        read_plan(None, _file(tmp_path / "j", []), 1, entries)


def test_zones_of_a_registry_go_to_every_partition(tmp_path: Path) -> None:
    """Each holds its own agents against them; an entry goes to its agent's."""
    zones = {"schema": "agent.zones/1", "revision": 1, "at": BEGIN, "by": "kim", "reason": "drawn", "tenant": "t"}
    lines = [json.dumps(zones).encode(), _declared("agent-0", BEGIN)]
    plan = read_plan(None, None, 3, _file(tmp_path / "r", lines))
    assert plan is not None
    found = [plan.rest(partition) for partition in range(3)]
    keys = [[unpack_declarations(control.value)[0].record_key for control in controls] for controls in found]
    own = partition_of("agent-0", 3)
    assert keys == [[zones_key("t"), *([b"agent-0"] if partition == own else [])] for partition in range(3)]


@pytest.mark.parametrize(
    "line", [b"no json", b"[]", b'{"agent_id": "a"}', b'{"at": 1, "tenant": "t"}', b'{"agent_id": "", "at": 1}']
)
def test_a_line_that_is_no_entry_is_refused_with_its_number(tmp_path: Path, line: bytes) -> None:
    """A file that was meant to be another."""
    with pytest.raises(SetupError, match=r"line 2 of .* must be an entry of the registry"):
        read_plan(None, None, 1, _file(tmp_path / "r", [_declared("agent-0", BEGIN), line]))


def test_a_journaled_entry_finds_its_records_among_the_controls(tmp_path: Path) -> None:
    """One offset is one of each topic."""
    value = pack_declarations([declaration_of(3, b"agent-0", _declared("agent-0", BEGIN))])
    act = _verdict("agent-0", 5.0)
    exported = [
        json.dumps({"partition": 0, "offset": 3, "value": one.decode(), "source": source}).encode()
        for one, source in ((act, "feedback"), (value, "registry"))
    ]
    journal = [_entry(value, 20, 3, source="registry"), _entry(act, 30, 3)]
    _, (pipeline,) = _run(_file(tmp_path / "c", exported), _file(tmp_path / "j", journal))
    assert [(place, control.source) for place, control in pipeline.controls] == [(20, "registry"), (30, "feedback")]
    assert pipeline.controls[0][1].value == value
