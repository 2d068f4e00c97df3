"""A declared change of version: what is declared and new is no alarm for a while; whatever is not declared is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest

from detector.checks.determinism import faults_of_cuts, faults_of_increments, faults_of_resuming
from detector.pipeline import Pipeline
from tests.rules.registry import control, entry
from tests.streams import Look, Script, feed, ordinary, quick, quiet, records_of

OLD = {"tools": ["search", "read", "write", "send", "beat"], "targets": ["*docs/*", "index-*", "*@corp.example"]}
JOB = {"name": "refund", "target": "ledger/17"}
NEW = {"tools": [*OLD["tools"], "refund"], "targets": [*OLD["targets"], "ledger/*"]}
LISTED = {"approved": {"versions": ["1"]}}
BOTH = {"approved": {"versions": ["1", "2"]}}
_HELD = ("novelty", "cooccurrence", "transition", "pair")


def _pipeline(
    script: Script, *, sections: Mapping[str, Any] | None = None, revised: Mapping[str, Any] | None
) -> Pipeline:
    """Return a pipeline with days of history whose agent a-1 was declared, and declared anew if `revised`."""
    values = [*ordinary(script, 40), *quiet(script, 1.5), *ordinary(script, 200, first=40)]
    pipeline = Pipeline(quick(**(sections or {})), trusted_until=script.now)
    pipeline.control([control(entry("a-1", **OLD, **LISTED))])
    feed(pipeline, values)
    if revised is not None:
        assert pipeline.control([control(entry("a-1", revision=2, **revised))]).refusals == []
    return pipeline


def _look(revised: Mapping[str, Any] | None, steps: Sequence[Mapping[str, Any]] = (JOB,), version: str = "2") -> Look:
    script = Script()
    pipeline = _pipeline(script, revised=revised)
    return Look(pipeline, script.session("job", steps, agent_id="a-1", agent_version=version))


def _news(look: Look) -> float:
    return float(sum(look.logs[name][0] for name in _HELD))


def test_a_declared_job_of_a_newly_listed_version_is_no_alarm() -> None:
    """Tool and target are new to everybody and declared; the twin whose entry did not change alerts."""
    declared, silent = _look({**NEW, **BOTH}), _look(None)
    assert _news(declared) == 0.0 < _news(silent)
    scores = [[alert for alert in look.outcome.alerts if alert.score is not None] for look in (declared, silent)]
    assert (len(scores[0]), len(scores[1]) > 0) == (0, True)
    assert declared.outcome.counts["events_expected"] == 1
    assert silent.outcome.counts["events_expected"] == 0


@pytest.mark.parametrize(
    ("revised", "step", "version"),
    [
        ({**NEW, **BOTH}, JOB, "1"),
        ({**NEW, **BOTH}, JOB, "3"),
        ({**NEW, **LISTED}, JOB, "1"),
        ({**NEW, **BOTH}, {"name": "refund", "target": "vault"}, "2"),
        ({**NEW, **BOTH}, {"name": "wipe", "target": "ledger/17"}, "2"),
        ({**NEW, **BOTH}, {**JOB, "peer_agent_id": "stranger"}, "2"),
        ({**NEW, **BOTH}, {**JOB, "kind": "llm_call"}, "2"),
        ({"targets": NEW["targets"], **BOTH}, JOB, "2"),
        ({"tools": NEW["tools"], **BOTH}, JOB, "2"),
        ({**NEW, **BOTH, "lifecycle": "proposed"}, JOB, "2"),
    ],
)
def test_whatever_is_not_declared_is_judged_as_before(
    revised: Mapping[str, Any], step: Mapping[str, Any], version: str
) -> None:
    """An old version, an unlisted one, a use outside of a list, a list that says nothing, an entry nobody approved."""
    look = _look(revised, [step], version)
    assert look.outcome.counts["events_expected"] == 0
    assert _news(look) > 0.0


@pytest.mark.parametrize(
    ("targets", "expected"),
    [
        (["al@corp.example", "bo@corp.example"], 1),
        (["thief@else.example", "bo@corp.example"], 0),
        ([*(f"a{k}@corp.example" for k in range(5)), "thief@else.example", "bo@corp.example"], 0),
    ],
)
def test_of_several_targets_each_must_be_declared(targets: Sequence[str], expected: int) -> None:
    """A pattern that fits the whole list says nothing of the stranger in front, nor of one behind the sixth."""
    look = _look({**NEW, **BOTH}, [{"name": "refund", "target": ", ".join(targets)}])
    assert look.outcome.counts["events_expected"] == expected


def test_values_of_a_declared_job_are_judged_all_the_same() -> None:
    """What an entry cannot declare, an argument nobody used, counts as ever: only tool and target are expected."""
    odd = {"attributes": {"query": "account-of-a-stranger"}}
    step = {"name": "search", "target": "index-1", **odd}
    declared, silent = _look({**NEW, **BOTH}, [step]), _look(None, [step])
    assert declared.logs["arguments"][0] == silent.logs["arguments"][0] > 0.0
    assert declared.outcome.counts["events_expected"] == 1


def test_an_expected_job_teaches_and_one_that_was_not_does_not() -> None:
    """The session closes as an ordinary one: after its probation the job is known, also to its peers."""

    def later(revised: Mapping[str, Any] | None) -> float:
        script = Script()
        pipeline = _pipeline(script, revised=revised)
        feed(pipeline, script.session("job", [JOB], agent_id="a-1", agent_version="2"))
        feed(pipeline, quiet(script, 3.0))
        return _news(Look(pipeline, script.session("again", [JOB], agent_id="a-2")))

    assert later({**NEW, **BOTH}) < later(None)


def test_a_window_opens_once_and_ends() -> None:
    """A day later a further new job of the list is as new as any, and the same list again opens nothing."""
    script = Script()
    pipeline = _pipeline(script, revised={**NEW, **BOTH})
    first = feed(pipeline, script.session("job", [JOB], agent_id="a-1", agent_version="2"))
    feed(pipeline, quiet(script, 1.5))
    pipeline.control([control(entry("a-1", revision=3, **NEW, **BOTH))])
    other = {"name": "refund", "target": "ledger/99"}
    second = feed(pipeline, script.session("late", [other], agent_id="a-1", agent_version="2"))
    assert (first.counts["events_expected"], second.counts["events_expected"]) == (1, 0)
    assert (pipeline.gauges()["expectations_opened"], pipeline.gauges()["expecting"]) == (1.0, 0.0)


def test_a_profile_may_switch_windows_off() -> None:
    """With no time a version opens none."""
    script = Script()
    pipeline = _pipeline(script, sections={"learning": {"expected_s": 0.0}}, revised={**NEW, **BOTH})
    outcome = feed(pipeline, script.session("job", [JOB], agent_id="a-1", agent_version="2"))
    assert outcome.counts["events_expected"] == 0


def _stream() -> tuple[list[Any], int]:
    """Return records in which a-1 changes its version, and the place of the first of them."""
    script = Script()
    values = ordinary(script, 40)
    first = len(values)
    for number in range(6):
        values += script.session(f"job-{number}", [JOB, {"name": "send"}], agent_id="a-1", agent_version="2")
        values += [*ordinary(script, 4, first=40 + 4 * number), *quiet(script, 0.25)]
    return records_of(values), first


def _declared() -> Pipeline:
    pipeline = Pipeline(quick())
    pipeline.control([control(entry("a-1", **OLD, **LISTED), entry("a-1", revision=2, **NEW, **BOTH))])
    return pipeline


def test_output_does_not_depend_on_cuts_and_windows_outlive_a_restart() -> None:
    """Cut anywhere, restored before, within and after the window: the same bytes."""
    stream, first = _stream()

    def restore(shards: Mapping[str, bytes]) -> Pipeline:
        return Pipeline.restore(quick(), shards)

    assert sum(np.isfinite(_declared().process(stream).scores)) == len(stream)
    assert faults_of_cuts(_declared, stream, [range(5, len(stream), 5), [first + 1]]) == []
    assert faults_of_resuming(_declared, restore, stream, [first, first + 2, len(stream) - 9]) == []
    assert faults_of_increments(_declared, restore, stream, [first + 2, len(stream) - 9]) == []
