"""What the recorded session files say, read in their lines and written down by hand: one line an event, by time.

Columns: kind, name, target, outcome, tokens in, tokens out, and the end of the event's id (``#`` is a digest, where the
file has no id of the call). ``-`` is absent, ``_`` in a target a blank, ``~`` in front of one its end.
"""

from __future__ import annotations

from typing import Final, NamedTuple

_CLAUDE = """
lifecycle user_prompt        -                         ok     -    -  497cffc1-7b30-4d76-b572-009628cb14a2
llm_call  api_request        -                         ok     2050 40 req_mock_2
tool_call Bash               ls_-la                    ok     -    -  toolu_mock0002
llm_call  api_request        -                         ok     2150 41 req_mock_3
tool_call Bash               cat_./missing.txt         error  -    -  toolu_mock0003
llm_call  api_request        -                         ok     2250 42 req_mock_5
tool_call Bash               cat_./secret.env          denied -    -  toolu_mock0005
llm_call  api_request        -                         ok     2350 43 req_mock_6
tool_call mcp__crm__lookup   42                        ok     -    -  toolu_mock0006
llm_call  api_request        -                         ok     2450 44 req_mock_7
tool_call mcp__crm__lookup   bad                       error  -    -  toolu_mock0007
llm_call  api_request        -                         ok     2550 45 req_mock_9
tool_call Write              ~dev/claude2/out.txt      denied -    -  toolu_mock0009
llm_call  api_request        -                         ok     2650 46 req_mock_10
tool_call Read               /etc/hostname             ok     -    -  toolu_mock0010
lifecycle assistant_response -                         ok     -    -  response:req_mock_11
llm_call  api_request        -                         ok     2750 47 req_mock_11
"""
_CODEX = """
lifecycle conversation_starts -                                                 ok    -    -  #
lifecycle user_prompt         -                                                 ok    -    -  #
llm_call  sse_event           -                                                 ok    1200 40 #
tool_call exec_command        ls_-la                                            ok    -    -  call_0
llm_call  sse_event           -                                                 ok    1300 41 #
tool_call exec_command        cat_README.md                                     ok    -    -  call_1
llm_call  sse_event           -                                                 ok    1400 42 #
tool_call exec_command        cat_/nope/missing.txt                             error -    -  call_2
llm_call  sse_event           -                                                 ok    1500 43 #
tool_call exec_command        curl_-s_-o_/dev/null_http://127.0.0.1:18081/fetch ok    -    -  call_3
llm_call  sse_event           -                                                 ok    1600 44 #
"""
_GEMINI = """
lifecycle user_prompt       -          ok     -    -  #
llm_call  api_response      -          ok     1200 40 #
tool_call list_directory    .          ok     -    -  #
llm_call  api_response      -          ok     1300 41 #
tool_call mcp_crm_lookup    42         ok     -    -  #
llm_call  api_response      -          ok     1400 42 #
tool_call read_file         secret.env denied -    -  #
llm_call  api_response      -          ok     1500 43 #
tool_call run_shell_command exit_3     error  -    -  #
llm_call  api_response      -          ok     1600 44 #
"""
_COPILOT = """
llm_call  chat -              ok     1200 40 cc_1
tool_call bash ls             ok     -    -  call_0
llm_call  chat -              ok     1300 41 cc_2
tool_call bash cat_secret.env denied -    -  call_1
llm_call  chat -              ok     1400 42 cc_3
"""


class Session(NamedTuple):
    """One recorded file: its program, which is its agent too where nobody says more, its session, its events."""

    file: str
    agent: str
    session: str
    table: str


SESSIONS: Final = (
    Session("claude-code/transcript", "claude-code", "b8d247d1-4ccc-48d4-bbc0-c22036b810de", _CLAUDE),
    Session("codex/rollout", "codex", "01a20e5b-70a9-7b53-b1b4-143c81a83acb", _CODEX),
    Session("gemini-cli/chat", "gemini-cli", "9476cf23-6931-4d9a-bc4f-ca6347d18a57", _GEMINI),
    Session("copilot-cli/session-state", "github-copilot", "a5925193-5880-4a0a-8ac5-8f91875c5dfc", _COPILOT),
)


class Line(NamedTuple):
    """One line of a table."""

    kind: str
    name: str
    target: str | None
    outcome: str
    tokens_in: float | None
    tokens_out: float | None
    key: str


def lines_of(table: str) -> list[Line]:
    """Return the lines of a table."""
    found = []
    for line in table.strip().splitlines():
        kind, name, target, outcome, tokens_in, tokens_out, key = line.split()
        place = None if target == "-" else target.replace("_", " ")
        went_in, came_out = (None if word == "-" else float(word) for word in (tokens_in, tokens_out))
        found.append(Line(kind, name, place, outcome, went_in, came_out, key))
    return found
