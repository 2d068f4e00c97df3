"""The suite of channels: silent on every channel of the catalogue, loud on what breaks the law."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import msgspec
import numpy as np
import pytest

from detector.channels import catalogue
from detector.channels.catalogue import CHANNELS, MODELS, NAMES, position
from detector.checks.channels import (
    NASTY,
    Make,
    faults_of_coverage,
    faults_of_cutting,
    faults_of_finiteness,
    faults_of_looking,
    faults_of_readiness,
    faults_of_words,
)
from detector.pipeline import Pipeline
from detector.schema.record import Record
from detector.state.report import Outcome
from tests.streams import Script, ordinary, quick, records_of

PROFILE = quick(half_space={"window": 20})
PAIR = position("pair")
ODD: tuple[dict[str, Any], ...] = (
    {"target": "https://drop.evil.example/x", "bytes_out": 9e8, "duration_ms": 90_000, "attributes": {"lines": 900.0}},
    {"name": "send", "target": "x@evil.example", "attributes": {"to": "Zz9!", "cc": "Yy8!", "lines": 4}},
    {"name": "wipe", "kind": "data_access", "target": "/docs/team/file-1", "bytes_out": 5e7},
)


def told(script: Script, sessions: int) -> list[bytes]:
    """Return sessions whose events say where their values came from."""
    values: list[bytes] = []
    for number in range(sessions):
        origin = {"target": ("user", "tool", "none")[number % 3], "to": ("user", "tool")[number % 2]}
        event = {"name": "send", "target": f"user{number % 4}@corp.example", "attributes": {"to": f"t{number % 5}"}}
        values += script.session(f"t-{number}", [{**event, "arg_origin": origin}], agent_id=f"a-{number % 3}")
    return values


@cache
def streams() -> tuple[list[Record], list[Record]]:
    """Return a rich stream, and events behind it that end no session."""
    script = Script()
    values = [*ordinary(script, 40), *told(script, 24)]
    for number, odd in enumerate((*ODD, *NASTY)):
        values += script.session(f"odd-{number}", [odd, {"target": "/docs/team/file-2", **odd}], agent_id="a-1")
    probe = [script.event(**{**odd, "agent_id": "a-1", "session_id": "open"}) for odd in (*ODD, *NASTY)]
    return records_of(values), records_of(probe, len(values))


def rich() -> list[Record]:
    """Return the rich stream."""
    return streams()[0]


def make() -> Pipeline:
    """Return a fresh pipeline."""
    return Pipeline(PROFILE)


def test_every_channel_is_finite_on_whatever_may_be_sent() -> None:
    """Bits and logs, no NaN, nothing below zero."""
    assert faults_of_finiteness(make, rich()) == []


def test_every_channel_says_the_same_however_events_are_cut() -> None:
    """Batches of one, of seven, and whole."""
    assert faults_of_cutting(make, rich()[-120:]) == []


def test_no_channel_is_ready_without_history_or_without_what_it_needs() -> None:
    """Not ready is not zero: each field of `needs` is taken from the whole stream in turn."""
    assert faults_of_readiness(make, rich()) == []


def test_no_channel_learns_while_it_looks() -> None:
    """Keys, tails, levels, numbers, counts, histograms and gates are the same bytes before and after."""
    assert faults_of_looking(make, *streams()) == []


def test_every_channel_and_model_can_lead_an_alert() -> None:
    """Its words fill for every event there is, and only the ready ones speak."""
    assert faults_of_words(make, rich()) == []


def test_every_channel_of_the_catalogue_is_seen_at_work() -> None:
    """The audit: entered, in a family, ready somewhere, and never the same value throughout."""
    assert faults_of_coverage(make, rich()) == []


@pytest.mark.parametrize("entry", [*CHANNELS, *MODELS], ids=lambda entry: entry.name)
def test_an_entry_of_the_catalogue_has_all_that_an_alert_says_of_it(entry: catalogue.ChannelEntry) -> None:
    """Words, a taxonomy, a unit if it has a column; a twin has its channel's."""
    spoken = catalogue.spoken_of(entry.name)
    assert entry.measures
    assert all((spoken.observed, spoken.expected, spoken.normal, spoken.asi))
    assert spoken.weight is not None
    assert entry in MODELS or (entry.unit and entry.family)


class Spoiled(Pipeline):
    """A pipeline whose context or memory is changed behind its back after each batch."""

    spoil: Callable[[Pipeline, int], None]

    def process(self, records: Sequence[Record], tolerance_s: float | None = None) -> Outcome:
        """Return what came of records, then spoil it."""
        outcome = super().process(records, tolerance_s)
        self.spoil(self, len(records))
        return outcome


