"""A profile's cases: short streams that must alert, and their twins that must stay quiet."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, Final, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from detector.checks.contained import CaseTier, told_of
from detector.checks.history import Body, encode, history, parse, read_fleet, rfc3339
from detector.errors import ProfileError
from detector.pipeline import Pipeline
from detector.profile.load import DEFAULT, load_profile, models_folder
from detector.profile.model import Profile
from detector.schema.alert import Alert
from detector.schema.control import Control
from detector.schema.declaration import declaration_of, pack_declarations
from detector.schema.record import Record
from detector.schema.zones import key_of_body

BATCH: Final = 256
TOPIC: Final = "case"
_MAX_EVENTS: Final = 100_000


class Header(BaseModel):
    """First line of a case.

    Parameters
    ----------
    case : str
        Its name, which is also the file's.
    expect : {"alert", "quiet"}
        Whether the sessions under test must raise an alert.
    sessions : tuple of str
        Sessions under test; every one of them is held to `expect`.
    why : str
        What the case shows, for whoever sees it fail.
    twin : str
        Name of the case that differs in what matters only, and expects the other thing.
    history : str
        File of quiet days that go before, in the same folder.
    leads : tuple of str
        Channels of which at least one must be among an alert's three largest contributions.
    contained : dict of str to {"limit", "isolate"}
        Agents of which an enforced command holds when the events begin, and its tier.
    registry : tuple of dict
        Entries of the registry that take effect between the quiet days and the events under test.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    case: Annotated[str, Field(pattern=r"^[a-z0-9_]{1,64}$")]
    expect: Literal["alert", "quiet"]
    sessions: Annotated[tuple[str, ...], Field(min_length=1)]
    why: Annotated[str, Field(min_length=1)]
    twin: str
    history: Annotated[str, Field(pattern=r"^[a-z0-9_]{1,64}\.json$")]
    leads: tuple[str, ...] = ()
    contained: dict[str, CaseTier] = {}
    registry: tuple[Body, ...] = ()


class Repeat(BaseModel):
    """A line that stands for many events: `event` again and again, `every_s` seconds apart, some values growing.

    `grow` names numbers, dotted below the event (``attributes.rows``), and their factors. A string's ``{}`` is filled
    with the number of the repetition, from 1.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    repeat: Annotated[int, Field(ge=1, le=_MAX_EVENTS)]
    every_s: Annotated[float, Field(gt=0)]
    event: Body
    grow: dict[str, float] = {}


class Case(NamedTuple):
    """A case as it is run: what it expects, the events before, the events under test; all JSON, sorted by time.

    `controls` take effect between the two.
    """

    header: Header
    before: list[bytes]
    events: list[bytes]
    trusted_until: float
    controls: Sequence[Control] = ()


class Result(NamedTuple):
    """What a case gave: `faults` is empty if it held."""

    case: str
    expect: str
    faults: list[str]
    alerts: list[Alert]


def cases_folder(name: str = DEFAULT, root: Path | None = None) -> Path:
    """Return the folder of a profile's cases."""
    return (root if root is not None else models_folder()) / "profiles" / name / "cases"


def read_case(path: Path) -> Case:
    """Return the case in a file.

    The first line is a :class:`Header`. Every other line is an event without `ts` and `event_id`, which `after_s`,
    seconds after the line before, stands for; or a :class:`Repeat`. Events begin an hour after the quiet days.

    Raises
    ------
    ProfileError
        With the line that cannot be read.
    """
    first, *rest = [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip()] or [""]
    header = _header(path, first)
    try:
        fleet = read_fleet(path.parent / header.history)
    except (ValueError, OSError) as error:
        raise ProfileError(str(path), [f"history of header must be a description of a fleet, got {error}"]) from error
    begin = fleet.end + 3_600.0
    events, controls = _events(path, header, rest, begin), told_of(header.contained, begin)
    return Case(header, history(fleet), events, fleet.end, controls)


def _header(path: Path, line: str) -> Header:
    """Return the first line, read."""
    try:
        header = Header.model_validate(parse(line))
    except (ValueError, TypeError) as error:
        raise ProfileError(str(path), [f"line 1 must be the header of a case, got {error}"]) from error
    if header.case != path.stem:
        raise ProfileError(str(path), [f"case of header must be the file's name, got {header.case!r}"])
    return header


def _events(path: Path, header: Header, lines: Sequence[str], at: float) -> list[bytes]:
    """Return the events of the other lines, with ids and times, from `at` on."""
    events: list[bytes] = []
    for number, line in enumerate(lines, start=2):
        try:
            for body in _expanded(parse(line)):
                at += float(body.pop("after_s", 1.0))
                events.append(encode({"event_id": f"{header.case}-{len(events)}", "ts": rfc3339(at), **body}))
        except (ValueError, TypeError, KeyError) as error:
            raise ProfileError(str(path), [f"line {number} must be an event or a repeat, got {error!r}"]) from error
    return events


class Days(NamedTuple):
    """Quiet days a pipeline has seen, as the shards of its snapshot, and what it refused of them."""

    shards: dict[str, bytes]
    refused: list[str]


