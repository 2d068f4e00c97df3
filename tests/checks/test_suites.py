"""The suites for calibrations, scorers and renderings: silent on what ships, loud on what breaks the law."""

from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np
import pytest

from detector.checks.calibration import faults_of_p_value, faults_of_uniformity
from detector.checks.scorers import faults_of_scorer
from detector.checks.sinks import faults_of_rendering
from detector.schema.alert import Alert
from detector.scorers import forest
from detector.scorers.forest_fit import fit
from detector.sinks import ocsf, syslog
from tests.sinks.alerts import make

CHANCE = np.random.default_rng(0)
ORDINARY, STRANGE = CHANCE.normal(0.0, 1.0, (200, 7)), CHANCE.normal(9.0, 1.0, (40, 7))
FOREST = fit(ORDINARY.astype(np.float32), 20, 64, 0)


def with_out(kernel: Callable[..., None]) -> Callable[[np.ndarray], np.ndarray]:
    """Return a kernel that writes its answer as a function that returns it."""

    def scored(x: np.ndarray) -> np.ndarray:
        out = np.empty(len(x))
        kernel(FOREST, x, out)
        return out

    return scored


@pytest.mark.parametrize("kernel", [forest.score, forest.evidence])
def test_the_forest_passes_the_suite_of_scorers(kernel: Callable[..., None]) -> None:
    """Its score, and its rank as evidence."""
    assert faults_of_scorer(with_out(kernel), ORDINARY, STRANGE) == []


@pytest.mark.parametrize(
    ("score", "fault"),
    [
        (lambda x: -abs(x).sum(axis=1), "strange rows must score higher"),
        (lambda x: x.sum(axis=1) / 0.0, "must be finite"),
        (lambda x: x.sum(), "must have shape"),
        (lambda x: x.sum(axis=1) - x.mean(), "depend on its neighbours"),
        (lambda x: np.multiply(x, 1.5, out=x).sum(axis=1), "rows must be left as they are"),
    ],
)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_scorer_that_breaks_the_law_is_told(score: Callable[[np.ndarray], np.ndarray], fault: str) -> None:
    """By what it broke."""
    assert any(fault in one for one in faults_of_scorer(score, ORDINARY.copy(), STRANGE.copy()))


def as_syslog(alert: Alert) -> bytes:
    """Return an alert as it is sent to a SIEM."""
    return syslog.message(ocsf.render(alert), syslog.Header())


@pytest.mark.parametrize("render", [ocsf.encode, as_syslog, lambda alert: alert.model_dump_json().encode()])
def test_what_ships_passes_the_suite_of_renderings(render: Callable[[Alert], bytes]) -> None:
    """OCSF, RFC 5424, and the product's own."""
    assert faults_of_rendering(render, make("a-1", 2.5, 1_772_434_800.0)) == []


@pytest.mark.parametrize(
    ("render", "fault"),
    [
        (lambda alert: f"{alert.agent_id} {alert.counter}".encode(), "one line"),
        (lambda alert: b"alert", "must differ"),
        (lambda alert: json.dumps(alert.agent_id).encode(), "an update must differ"),
        (lambda alert: ascii(alert.agent_id).encode("utf-16"), "must be"),
    ],
)
def test_a_rendering_that_breaks_the_law_is_told(render: Callable[[Alert], bytes], fault: str) -> None:
    """By what it broke."""
    assert any(fault in one for one in faults_of_rendering(render, make("a-1", 2.5, 1_772_434_800.0)))


def test_a_calibration_that_breaks_the_law_is_told() -> None:
    """Out of bounds, rising, or bunched."""
    assert faults_of_p_value(lambda x: 0.0, [1.0])[0].startswith("p-value of 1 must be above 0")
    assert "must be at most that of 1" in faults_of_p_value(lambda x: x / 10, [1.0, 2.0])[0]
    assert len(faults_of_uniformity(lambda x: None, lambda x: 0.5, slack=0.1)) == 3
    assert faults_of_uniformity(lambda x: None, lambda x: 1.0 - x, slack=0.05) == []
