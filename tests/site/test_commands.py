"""Commands on pages are run, not only read; that each parses is held by ``tests/project/test_documents.py``."""

from __future__ import annotations

import gzip
import shutil
from pathlib import Path

import pytest

from detector.local.ladder import Broker
from tests.project.sources import ROOT
from tests.site.blocks import BARE, PAGES, CommandBlock, blocks_of, run_in

RUN = [block for path in PAGES for block in blocks_of(path) if block.runs]
TEN_MINUTES = ROOT / "docs" / "first-ten-minutes.md"
HERE = "127.0.0.1:9092"
AT_HAND = ROOT / "tests" / "demo" / "recorded" / "codex-live.otlp.gz"


def test_commands_stand_in_blocks_that_are_checked() -> None:
    """A block without a language would be passed over by every test of commands."""
    bare = [f"{path.name}: {line}" for path in PAGES for line in BARE.findall(path.read_text(encoding="utf-8"))]
    assert bare == []


def test_pages_for_each_reader_have_commands_that_are_run() -> None:
    """A mark that is lost would take its test with it."""
    assert {block.page for block in RUN} >= {"README.md", "docs/connect.md", "docs/otlp.md", "docs/operations.md"}


@pytest.mark.integration
@pytest.mark.parametrize("block", RUN, ids=lambda block: f"{block.page}-{block.number}")
def test_a_block_that_is_said_to_run_does(block: CommandBlock, tmp_path: Path) -> None:
    """Each line as it stands, in an empty folder with recorded telemetry of Codex CLI at hand, ends with 0."""
    shutil.copy(AT_HAND, tmp_path / "telemetry.pb.gz")
    (tmp_path / "telemetry.pb").write_bytes(gzip.decompress(AT_HAND.read_bytes()))
    done = run_in(tmp_path, f"set -e\n{block.text}", {}, 240)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout or any(tmp_path.glob("*.jsonl"))


@pytest.mark.kafka
@pytest.mark.timeout(280)
def test_the_first_ten_minutes_are_as_the_page_says(kafka: Broker, group: str, tmp_path: Path) -> None:
    """From the fleet to the release, word for word, on the test run's broker; the demo itself is run by ``.ci/run``."""
    demo, broker, *rest = (block.text for block in blocks_of(TEN_MINUTES))
    assert demo == "make demo\n"
    assert "detector broker --folder build/kafka --partitions 1" in broker
    script = "detector topics --partitions 1\n" + "".join(rest).replace(". .venv/bin/activate\n", "")
    assert HERE in script
    script = script.replace(HERE, f"{kafka.bootstrap} --topic {group}.agent.events")
    (tmp_path / "build").mkdir()
    deployed = {
        "DETECTOR_BOOTSTRAP": kafka.bootstrap,
        "DETECTOR_TOPIC_PREFIX": f"{group}.",
        "DETECTOR_GROUP": group,
        "DETECTOR_LISTEN_PORT": "0",
    }
    done = run_in(tmp_path, script, deployed, 240)
    assert done.returncode == 0, done.stdout[-4_000:] + done.stderr[-4_000:]
    told = done.stdout.split("\nreleased  ada: credential changed\n")
    assert len(told) == 2, done.stdout[-4_000:] + done.stderr[-4_000:]
    before, after = told
    assert "(enforced)" in before
    assert "written   " in before
    assert "confirm by ada" in after
    assert "nobody asked for that" in after
