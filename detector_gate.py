"""The hook command of coding agents: asks `detector edge` whether a tool call may happen, answers as the agent wants.

One file, the standard library, POSIX: it can be copied to a machine without the package. As the command of a
PreToolUse (BeforeTool) hook::

    python3 -I -S /opt/detector/detector_gate.py --product claude-code || exit 2

It fails closed: whatever goes wrong here ends with status 2, which denies in Claude Code, Codex, Gemini CLI and Copilot
CLI. `|| exit 2` is for what cannot be caught here: an interpreter that does not start, a signal.

Settings are options, never environment variables: a project's settings can set variables of the agent's hooks. What the
environment says of the agent (OTEL_RESOURCE_ATTRIBUTES) only adds names under which it may be contained, and takes none
away.
"""

from __future__ import annotations

# modules of the interpreter's core: `socket`, `signal` and `json` take longer to import than the whole answer
import _signal  # type: ignore[import-not-found]  # in CPython since 3.5, and in no list of types
import _socket
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

SOCKET = "/run/detector/edge.sock"
PRODUCTS = ("claude-code", "codex", "gemini-cli", "copilot-cli")
DENIED = 2
MOST_INPUT = 1_048_576
"""Bytes of the hook's input that are sent on; a longer one is cut and judged as a call of no known tool."""
MOST_ANSWER = 65_536
MOST_SUBJECTS = 32
MOST_TEXT = 1_152
MOST_COPY = 268_435_456
HELP = """usage: detector-gate [--product NAME] [--agent ID]... [--tenant NAME] [--socket PATH]
                     [--fail closed|static] [--copy FILE] [--timeout SECONDS]

Hook command: reads a coding agent's hook input on standard input and asks `detector edge` whether the call may happen.

  --product   claude-code, codex, gemini-cli or copilot-cli: whose hook this is
  --agent     id of the agent, as in its events; without it PRODUCT/USER, the user of this machine
  --tenant    tenant of the agent (default: default)
  --socket    where `detector edge` listens (default: /run/detector/edge.sock)
  --fail      when it does not answer: closed denies (default); static denies who is contained by --copy
  --copy      the copy that `detector edge --copy` keeps
  --timeout   seconds for all of it (default: 1)
"""


class GateError(Exception):
    """The question could not be asked, or the answer is none."""


class Options:
    """What the hook's command line says."""

    def __init__(self) -> None:
        self.product, self.tenant, self.socket = "", "default", SOCKET
        self.agents: list[str] = []
        self.fail, self.copy, self.timeout = "closed", "", 1.0

    def take(self, name: str, value: str) -> None:
        """Take an option, or raise GateError."""
        if name == "--product" and value in PRODUCTS:
            self.product = value
        elif name == "--agent" and value:
            self.agents.append(value)
        elif name == "--tenant":
            self.tenant = value
        elif name == "--socket" and value:
            self.socket = value
        elif name == "--fail" and value in {"closed", "static"}:
            self.fail = value
        elif name == "--copy" and value:
            self.copy = value
        elif name == "--timeout" and value.replace(".", "", 1).isdigit() and 0.0 < float(value) <= 60.0:
            self.timeout = float(value)
        else:
            raise GateError(f"option {name} must be a known one with a legal value, got {value!r}: see --help")


def options_of(words: Iterable[str]) -> Options:
    """Return the options of a command line."""
    options, waiting = Options(), ""
    for word in words:
        if waiting:
            options.take(waiting, word)
            waiting = ""
        elif "=" in word:
            name, _, value = word.partition("=")
            options.take(name, value)
        else:
            waiting = word
    if waiting:
        options.take(waiting, "")
    if options.fail == "static" and not options.copy:
        raise GateError("option --fail static must come with --copy FILE, got none: name the copy of `detector edge`")
    return options


def subject_of(tenant: str, agent_id: str) -> str:
    """Return the subject of commands on an agent, as the product writes it."""
    return f"{(tenant or 'default').replace('%', '%25').replace('/', '%2F')}/agent/{agent_id}"


def attributes_of(text: str) -> dict[str, str]:
    """Return OTEL_RESOURCE_ATTRIBUTES (`name=value,name=value`, values percent-encoded) as a table."""
    found = {}
    for one in text[:8_192].split(","):
        name, is_pair, value = one.partition("=")
        if is_pair:
            found[name.strip()] = unquoted(value.strip())
    return found


def unquoted(text: str) -> str:
    """Return a percent-encoded text decoded."""
    if "%" not in text:
        return text
    first, *parts = text.encode("utf-8", "surrogateescape").split(b"%")
    whole = first
    for part in parts:
        try:
            whole += bytes((int(part[:2], 16),)) + part[2:]
        except ValueError:
            whole += b"%" + part
    return whole.decode("utf-8", "replace")


def quoted(text: str) -> str:
    """Return a text as it can stand in a header: ASCII, no control characters, percent-encoded, cut."""
    raw = text.encode("utf-8", "replace")[:MOST_TEXT]
    return "".join(chr(one) if 33 <= one < 127 and one != 37 else f"%{one:02X}" for one in raw)


def subjects_of(options: Options, user: str, environment: Mapping[str, str]) -> list[str]:
    """Return every subject under which commands could contain the caller, those of the settings first; at most 32."""
    told = attributes_of(environment.get("OTEL_RESOURCE_ATTRIBUTES", ""))
    products = (options.product,) if options.product else PRODUCTS
    users = [user, *([told["enduser.id"]] if told.get("enduser.id") else [])]
    names = [*options.agents, *(f"{product}/{one}" for one in users for product in products)]
    if told.get("agent.id"):
        names.append(told["agent.id"])
    tenants = [options.tenant, *([told["tenant"]] if told.get("tenant") else [])]
    return list(dict.fromkeys(subject_of(tenant, name) for tenant in tenants for name in names))[:MOST_SUBJECTS]


