"""Commands of the offline floor: evaluate, replay; heavy imports happen inside."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager
    from typing import IO

    from detector.offline.replay import Replayed

app = typer.Typer()

ANALYST = "Analyst"
PROFILE = "Profile"
INPUTS = "Inputs"
OUTPUTS = "Outputs"

ProfileName = Annotated[str, typer.Option("--profile", help="Profile, name/version.", rich_help_panel=PROFILE)]
Models = Annotated[
    Path | None,
    typer.Option(help="Models folder; without it the one that is shipped.", file_okay=False, rich_help_panel=PROFILE),
]
Seed = Annotated[int, typer.Option(min=0, help="Of everything random.", rich_help_panel=PROFILE)]
IsQuiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar.", rich_help_panel=OUTPUTS)]


@app.command("evaluate")
def evaluate(
    events: Annotated[Path, typer.Argument(help="Events, one JSON object a line; plain or .gz.")],
    session_labels: Annotated[Path, typer.Argument(help="Session labels, CSV; plain or .gz.")],
    meta: Annotated[Path, typer.Argument(help="Facts of the stream, JSON, with live_start.")],
    event_labels: Annotated[
        Path | None, typer.Option(help="Event labels, CSV: adds the event level.", rich_help_panel=INPUTS)
    ] = None,
    origin: Annotated[
        Path | None, typer.Option(help="Origins of arguments, joined to the events.", rich_help_panel=INPUTS)
    ] = None,
    registry: Annotated[
        Path | None,
        typer.Option(help="Entries of the registry, one a line, each from its own time on.", rich_help_panel=INPUTS),
    ] = None,
    trusted_until: Annotated[
        str | None,
        typer.Option(
            help="Event time before which everything is learned. META's live_start if left out.",
            rich_help_panel=PROFILE,
        ),
    ] = None,
    analyst: Annotated[
        str | None,
        typer.Option(
            metavar="NAME=NUMBER,...",
            help="Have a share of incidents answered, some wrongly, so many closed sessions late: "
            "answered=.6,wrong=.05,delay=50,seed=0; what is left out is as here. Nobody answers without it.",
            rich_help_panel=ANALYST,
        ),
    ] = None,
    attack_share: Annotated[
        float | None,
        typer.Option(
            help="Attacks of all live sessions: some are left out, or repeated. As they are if left out.",
            rich_help_panel=INPUTS,
        ),
    ] = None,
    seeds: Annotated[
        int,
        typer.Option(
            min=1,
            help="Run so often, with seeds one higher each time, and give means and ranges.",
            rich_help_panel=ANALYST,
        ),
    ] = 1,
    profile: ProfileName = "default/v1",
    models: Models = None,
    seed: Seed = 0,
    draws: Annotated[
        int, typer.Option("--bootstrap", min=0, help="Bootstrap samples; 0: no intervals.", rich_help_panel=OUTPUTS)
    ] = 200,
    gap_s: Annotated[
        float,
        typer.Option(min=0.0, help="Alarms of an agent closer than this are one episode.", rich_help_panel=OUTPUTS),
    ] = 3_600.0,
    is_json: Annotated[bool, typer.Option("--json", help="Print JSON.", rich_help_panel=OUTPUTS)] = False,
    quiet: IsQuiet = False,
) -> None:
    """Measure detection on a labelled stream: every event is scored before anything is learned from it.

    Prints ranking (ROC-AUC, average precision, recall at a budget of harmless sessions alarmed) and what the alarms
    cost against what was promised, with bootstrap intervals over sessions; by peer group, agent, kind of attack and, if
    the profile has any, risk class too;
    recall beside what the ranking allows at that same cost; how long attacks ran before their first alert. Labels that
    belong to another stream are refused. Hashes are keyed by DETECTOR_STATE_KEY of the environment, if it is set.
    """
    from detector.kernels import notice_on_stderr
    from detector.offline.analyst import parse_analyst
    from detector.offline.evaluate import Inputs
    from detector.offline.labels import read_meta, seconds_of
    from detector.offline.order import order_warning
    from detector.offline.seeds import Asked, measure_seeds
    from detector.offline.table import show
    from detector.profile.load import load_profile

    loaded = load_profile(profile, models)
    who = None if analyst is None else parse_analyst(analyst)
    facts = read_meta(meta)
    until = facts.live_start if trusted_until is None else seconds_of(trusted_until, "trusted-until of evaluate")
    asked = Asked(loaded, until, seed, who, attack_share, draws, gap_s, _secret(), registry)
    inputs = Inputs(events, session_labels, event_labels, origin)
    with notice_on_stderr(), _bar([events] * seeds, is_shown=not quiet) as progress:
        found = measure_seeds(asked, inputs, seeds, progress)
    report = {"stream": facts.name, "profile": loaded.id, "seed": seed, "trusted_until": until, **found}
    late = found["events"]["out_of_order"]
    if late["n"]:
        typer.echo(order_warning(late["n"], late["largest_step_back_s"], loaded.sessions.idle_s), err=True)
    if is_json:
        typer.echo(json.dumps(report, indent=2, allow_nan=False))
    else:
        show(report)


@app.command("replay")
def replay(
    events: Annotated[
        list[Path] | None, typer.Argument(help="Events, one JSON object a line; plain or .gz. Standard input if none.")
    ] = None,
    alerts: Annotated[
        Path | None,
        typer.Option(help="Write alerts (OCSF, JSON lines); standard output if left out.", rich_help_panel=OUTPUTS),
    ] = None,
    commands: Annotated[
        Path | None, typer.Option(help="Write policy states (JSON lines).", rich_help_panel=OUTPUTS)
    ] = None,
    log: Annotated[
        Path | None, typer.Option(help="Write the policy log (JSON lines).", rich_help_panel=OUTPUTS)
    ] = None,
    heard: Annotated[
        Path | None,
        typer.Option(
            help="Write what is known of agents together, for `detector graph`: alerts and tidings (JSON lines).",
            rich_help_panel=OUTPUTS,
        ),
    ] = None,
    partitions: Annotated[
        int, typer.Option(min=1, help="Shard as Kafka would: each partition learns alone.", rich_help_panel=INPUTS)
    ] = 1,
    controls: Annotated[
        Path | None,
        typer.Option(help="Verdicts of people: feedback records, one a line.", rich_help_panel=INPUTS),
    ] = None,
    journal: Annotated[
        Path | None,
        typer.Option(
            help="Where a worker let them take effect, as `detector journal` writes it; by their own time if left out.",
            rich_help_panel=INPUTS,
        ),
    ] = None,
    registry: Annotated[
        Path | None,
        typer.Option(
            help="Entries of the registry, one a line, each from its own time on; with a journal they stand there.",
            rich_help_panel=INPUTS,
        ),
    ] = None,
    registry_first: Annotated[
        bool,
        typer.Option(
            "--registry-first",
            help="Hold all events against the entries, also those from before they were made: what would they tell?",
            rich_help_panel=INPUTS,
        ),
    ] = False,
    trusted_until: Annotated[
        str | None, typer.Option(help="Event time before which everything is learned.", rich_help_panel=PROFILE)
    ] = None,
    profile: ProfileName = "default/v1",
    models: Models = None,
    mode: Annotated[
        Literal["shadow", "enforce"] | None,
        typer.Option(help="Of the commands; the profile's if left out.", rich_help_panel=PROFILE),
    ] = None,
    seed: Seed = 0,
    quiet: IsQuiet = False,
) -> None:
    """Score recorded events without a broker; write the alerts and commands a worker would have written.

    The same events in the same order give the same output, and the same finding ids as Kafka with the same number of
    partitions. What was refused is counted by reason on standard error, events far out of order too. Exit status 1 if
    there were lines and not one of them was an event. With the controls and the journal of a worker, what its verdicts
    led to is the same too: places count records, so give the events one a record and from the first on. Hashes are
    keyed by DETECTOR_STATE_KEY of the environment, as the workers' are: with another key other names collide, which is
    rare but not never.
    """
    from collections import Counter
    from contextlib import ExitStack
    from itertools import chain

    from detector.kernels import notice_on_stderr
    from detector.offline.controls import read_plan
    from detector.offline.labels import seconds_of
    from detector.offline.order import order_warning
    from detector.offline.replay import Replay, ReplaySettings
    from detector.offline.sources import STDIN, batches, lines_of
    from detector.profile.load import load_profile

    until = None if trusted_until is None else seconds_of(trusted_until, "trusted-until of replay")
    settings = ReplaySettings(partitions, seed, until, mode, _secret())
    plan = read_plan(controls, journal, partitions, registry, is_registry_first=registry_first)
    run = Replay(load_profile(profile, models), settings, plan=plan)
    paths = events or [STDIN]
    with notice_on_stderr(), ExitStack() as open_files:
        files = [
            None if path is None else open_files.enter_context(_created(path))
            for path in (alerts, commands, log, heard)
        ]
        progress = open_files.enter_context(_bar(paths, is_shown=not quiet))
        lines = chain.from_iterable(lines_of(path, progress) for path in paths)
        counts: Counter[str] = Counter()
        refused: Counter[str] = Counter()
        for batch in batches(lines):
            _write(out := run.feed(batch), files, counts)
            refused += out.refused
        late = 0 if plan is None or journal is not None else plan.left
        _write(run.finish(), files, counts)
    typer.echo(", ".join(f"{name} {count}" for name, count in sorted(counts.items())), err=True)
    if late:
        entries = "" if registry is None else "; --registry-first lets entries count from the beginning"
        typer.echo(
            f"{late} controls are later than the last event, and no event was held against them{entries}", err=True
        )
    for reason, count in refused.most_common():
        typer.echo(f"refused: {reason} {count}", err=True)
    if run.late:
        typer.echo(order_warning(run.late, run.largest_step_back_s, run.idle_s), err=True)
    if run.lines and refused.total() >= run.lines:
        typer.echo(f"detector: input of replay must hold events, got {run.lines} lines and no event", err=True)
        raise typer.Exit(1)


def _secret() -> str | None:
    """Return the workers' secret, if the environment has it; an option would show it to everybody on the machine."""
    return os.environ.get("DETECTOR_STATE_KEY") or None


