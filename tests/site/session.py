"""The README's terminal session, recorded beside a running deployment: ``python -m tests.site.session --agent NAME``.

It runs the commands that it shows, in a person's name: verdict and release are real. `docs/first-ten-minutes.md`
makes a deployment to do it with; brokers and topics are those of the environment (``DETECTOR_BOOTSTRAP`` ...).
"""

from __future__ import annotations

import argparse
import io
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Final

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

from tests.project.sources import ROOT

PICTURE: Final = ROOT / "docs" / "pictures" / "session.svg"
WIDTH: Final = 132
STYLES: Final = {
    r"^(CRITICAL|HIGH)\b": "bold red",
    r"^MEDIUM\b": "bold yellow",
    r"^  (what|when|agent|leading|then|normal|finding|contained|lift|say|verdict|undo)\b": "cyan",
    r"^(written|next|stood|released|refused|asked)\b": "cyan",
    r"\bisolate \(enforced\)": "bold red",
    r"\breleased\b": "bold green",
}
"""What stands out, as expressions over a line."""
BACK: Final = (24, 28, 34)
FORE: Final = (214, 220, 228)
RED, GREEN, YELLOW, CYAN = (255, 107, 107), (114, 209, 137), (240, 196, 90), (96, 200, 210)
THEME: Final = TerminalTheme(BACK, FORE, [BACK, RED, GREEN, YELLOW, CYAN, CYAN, CYAN, FORE])


def picture_of(steps: list[tuple[str, str]], title: str) -> str:
    """Return an SVG of commands and what they answered; it names no font and no file of another host.

    Parameters
    ----------
    steps : list of (str, str)
        Command and output, in order.
    title : str
        What stands in the window's bar.
    """
    console = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    for command, output in steps:
        console.print(Text.assemble(("$ ", "bold green"), (command, "bold")), no_wrap=True, overflow="ellipsis")
        for line in output.rstrip().splitlines():
            text = Text(line)
            for pattern, style in STYLES.items():
                text.highlight_regex(pattern, style)
            console.print(text, no_wrap=True, overflow="ellipsis")
        console.print()
    plain = re.sub(r"@font-face \{\{.*?\}\}\n", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)
    plain = plain.replace("Fira Code, monospace", "monospace")
    return console.export_svg(title=title, theme=THEME, code_format=plain, unique_id="session")


def recorded(agent: str) -> list[tuple[str, str]]:
    """Return what the desk's commands answer about a contained agent: its alert, a verdict, a release."""
    alert = f"detector alerts --since 1h --agent {agent} --most 1"
    shown = _answer(alert)
    finding = re.search(r"detector verdict ([0-9a-f]{32}) ", shown)
    if finding is None:
        raise SystemExit(f"agent of the session must have an alert that nobody judged, got {agent}")
    verdict = f"detector verdict {finding.group(1)} confirm --by ada --reason 'nobody gave her that ticket'"
    judged = _answer(verdict)
    lift = f"detector release {agent} --by ada --reason 'credential changed'"
    return [(alert, shown), (verdict, judged), (lift, _answer(lift, patience=3))]


def _answer(command: str, patience: int = 1) -> str:
    """Return what a command of ours prints; one that must look again is typed again, as a person would."""
    words = [sys.executable, "-m", *shlex.split(command)]
    for _ in range(patience):
        done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)
        if done.returncode == 0:
            return done.stdout
    raise SystemExit(f"{command} must end with 0, got {done.returncode}: {done.stdout}{done.stderr}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--agent", required=True, help="a contained agent whose alert nobody has judged yet")
    parser.add_argument("--out", type=Path, default=PICTURE)
    told = parser.parse_args()
    told.out.parent.mkdir(parents=True, exist_ok=True)
    told.out.write_text(picture_of(recorded(told.agent), "an alert, a verdict, a release"), encoding="utf-8")
