"""`detector alerts`: read, group, show; go on showing."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from detector.errors import SetupError
from detector.schema.topics import TopicNames
from detector.views.containment import Contained, policy_of
from detector.views.findings import AlertFilter, FindingBook, Sighting, rank
from detector.views.incidents import incident_lines, record_body
from detector.views.reading import TopicReader
from detector.views.shown import count_of, moment

Say = Callable[[str], None]
LEFT_OUT: Final = {
    "repeats": "repeats dropped",
    "no_alert": "no alerts of this product, passed over",
    "other": "of other agents or incidents",
    "left_out": "findings left out: more than can be held, the oldest first",
}


@dataclass(frozen=True, slots=True)
class WatchOptions:
    """What is watched, and how it is shown.

    Parameters
    ----------
    wanted : AlertFilter
        Which alerts.
    since : float
        Records written from then on (epoch seconds).
    most : int
        Incidents shown of those that were there before.
    follow : bool
        Go on until stopped.
    limit : int
        Of `follow`: end after so many records shown behind those that were there; 0: never.
    is_json : bool
        One line a record instead of a block an incident.
    options : str
        Options that lines to paste need to reach the same deployment.
    """

    wanted: AlertFilter
    since: float
    most: int = 50
    follow: bool = False
    limit: int = 0
    is_json: bool = False
    options: str = ""


class AlertWatch:
    """Shows alerts of a deployment.

    Parameters
    ----------
    kafka : mapping
        Settings of a confluent-kafka client.
    names : TopicNames
        Names of the deployment.
    say, tell : callable
        Take what is shown, and what is said about it (for a person, beside the data).
    now : callable
        The wall clock.
    """

    def __init__(
        self, kafka: Mapping[str, Any], names: TopicNames, say: Say, tell: Say, now: Callable[[], float]
    ) -> None:
        self._kafka, self._names, self._say, self._tell, self._now = kafka, names, say, tell, now

    def run(self, options: WatchOptions, stop: threading.Event) -> FindingBook:
        """Show what is there, then what comes, until told to stop; every record that was taken is shown.

        Raises
        ------
        SetupError
            The topic cannot be read.
        """
        book = FindingBook(options.wanted)
        with TopicReader(self._kafka, self._names.alerts, stop) as reader:
            for record in reader.to_the_end(options.since):
                seen = book.take(record)
                if seen is not None and options.is_json:
                    self._say(json_line(record_body(seen)))
            if not options.is_json:
                self._blocks(book, options)
            if options.follow:
                self._follow(book, reader, options, stop)
        self._say_counts(book, options)
        return book

    def _follow(self, book: FindingBook, reader: TopicReader, options: WatchOptions, stop: threading.Event) -> None:
        shown_now = 0
        for record in reader.onward():
            seen = book.take(record)
            if seen is None:
                continue
            if options.is_json:
                self._say(json_line(record_body(seen)))
            else:
                self._block(book.incident(seen.incident), self._contained(), options)
            shown_now += 1
            if shown_now == options.limit:
                stop.set()

    def _blocks(self, book: FindingBook, options: WatchOptions) -> None:
        """Show the incidents told last, the newest at the end, beside the prompt."""
        incidents = list(book.incidents())
        left, kept = incidents[: -options.most], incidents[-options.most :]
        contained = self._contained() if kept else None
        if left:
            self._tell(f"{count_of(len(left), 'older incident')} not shown ({severities(left)}): see --most")
        for incident in kept:
            self._block(incident, contained, options)
        what = f"{count_of(len(incidents), 'incident')} since {moment(options.since)}"
        self._say(f"{what}: {severities(incidents)}" if incidents else what)

    def _block(
        self, incident: list[Sighting], contained: Mapping[str, Contained] | None, options: WatchOptions
    ) -> None:
        for line in incident_lines(incident, contained, options.options):
            self._say(line)
        self._say("")

    def _contained(self) -> Mapping[str, Contained] | None:
        """Return what holds now, None if it cannot be read, which the block says."""
        try:
            with TopicReader(self._kafka, self._names.policy) as reader:
                return policy_of(reader.to_the_end(), self._now()).contained
        except SetupError as error:
            self._tell(f"containment is not known: {error}")
            return None

    def _say_counts(self, book: FindingBook, options: WatchOptions) -> None:
        parts = [f"{book.counts[name]:,} {words}" for name, words in LEFT_OUT.items() if book.counts[name]]
        if parts or options.is_json:
            self._tell(f"{count_of(book.counts['records'], 'record')} read; {', '.join(parts) or 'none left out'}")


def severities(incidents: list[list[Sighting]]) -> str:
    """Return how many incidents there are of each severity, the worst first."""
    worst = [max((one.alert.severity for one in incident), key=rank) for incident in incidents]
    return ", ".join(f"{worst.count(name)} {name}" for name in sorted(set(worst), key=rank, reverse=True))


def json_line(body: Mapping[str, Any]) -> str:
    """Return plain values as one line of printable ASCII, safe for a terminal as for a pipe."""
    return json.dumps(body, ensure_ascii=True).replace("\x7f", "\\u007f")