def _created(path: Path) -> IO[bytes]:
    """Return a file open for writing, or a refusal that says which."""
    from detector.errors import SetupError

    try:
        return path.open("wb")
    except OSError as error:
        message = f"path of the output must be a file that can be written, got {path}: {error.strerror}"
        raise SetupError(message) from error


def _write(out: Replayed, files: Sequence[IO[bytes] | None], counts: Counter[str]) -> None:
    """Write what a stretch led to, alerts to standard output where no file is named, and add to the counts."""
    from detector.schema.tiding import encode_tiding
    from detector.sinks.ocsf import encode

    alerts, commands, log, heard = files
    for alert in out.alerts:
        if alerts is None:
            typer.echo(encode(alert))
        else:
            alerts.write(encode(alert) + b"\n")
    if heard is not None:
        heard.writelines(encode_tiding(one) + b"\n" for one in out.tidings)
    for target, records in ((commands, out.commands), (log, out.log), (heard, out.alerts)):
        if target is not None:
            target.writelines(record.model_dump_json(by_alias=True).encode() + b"\n" for record in records)
    counts.update({"alerts": len(out.alerts), "commands": len(out.commands), **out.counts})


def _bar(paths: list[Path], *, is_shown: bool) -> AbstractContextManager[Callable[[int], None]]:
    """Return a progress bar over the bytes of the files, on standard error; it is told how many more were read."""
    from contextlib import contextmanager

    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    from detector.offline.sources import size_of

    @contextmanager
    def bar() -> Iterator[Callable[[int], None]]:
        columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
        with Progress(*columns, console=Console(stderr=True), transient=True, disable=not is_shown) as progress:
            task = progress.add_task("scoring", total=size_of(paths))
            yield lambda read: progress.advance(task, read)

    return bar()
