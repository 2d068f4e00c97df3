"""The real programs, unmodified: what they write into their files against what they send, of the same run.

DETECTOR_AGENTS names a folder with the commands claude, codex, gemini and copilot (``node_modules/.bin``); without it
the tests are skipped aloud. A stand-in on loopback is the model, another takes their telemetry; no account, no key.
"""

from __future__ import annotations

import json
import os
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from detector.backfill.record import Additions
from detector.otlp.mapper import Mapper
from detector.otlp.read import read as items_of
from detector.schema.event import Event
from tests.backfill.made import read
from tests.edge.stand_in_model import stand_in_model

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(240)]

SAME = ("session_id", "agent_type", "name", "target", "outcome", "bytes_in", "bytes_out")
COMMAND = "cat no-such-file"
Prepared = tuple[list[str], dict[str, str]]


@contextmanager
def _telemetry() -> Iterator[tuple[str, list[bytes]]]:
    """Yield an address that takes OTLP over HTTP, and the requests it took."""
    taken: list[bytes] = []

    class Taker(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Say nothing."""

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            while "chunked" in (self.headers.get("transfer-encoding") or ""):
                size = int(self.rfile.readline().strip() or b"0", 16)
                body += self.rfile.read(size)
                self.rfile.readline()
                if not size:
                    break
            taken.append(body)
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

    server = ThreadingHTTPServer(("127.0.0.1", 0), Taker)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", taken
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _claude(_: Path, model: str, otlp: str) -> Prepared:
    quiet = {"DISABLE_AUTOUPDATER": "1", "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1"}
    sent = {"CLAUDE_CODE_ENABLE_TELEMETRY": "1", "OTEL_LOG_TOOL_DETAILS": "1", "OTEL_LOGS_EXPORTER": "otlp"}
    where = {"OTEL_EXPORTER_OTLP_PROTOCOL": "http/json", "OTEL_EXPORTER_OTLP_ENDPOINT": otlp}
    of_model = {"ANTHROPIC_BASE_URL": model, "ANTHROPIC_API_KEY": "none"}
    return ["claude", "-p", "go", "--allowedTools", "Bash"], {**of_model, **quiet, **sent, **where}


def _codex(home: Path, model: str, otlp: str) -> Prepared:
    folder = home / ".codex"
    folder.mkdir()
    provider = f'name = "m"\nbase_url = "{model}/v1"\nwire_api = "responses"\nenv_key = "NO_KEY"\n'
    sent = f'[otel]\nexporter = {{ otlp-http = {{ endpoint = "{otlp}/v1/logs", protocol = "json" }} }}\n'
    (folder / "config.toml").write_text(f'model = "m"\nmodel_provider = "m"\n[model_providers.m]\n{provider}{sent}')
    words = ["codex", "exec", "--skip-git-repo-check", "-s", "danger-full-access", "go"]
    return words, {"CODEX_HOME": str(folder), "NO_KEY": "none"}


def _gemini(home: Path, model: str, otlp: str) -> Prepared:
    (home / ".gemini").mkdir()
    sent = {"enabled": True, "target": "local", "otlpEndpoint": otlp, "otlpProtocol": "http", "logPrompts": True}
    settings = {"security": {"auth": {"selectedType": "gemini-api-key"}}, "telemetry": sent}
    (home / ".gemini" / "settings.json").write_text(json.dumps(settings))
    words = ["gemini", "-p", "go", "--approval-mode", "yolo", "--skip-trust"]
    return words, {"GEMINI_API_KEY": "none", "GOOGLE_GEMINI_BASE_URL": model}


def _copilot(_: Path, model: str, otlp: str) -> Prepared:
    of_model = {"COPILOT_PROVIDER_BASE_URL": f"{model}/v1", "COPILOT_PROVIDER_API_KEY": "none"}
    sent = {"COPILOT_OTEL_ENABLED": "true", "OTEL_EXPORTER_OTLP_ENDPOINT": otlp}
    how = {"OTEL_EXPORTER_OTLP_PROTOCOL": "http/json", "COPILOT_MODEL": "gpt-4", "COPILOT_OFFLINE": "true"}
    return ["copilot", "-p", "go", "--allow-all-tools", "--allow-all-paths"], {**of_model, **sent, **how}


AGENTS: dict[str, Callable[[Path, str, str], Prepared]] = {
    "claude": _claude, "codex": _codex, "gemini": _gemini, "copilot": _copilot,
}  # fmt: skip


def _both(product: str, home: Path) -> tuple[list[Event], list[Event]]:
    """Return what a program sent, and what it wrote, of one run with one shell command that fails."""
    named = os.environ.get("DETECTOR_AGENTS")
    if not named:
        pytest.skip("needs real coding agents: DETECTOR_AGENTS names no folder of their commands")
    with _telemetry() as (otlp, taken), stand_in_model(COMMAND) as model:
        words, own = AGENTS[product](home, model.address, otlp)
        if not (Path(named) / words[0]).exists():
            pytest.skip(f"no {words[0]} in {named}")
        (home / "work").mkdir()
        environment = {"PATH": os.environ["PATH"], "HOME": str(home), "TERM": "dumb", "CI": "1", **own}
        done = subprocess.run(
            [str(Path(named) / words[0]), *words[1:]],
            cwd=home / "work",
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=200,
            check=False,
        )
        assert done.returncode == 0, done.stdout[-2_000:] + done.stderr[-2_000:]
    sent = Mapper().map(item for body in taken for item in items_of(body))
    written, report = read(home, asked=Additions(is_like_telemetry=product == "copilot"))
    assert not report.unknown
    assert not any(one.unreadable for one in report.files)
    return [verdict.event for verdict in sent if verdict.event is not None], written


def _calls(events: list[Event]) -> list[Event]:
    return [event for event in events if event.kind == "tool_call"]


@pytest.mark.parametrize("product", AGENTS)
def test_a_call_that_is_sent_and_written_says_one_thing(product: str, tmp_path: Path) -> None:
    """The shell command, which fails: the same session, tool, target, outcome and sizes, and no call besides."""
    sent, written = (_calls(events) for events in _both(product, tmp_path))
    assert [event.outcome for event in sent] == ["error"]
    for event, other in zip(sent, written, strict=True):
        assert [getattr(other, name) for name in SAME] == [getattr(event, name) for name in SAME]
        # Gemini CLI sends no id of a call
        assert (event.event_id == other.event_id) is (product != "gemini")