def read_input(descriptor: int) -> tuple[bytes, bool]:
    """Return the hook's input, and whether it was cut; it is read to its end, or the agent would wait."""
    parts, size, is_cut = [], 0, False
    while chunk := os.read(descriptor, 65_536):
        if size + len(chunk) > MOST_INPUT:
            is_cut = True
        else:
            parts.append(chunk)
            size += len(chunk)
    return b"".join(parts), is_cut


def ask(options: Options, subjects: Iterable[str], body: bytes) -> tuple[int, bytes, bytes]:
    """Return status, standard output and standard error as the service says; GateError if it says none."""
    head = [
        "POST /v1/hook HTTP/1.1",
        "Host: edge",
        "Connection: close",
        f"Content-Length: {len(body)}",
        f"Detector-Product: {options.product}",
        *(f"Detector-Subject: {quoted(subject)}" for subject in subjects),
    ]
    line = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    try:
        line.settimeout(options.timeout)
        line.connect(options.socket)
        line.sendall("\r\n".join([*head, "", ""]).encode("ascii") + body)
        answer = b""
        while chunk := line.recv(MOST_ANSWER):
            answer += chunk
            if len(answer) > MOST_ANSWER:
                raise GateError("answer of the service is too long")
    finally:
        line.close()
    return parsed(answer)


def parsed(answer: bytes) -> tuple[int, bytes, bytes]:
    """Return what an answer says; GateError if it is not whole."""
    head, ends, body = answer.partition(b"\r\n\r\n")
    first, *lines = head.split(b"\r\n")
    told = {name.strip().lower(): value.strip() for name, _, value in (line.partition(b":") for line in lines)}
    status, out = told.get(b"detector-status", b""), told.get(b"detector-out", b"")
    is_whole = ends and first.split(b" ")[1:2] == [b"200"] and told.get(b"content-length") == b"%d" % len(body)
    if not is_whole or status not in {b"0", b"2"} or not out.isdigit() or int(out) > len(body):
        raise GateError(f"answer of the service is none: {first[:60].decode('ascii', 'replace')!r}")
    return int(status), body[: int(out)], body[int(out) :]


def bound_by_copy(path: str, subjects: Iterable[str], now: float) -> str:
    """Return which of the subjects the kept copy binds, empty if none; GateError if there is no whole copy."""
    import json

    with open(path, encoding="utf-8") as file:  # noqa: PTH123 - pathlib takes 5 ms to import
        if os.fstat(file.fileno()).st_size > MOST_COPY:
            raise GateError("kept copy is too long")
        head, *lines = file.read().splitlines()
    header = json.loads(head)
    if header["schema"] != "detector.edge.copy/1" or header["count"] != len(lines):
        raise GateError("kept copy is not whole")
    wanted, bound = set(subjects), ""
    for line in lines:
        one = json.loads(line)
        if one["subject"] in wanted and one["begins_at"] <= now and (one["ends_at"] is None or now < one["ends_at"]):
            bound = str(one["subject"])
    return bound


def without_service(options: Options, subjects: Iterable[str], why: str) -> tuple[int, bytes, bytes]:
    """Return the answer when nobody could be asked."""
    if options.fail == "static":
        import time

        bound = bound_by_copy(options.copy, subjects, time.time())
        if not bound:
            return 0, b"", b""
        why = "contained by the last policy that was read"
    return DENIED, b"", f"Denied: {why}. Ask whoever runs `detector edge`.\n".encode()


def user_name() -> str:
    """Return the user of the operating system; the environment is not asked."""
    import pwd

    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())


def answer_of(words: list[str]) -> tuple[int, bytes, bytes]:
    """Return the hook's answer: status, standard output, standard error."""
    options = options_of(words)
    _signal.signal(_signal.SIGALRM, _too_late)
    _signal.setitimer(_signal.ITIMER_REAL, options.timeout)
    subjects = subjects_of(options, user_name(), os.environ)
    try:
        body, is_cut = read_input(0)
        return ask(options, subjects, b"" if is_cut else body)
    except (OSError, GateError) as error:
        _signal.setitimer(_signal.ITIMER_REAL, max(options.timeout, 1.0))  # for the copy, which may be long
        why = f"the policy service does not answer ({type(error).__name__}: {str(error)[:200]})"
        return without_service(options, subjects, why)


def _too_late(*_: object) -> None:
    raise TimeoutError("no answer in time")


def main() -> int:
    """Write the answer and return the exit status; anything unforeseen denies."""
    words = sys.argv[1:]
    if words in (["--help"], ["-h"]):
        sys.stdout.write(HELP)
        return 0
    try:
        status, out, said = answer_of(words)
        _signal.setitimer(_signal.ITIMER_REAL, 0.0)
        sys.stdout.buffer.write(out)
        sys.stdout.flush()
        sys.stderr.buffer.write(said)
    except BaseException as error:  # noqa: BLE001 - whatever it is, an agent must not go on because of it
        sys.stderr.write(f"Denied: the gate failed ({type(error).__name__}: {str(error)[:200]}).\n")
        return DENIED
    return status


if __name__ == "__main__":
    sys.exit(main())
