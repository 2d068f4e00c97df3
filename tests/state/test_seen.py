"""An event as it is explained: nothing of it is the event's that stood in its place in the batch before."""

from __future__ import annotations

import msgspec

from detector.channels.context import ARGUMENT_PART, OF_ARGUMENT
from detector.pipeline import Pipeline
from detector.schema.event import Event
from detector.state.seen import seen_at
from tests.streams import Script, feed, ordinary, quick, quiet


def test_a_side_that_an_event_does_not_have_is_not_novel() -> None:
    """Whether an act is a beginner's must not hang on how the events before it were cut into batches."""
    script = Script()
    pipeline = Pipeline(quick())
    feed(pipeline, [*ordinary(script, 40), *quiet(script, 1.5), *ordinary(script, 40, first=40)])
    before = script.event("search", target="index-1", attributes={"query": "nobody-asked-this"})
    without = script.event("search", target="index-1")
    feed(pipeline, [before])
    context = pipeline.state.work.context
    assert context.which[0, ARGUMENT_PART] >= 0 < context.level[0, OF_ARGUMENT]
    feed(pipeline, [without])
    assert context.which[0, ARGUMENT_PART] < 0
    assert seen_at(pipeline.state, msgspec.json.decode(without, type=Event), 0).level[OF_ARGUMENT] == 0