def live_through(profile: Profile, case: Case) -> Days:
    """Return the quiet days of a case, seen under a profile: cases that share them need them once."""
    pipeline = Pipeline(profile, seed=0, trusted_until=case.trusted_until)
    _, refused = _feed(pipeline, case.before, 0, BATCH)
    return Days(pipeline.snapshot(full=True), refused)


def run_case(profile: Profile, case: Case, days: Days | None = None, batch: int = BATCH) -> Result:
    """Return what a case gives under a profile: quiet days first, trusted, then the events under test.

    Parameters
    ----------
    profile : Profile
        What is checked.
    case : Case
        What it is checked with.
    days : Days or None
        The case's quiet days if they were lived through before; None lives through them now.
    batch : int, default=256
        Events a micro-batch; changes nothing.
    """
    days = days or live_through(profile, case)
    pipeline = Pipeline.restore(profile, days.shards, seed=0, trusted_until=case.trusted_until)
    pipeline.control(case.controls)
    wrong = _declare(pipeline, case.header.registry)
    alerts, refused = _feed(pipeline, case.events, len(case.before), batch)
    alerts += pipeline.finish().alerts
    found = [alert for alert in alerts if alert.session_id in case.header.sessions]
    faults = [*days.refused, *wrong, *refused, *_verdict(case.header, found)]
    return Result(case.header.case, case.header.expect, faults, found)


def run_cases(profile: Profile, folder: Path) -> list[Result]:
    """Return the results of every case in a folder, by name."""
    lived: dict[str, Days] = {}
    results = []
    for path in sorted(folder.glob("*.jsonl")):
        case = read_case(path)
        if case.header.history not in lived:
            lived[case.header.history] = live_through(profile, case)
        results.append(run_case(profile, case, lived[case.header.history]))
    return results


def _declare(pipeline: Pipeline, entries: Sequence[Body]) -> list[str]:
    """Let entries of the registry take effect; return a fault for each that was refused."""
    if not entries:
        return []
    records = [declaration_of(number, key_of_body(one), encode(one)) for number, one in enumerate(entries)]
    outcome = pipeline.control([Control(len(entries) - 1, pack_declarations(records), "registry")])
    return [f"entry {number} of registry must be one, got {one.detail}" for number, one in outcome.refusals]


def _feed(pipeline: Pipeline, values: Sequence[bytes], offset: int, batch: int) -> tuple[list[Alert], list[str]]:
    """Return the alerts on events that stand at `offset` and after, and a fault for each that was refused."""
    records = [Record(value, None, TOPIC, 0, number) for number, value in enumerate(values, start=offset)]
    alerts: list[Alert] = []
    faults: list[str] = []
    for start in range(0, len(records), batch):
        outcome = pipeline.process(records[start : start + batch])
        alerts += outcome.alerts
        refused = ((records[start + index].offset, one.reason) for index, one in outcome.refusals)
        faults += [f"event {number} must be an event, got {reason}" for number, reason in refused]
    return alerts, faults


def checked_profile(name: str = DEFAULT, root: Path | None = None) -> Profile:
    """Return a profile that passed digest, schema, lint and its own cases, in this order.

    Raises
    ------
    ProfileError
        With every case that did not hold. The last good profile stays in use.
    """
    profile = load_profile(name, root)
    folder = cases_folder(name, root)
    faults = [f"{result.case}: {fault}" for result in run_cases(profile, folder) for fault in result.faults]
    if faults:
        raise ProfileError(str(folder), faults)
    return profile


def _verdict(header: Header, found: Sequence[Alert]) -> Iterator[str]:
    """Yield what the alerts of the sessions under test should not be."""
    alerted = {alert.session_id for alert in found}
    for session in header.sessions:
        if header.expect == "alert" and session not in alerted:
            yield f"session {session} must raise an alert, got none: {header.why}"
        if header.expect == "quiet" and session in alerted:
            first = next(alert for alert in found if alert.session_id == session)
            yield f"session {session} must stay quiet, got {first.title!r} at {first.event_id}: {header.why}"
    if header.leads and found:
        leading = {
            part.channel for alert in found for part in sorted(alert.contributions, key=lambda one: -one.value)[:3]
        }
        if not leading & set(header.leads):
            yield f"one of {', '.join(header.leads)} must lead an alert, got {', '.join(sorted(leading))}"


def _expanded(line: Body) -> Iterator[Body]:
    """Yield the events a line stands for."""
    if "repeat" not in line:
        yield line
        return
    form = Repeat.model_validate(line)
    for number in range(form.repeat):
        body: Body = _filled(form.event, number + 1)
        for path, factor in form.grow.items():
            *parents, name = path.split(".")
            place = body
            for parent in parents:
                place = place[parent]
            place[name] = round(place[name] * factor**number, 3)
        yield {**body, "after_s": form.every_s}


def _filled(value: Any, number: int) -> Any:  # noqa: ANN401 - any JSON value
    """Return a value with the braces of its strings filled."""
    if isinstance(value, str):
        return value.replace("{}", str(number))
    if isinstance(value, dict):
        return {name: _filled(inner, number) for name, inner in value.items()}
    return value