def spoiled(spoil: Callable[[Pipeline, int], None]) -> Make:
    """Return what makes pipelines that are spoiled."""

    def made() -> Pipeline:
        pipeline = Spoiled(PROFILE)
        pipeline.spoil = spoil
        return pipeline

    return made


def no_number(pipeline: Pipeline, _: int) -> None:
    """A channel divides by zero."""
    pipeline.state.work.context.bits[0, PAIR] = np.nan


def by_batch(pipeline: Pipeline, size: int) -> None:
    """A channel counts what came with it."""
    pipeline.state.work.context.bits[:size, PAIR] += size


def always_ready(pipeline: Pipeline, _: int) -> None:
    """Every channel claims to have something to say."""
    pipeline.state.work.context.ready[:] = True


def nothing(pipeline: Pipeline, _: int) -> None:
    """A channel is entered and measured nowhere."""
    pipeline.state.work.context.bits[:, PAIR] = 0.0


def never(pipeline: Pipeline, _: int) -> None:
    """A channel is measured and never says that it is ready."""
    pipeline.state.work.context.ready[:, PAIR] = False


def learns(pipeline: Pipeline, _: int) -> None:
    """A key is learned at once."""
    pipeline.state.memory.groups["keys"][1, 0] += np.uint64(1)


def test_a_channel_that_is_not_finite_is_told() -> None:
    """By its name."""
    assert faults_of_finiteness(spoiled(no_number), rich()[:40])[0].startswith("bits of channel pair must be finite")


def test_a_channel_that_depends_on_the_batch_is_told() -> None:
    """By its name and the size."""
    assert faults_of_cutting(spoiled(by_batch), rich()[:40], [7]) == [
        "channel pair must say the same in batches of 7, got something else"
    ]


def test_channels_that_are_always_ready_are_told() -> None:
    """Without history each of them, and without each field those that need it."""
    faults = "\n".join(faults_of_readiness(spoiled(always_ready), rich()[:40]))
    assert all(f"channel {name} must not be ready before anything was learned" in faults for name in NAMES)
    assert "channel volume must not be ready without attributes" in faults
    assert "channel novelty_origin must not be ready without arg_origin" in faults
    assert "channel number must not be ready without duration_ms|tokens_in" in faults


def test_what_is_learned_while_looking_is_told_and_a_probe_that_closes_is_no_proof() -> None:
    """By the name of the memory."""
    assert faults_of_looking(spoiled(learns), *streams()) == [
        "keys of peer groups must be left as it is while looking, got another"
    ]
    assert "must close no session" in faults_of_looking(make, rich()[:40], rich()[40:80])[0]


@pytest.mark.parametrize(
    ("words", "name"), [({"observed": "{nobody}"}, "pair"), ({"normal": ""}, "rarity"), ({"expected": ""}, "forest")]
)
def test_words_that_cannot_be_filled_are_told(words: dict[str, str], name: str, monkeypatch: Any) -> None:
    """A placeholder that no subject has, or no words at all."""
    broken = msgspec.structs.replace(catalogue.BY_NAME[name], **words)
    monkeypatch.setitem(catalogue.BY_NAME, name, broken)
    assert f"words of channel {name} must fill" in "\n".join(faults_of_words(make, rich()[:40]))


@pytest.mark.parametrize(
    ("spoil", "fault"), [(nothing, "pair must measure something"), (never, "pair must be ready somewhere")]
)
def test_a_channel_that_measures_nothing_is_told(spoil: Callable[[Pipeline, int], None], fault: str) -> None:
    """The audit is not content with a name in the catalogue."""
    assert fault in "\n".join(faults_of_coverage(spoiled(spoil), rich()))


@pytest.mark.parametrize(
    ("change", "fault"),
    [({"family": "sights"}, "family of channel toy"), ({"needs": ()}, "needs of channel toy"),
     ({"needs": ("mood",)}, "needs of channel toy")],
)  # fmt: skip
def test_an_entry_that_stands_in_no_file_or_names_no_field_is_told(
    change: dict[str, Any], fault: str, monkeypatch: Any
) -> None:
    """And a column that is missing is told too."""
    toy = msgspec.structs.replace(CHANNELS[0], name="toy", **change)
    monkeypatch.setattr("detector.checks.channels.CHANNELS", (toy, *CHANNELS[1:]))
    assert fault in "\n".join(faults_of_coverage(make, rich()))
