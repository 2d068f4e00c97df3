"""What the models add to an event, and that they say when they are not ready."""

from __future__ import annotations

from detector.pipeline import Pipeline
from tests.streams import Script, feed, ordinary, quick


def half_space(sessions: int) -> tuple[list[bool], list[float]]:
    """Return whether the trees were ready, and what they said, at each event of a batch after so many sessions."""
    script = Script()
    pipeline = Pipeline(quick())
    values = ordinary(script, sessions)
    feed(pipeline, values[:-20])
    feed(pipeline, values[-20:])
    evidence = pipeline.state.work.evidence
    return evidence.has_half_space[:20].tolist(), evidence.half_space[:20].tolist()


def test_trees_that_have_not_seen_a_window_say_so() -> None:
    """Not ready is not zero."""
    assert half_space(5) == ([False] * 20, [0.0] * 20)


def test_trees_that_have_seen_a_window_speak_of_actions_and_of_nothing_else() -> None:
    """Four actions a session; its end is none."""
    ready, said = half_space(160)
    assert ready == [True, True, True, True, False] * 4
    assert max(said) > 0.0
