"""The command of the demo with real agents: one program or several, one after the other."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence

from rich.console import Console

from detector.demo.agents import PROGRAMS, AgentsOptions, scene
from detector.demo.agents_summary import AgentsSummary, summary_table
from detector.errors import SetupError
from detector.views.shown import shown


def named_programs(text: str) -> tuple[str, ...]:
    """Return the names of PROGRAMS in a list with commas, each once, in the order given.

    Raises
    ------
    SetupError
        One is no name of a program.
    """
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",")))
    if not set(names) <= set(PROGRAMS):
        known = ", ".join(PROGRAMS)
        raise SetupError(f"agents of the demo must be one of {known}, or several with commas, got {shown(text, 100)}")
    return names


def run_agents_demo(programs: Sequence[str], options: AgentsOptions, *, is_json: bool) -> int:
    """Return the exit status: 0 if each odd act alerted, the next calls were denied, and ordinary ones were not.

    Programs go one after the other, each with a broker and a fleet of its own, so none is judged by another's history.

    Parameters
    ----------
    programs : sequence of str
        Names of PROGRAMS, at least one.
    options : AgentsOptions
        Of each; its program is not looked at. Of several programs each keeps a folder of its name.
    is_json : bool
        Summaries on standard output: one as an object, several as a list in the order of `programs`.

    Raises
    ------
    SetupError
        A program is missing, or could not be made or started; no real Kafka can be had.
    """
    console, began = Console(stderr=is_json), time.monotonic()

    def say(text: str) -> None:
        console.print(f"{time.monotonic() - began:5.0f} s  {text}", highlight=False, markup=False, soft_wrap=True)

    for name in programs[1:]:
        PROGRAMS[name].command(say)  # what is missing is said before the first story begins
    summaries: list[AgentsSummary] = []
    for name in programs:
        keep = options.keep if options.keep is None or len(programs) == 1 else options.keep / name
        with scene(AgentsOptions(name, options.seed, keep), say) as one:
            summaries.append(one.play())
        console.print(summary_table(summaries[-1]))
        if keep is not None:
            (keep / "summary.json").write_text(_text(summaries[-1].as_dict()), encoding="utf-8")
    if is_json:
        plain = [one.as_dict() for one in summaries]
        sys.stdout.write(_text(plain[0] if len(plain) == 1 else plain))
    return int(any(one.failures for one in summaries))


def _text(value: object) -> str:
    return json.dumps(value, indent=1) + "\n"
