"""What the recorded samples say, read in the records and written down by hand: one line an event.

Columns: number of the record, agent, session, kind, name, target, outcome, tokens in, tokens out, cost in dollars.
``-`` is absent, ``~`` in front of a session is its beginning. Records that are not here are no events.
"""

from __future__ import annotations

from typing import Final, NamedTuple

CLAUDE_1 = "claude-code/a0c6f948ce010eef4ba8c89403eee7b5feacca9406ddc9898f1d22e3ba7ed61e"
CLAUDE_2 = "claude-code/7f151c9c01f681ff3a94b93d859993d616db0960f28de14ca4ee4b483dae5afd"
GEMINI = "gemini-cli/24959998-53db-4f8b-b20a-6280ddd98b2d"

_CLAUDE_1 = """
 0 AGENT ~7fedbf11 lifecycle user_prompt        - ok     -    -  -
 2 AGENT ~7fedbf11 llm_call  api_request        - ok     2050 40 0.0077125
 3 AGENT ~7fedbf11 tool_call Bash               - ok     -    -  -
 5 AGENT ~7fedbf11 llm_call  api_request        - ok     2150 41 0.0082375
 6 AGENT ~7fedbf11 tool_call Read               - ok     -    -  -
 7 AGENT ~7fedbf11 llm_call  api_request        - ok     2250 42 0.0087625
 8 AGENT ~7fedbf11 llm_call  api_request        - ok     2350 43 0.009287499999999999
 9 AGENT ~7fedbf11 tool_call Bash               - denied -    -  -
10 AGENT ~7fedbf11 llm_call  api_request        - ok     2450 44 0.0098125
11 AGENT ~7fedbf11 llm_call  api_request        - ok     2550 45 0.010337499999999998
12 AGENT ~7fedbf11 lifecycle assistant_response - ok     -    -  -
"""
_CLAUDE_2 = """
 1 AGENT ~b8d247d1 lifecycle hook_registered       PreToolUse         ok     - - -
 2 AGENT ~b8d247d1 lifecycle hook_registered       PostToolUse        ok     - - -
 3 AGENT ~b8d247d1 lifecycle hook_registered       PostToolUseFailure ok     - - -
 4 AGENT ~b8d247d1 lifecycle hook_registered       SessionStart       ok     - - -
 6 AGENT ~b8d247d1 lifecycle mcp_server_connection crm                ok     - - -
 7 AGENT ~b8d247d1 lifecycle user_prompt           -                  ok     - - -
 9 AGENT ~b8d247d1 llm_call  api_request           -                  ok     2050 40 0.0077125
12 AGENT ~b8d247d1 tool_call Bash                  ls_-la             ok     - - -
16 AGENT ~b8d247d1 llm_call  api_request           -                  ok     2150 41 0.0082375
19 AGENT ~b8d247d1 tool_call Bash                  cat_./missing.txt  error  - - -
23 AGENT ~b8d247d1 llm_call  api_request           -                  ok     2250 42 0.0087625
25 AGENT ~b8d247d1 tool_call Bash                  cat_./secret.env   denied - - -
27 AGENT ~b8d247d1 llm_call  api_request           -                  ok     2350 43 0.009287499999999999
30 AGENT ~b8d247d1 tool_call mcp__crm__lookup      42                 ok     - - -
34 AGENT ~b8d247d1 llm_call  api_request           -                  ok     2450 44 0.0098125
37 AGENT ~b8d247d1 tool_call mcp__crm__lookup      bad                error  - - -
40 AGENT ~b8d247d1 llm_call  api_request           -                  ok     2550 45 0.010337499999999998
44 AGENT ~b8d247d1 llm_call  api_request           -                  ok     2650 46 0.010862499999999999
47 AGENT ~b8d247d1 tool_call Read                  /etc/hostname      ok     - - -
50 AGENT ~b8d247d1 llm_call  api_request           -                  ok     2750 47 0.0113875
51 AGENT ~b8d247d1 lifecycle assistant_response    -                  ok     - - -
52 AGENT ~b8d247d1 lifecycle mcp_server_connection crm                ok     - - -
"""
_CLAUDE_SPANS = """
 0 AGENT ~b8d247d1 llm_call  llm_request      -                         ok     2050 40 -
 3 AGENT ~b8d247d1 tool_call Bash             ls_-la                    ok     - - -
 4 AGENT ~b8d247d1 llm_call  llm_request      -                         ok     2150 41 -
 7 AGENT ~b8d247d1 tool_call Bash             cat_./missing.txt         error  - - -
 8 AGENT ~b8d247d1 llm_call  llm_request      -                         ok     2250 42 -
10 AGENT ~b8d247d1 tool_call Bash             cat_./secret.env          denied - - -
11 AGENT ~b8d247d1 llm_call  llm_request      -                         ok     2350 43 -
14 AGENT ~b8d247d1 tool_call mcp__crm__lookup -                         ok     - - -
15 AGENT ~b8d247d1 llm_call  llm_request      -                         ok     2450 44 -
18 AGENT ~b8d247d1 tool_call mcp__crm__lookup -                         error  - - -
19 AGENT ~b8d247d1 llm_call  llm_request      -                         ok     2550 45 -
21 AGENT ~b8d247d1 tool_call Write            ~dev/claude2/out.txt      denied - - -
22 AGENT ~b8d247d1 llm_call  llm_request      -                         ok     2650 46 -
25 AGENT ~b8d247d1 tool_call Read             /etc/hostname             ok     - - -
26 AGENT ~b8d247d1 llm_call  llm_request      -                         ok     2750 47 -
27 AGENT ~b8d247d1 lifecycle interaction      -                         ok     - - -
"""
_CODEX_1 = """
 0 AGENT ~01a20e5b lifecycle conversation_starts -                     ok    - - -
 1 AGENT ~01a20e5b lifecycle startup_phase       -                     ok    - - -
 2 AGENT ~01a20e5b lifecycle startup_phase       -                     ok    - - -
 3 AGENT ~01a20e5b lifecycle user_prompt         -                     ok    - - -
 8 AGENT ~01a20e5b lifecycle turn_ttft           -                     ok    - - -
 9 AGENT ~01a20e5b llm_call  sse_event           -                     ok    1200 40 -
11 AGENT ~01a20e5b tool_call exec_command        ls_-la                ok    - - -
16 AGENT ~01a20e5b llm_call  sse_event           -                     ok    1300 41 -
18 AGENT ~01a20e5b tool_call exec_command        cat_README.md         ok    - - -
23 AGENT ~01a20e5b llm_call  sse_event           -                     ok    1400 42 -
25 AGENT ~01a20e5b tool_call exec_command        cat_/nope/missing.txt error - - -
30 AGENT ~01a20e5b llm_call  sse_event           -                     ok    1500 43 -
32 AGENT ~01a20e5b tool_call exec_command        curl_-s_-o_/dev/null_http://127.0.0.1:18081/fetch ok - - -
37 AGENT ~01a20e5b llm_call  sse_event           -                     ok    1600 44 -
"""
_CODEX_2 = """
 0 AGENT ~01a20e5e lifecycle conversation_starts -            ok    - - -
 1 AGENT ~01a20e5e lifecycle startup_phase       -            ok    - - -
 2 AGENT ~01a20e5e lifecycle startup_phase       -            ok    - - -
 3 AGENT ~01a20e5e lifecycle user_prompt         -            ok    - - -
 8 AGENT ~01a20e5e llm_call  sse_event           -            ok    1200 40 -
 9 AGENT ~01a20e5e lifecycle turn_ttft           -            ok    - - -
11 AGENT ~01a20e5e tool_call exec_command        ls           ok    - - -
16 AGENT ~01a20e5e llm_call  sse_event           -            ok    1300 41 -
21 AGENT ~01a20e5e llm_call  sse_event           -            ok    1400 42 -
23 AGENT ~01a20e5e tool_call exec_command        cat_nope.txt error - - -
28 AGENT ~01a20e5e llm_call  sse_event           -            ok    1500 43 -
"""
_GEMINI = """
 0 AGENT ~6f297863 lifecycle config            - ok    - - -
 3 AGENT ~6f297863 lifecycle user_prompt       - ok    - - -
 7 AGENT ~6f297863 llm_call  api_response      - ok    1200 40 -
 9 AGENT ~6f297863 tool_call list_directory    - ok    - - -
12 AGENT ~6f297863 llm_call  api_response      - ok    1300 41 -
15 AGENT ~6f297863 tool_call read_file         - ok    - - -
18 AGENT ~6f297863 llm_call  api_response      - ok    1400 42 -
20 AGENT ~6f297863 tool_call run_shell_command - ok    - - -
23 AGENT ~6f297863 llm_call  api_response      - ok    1500 43 -
25 AGENT ~6f297863 tool_call read_file         - error - - -
28 AGENT ~6f297863 llm_call  api_response      - ok    1600 44 -
"""
_COPILOT = """
 0 AGENT ~5cc0703c tool_call bash         bash      ok    - - -
 1 AGENT ~5cc0703c llm_call  chat         127.0.0.1 ok    1200 40 -
 2 AGENT ~5cc0703c tool_call view         -         ok    - - -
 3 AGENT ~5cc0703c llm_call  chat         127.0.0.1 ok    1300 41 -
 4 AGENT ~5cc0703c tool_call bash         bash      error - - -
 5 AGENT ~5cc0703c llm_call  chat         127.0.0.1 ok    1400 42 -
 6 AGENT ~5cc0703c tool_call web_fetch    -         error - - -
 7 AGENT ~5cc0703c llm_call  chat         127.0.0.1 ok    1500 43 -
 8 AGENT ~5cc0703c llm_call  chat         127.0.0.1 ok    1600 44 -
 9 AGENT ~5cc0703c lifecycle invoke_agent -         ok    - - -
"""
# one scenario by many libraries: a coordinator looks a ticket up, hands on to a researcher who fetches a page; a mailer
# is refused a mail
_ADK = """
 0 coordinator conv-0001 message   transfer_to_agent -     ok     -  - -
 1 coordinator conv-0001 llm_call  generate_content  -     ok     50 9 -
 2 coordinator conv-0001 lifecycle invoke_agent      -     ok     -  - -
 3 researcher  conv-0001 tool_call fetch_url         {url} ok     -  - -
 4 researcher  conv-0001 llm_call  generate_content  -     ok     50 9 -
 5 researcher  conv-0001 llm_call  generate_content  -     ok     50 9 -
 6 researcher  conv-0001 lifecycle invoke_agent      -     ok     -  - -
 8 mailer      conv-0002 tool_call send_email        {to}  denied -  - -
 9 mailer      conv-0002 llm_call  generate_content  -     ok     50 9 -
10 mailer      conv-0002 lifecycle invoke_agent      -     denied -  - -
"""
_ADK_2 = """
 0 coordinator conv-0001 message   transfer_to_agent -     ok     -  - -
 1 coordinator conv-0001 llm_call  generate_content  -     ok     50 9 -
 3 coordinator conv-0001 lifecycle invoke_agent      -     ok     -  - -
 4 researcher  conv-0001 tool_call fetch_url         {url} ok     -  - -
 5 researcher  conv-0001 llm_call  generate_content  -     ok     50 9 -
 7 researcher  conv-0001 llm_call  generate_content  -     ok     50 9 -
 9 researcher  conv-0001 lifecycle invoke_agent      -     ok     -  - -
11 mailer      conv-0002 tool_call send_email        {to}  denied -  - -
12 mailer      conv-0002 llm_call  generate_content  -     ok     50 9 -
14 mailer      conv-0002 lifecycle invoke_agent      -     denied -  - -
"""
_GENAI = """
 0 - {session} tool_call lookup_ticket    {ticket}  ok -  - -
 1 - {session} llm_call  generate_content 127.0.0.1 ok 50 9 -
"""
_LANGCHAIN_OI = """
 0 coordinator conv-0001 llm_call  chat          -        ok     {0} 20 -
 2 coordinator conv-0001 tool_call lookup_ticket {ticket} ok     -   -  -
 4 coordinator conv-0001 llm_call  chat          -        ok     {1} 20 -
 6 researcher  conv-0001 llm_call  chat          -        ok     {2} 20 -
 8 researcher  conv-0001 tool_call fetch_url     {url}    ok     -   -  -
10 researcher  conv-0001 llm_call  chat          -        ok     {3} 20 -
13 coordinator conv-0001 tool_call delegate      -        ok     -   -  -
15 coordinator conv-0001 llm_call  chat          -        ok     {4} 20 -
18 mailer      conv-0001 llm_call  chat          -        ok     {5} 20 -
20 mailer      conv-0001 tool_call send_email    {to}     denied -   -  -
"""
_LANGCHAIN_TRACELOOP = """
 0 researcher  {a}       lifecycle create_agent  -        ok     -   -  -
 1 coordinator {b}       lifecycle create_agent  -        ok     -   -  -
 2 coordinator conv-0001 llm_call  chat          -        ok     {0} 20 -
 4 coordinator conv-0001 tool_call lookup_ticket {ticket} ok     -   -  -
 6 coordinator conv-0001 llm_call  chat          -        ok     {1} 20 -
 8 researcher  conv-0001 llm_call  chat          -        ok     {2} 20 -
10 researcher  conv-0001 tool_call fetch_url     {url}    ok     -   -  -
12 researcher  conv-0001 llm_call  chat          -        ok     {3} 20 -
15 researcher  conv-0001 lifecycle invoke_agent  -        ok     -   -  -
16 coordinator conv-0001 tool_call delegate      -        ok     -   -  -
18 coordinator conv-0001 llm_call  chat          -        ok     {4} 20 -
21 coordinator conv-0001 lifecycle invoke_agent  -        ok     -   -  -
22 mailer      {c}       lifecycle create_agent  -        ok     -   -  -
23 mailer      conv-0001 llm_call  chat          -        ok     {5} 20 -
25 mailer      conv-0001 tool_call send_email    {to}     denied -   -  -
28 mailer      conv-0001 lifecycle invoke_agent  -        denied -   -  -
"""
_MCP = """
 0 coordinator conv-0001 tool_call   server/discover -      ok    - - -
 2 coordinator conv-0001 tool_call   tools/list      -      ok    - - -
 4 coordinator conv-0001 tool_call   lookup_ticket   -      ok    - - -
 6 coordinator conv-0001 tool_call   send_email      -      error - - -
 8 coordinator conv-0001 tool_call   nosuch          -      error - - -
10 coordinator conv-0001 data_access resources/read  -      ok    - - -
12 coordinator conv-0001 data_access resources/read  -      error - - -
14 coordinator conv-0001 data_access prompts/get     triage ok    - - -
16 coordinator conv-0001 lifecycle   invoke_agent    -      ok    - - -
"""
_MCP_1 = """
 2 - ed4ae051512e5fa7e11fa2eb00af4c53 lifecycle initialize    -               ok     - - -
 6 - 6058840533f51dbf0ec110912daf646b tool_call tools/list    -               ok     - - -
 9 - 7e040cbe1d367ab339b01e4b43891968 tool_call lookup_ticket T-1001          ok     - - -
12 - bf171a8d0eecd676b1ceed18fce79cb2 tool_call send_email    ops@example.com denied - - -
"""
_OPENAI_AGENTS = """
 0 coordinator {session} llm_call  chat          api.openai.com ok    {0} 20 -
 1 coordinator {session} tool_call lookup_ticket {ticket}       ok    -   -  -
 3 coordinator {session} llm_call  chat          api.openai.com ok    {1} 20 -
 4 coordinator {session} tool_call send_email    {to}           error -   -  -
 6 coordinator {session} llm_call  chat          api.openai.com ok    {2} 20 -
 7 coordinator {session} message   agent_handoff -              ok    -   -  -
 9 coordinator {session} lifecycle invoke_agent  -              ok    -   -  -
10 researcher  {session} llm_call  chat          api.openai.com ok    {3} 20 -
11 researcher  {session} tool_call fetch_url     {url}          ok    -   -  -
13 researcher  {session} llm_call  chat          api.openai.com ok    {4} 20 -
15 researcher  {session} lifecycle invoke_agent  -              ok    -   -  -
17 -           {session} lifecycle invoke_agent  -              ok    -   -  -
"""
_OPENAI = """
 0 - {session} llm_call chat       - ok    {0} 20 -
 1 - {session} llm_call chat       - ok    {1} 20 -
 2 - {session} llm_call chat       - ok    {2} 20 -
 3 - {session} llm_call chat       - ok    {3} 20 -
 4 - {session} llm_call chat       - error -   -  -
 5 - {session} llm_call embeddings - ok    4   -  -
"""
_PYDANTIC = """
 0 coordinator {a} llm_call  chat          -        ok     53 5  -
 1 coordinator {a} tool_call lookup_ticket {ticket} ok     -  -  -
 2 coordinator {a} llm_call  chat          -        ok     58 14 -
 3 researcher  {a} llm_call  chat          -        ok     55 8  -
 4 researcher  {a} tool_call fetch_url     {url}    ok     -  -  -
 5 researcher  {a} llm_call  chat          -        ok     59 11 -
 6 researcher  {a} lifecycle invoke_agent  -        ok     -  -  -
 7 coordinator {a} tool_call delegate      -        ok     -  -  -
 8 coordinator {a} llm_call  chat          -        ok     61 20 -
 9 coordinator {a} tool_call check_quota   {file}   error  -  -  -
10 coordinator {a} llm_call  chat          -        ok     67 23 -
11 coordinator {a} lifecycle invoke_agent  -        ok     -  -  -
12 mailer      {b} llm_call  chat          -        ok     52 8  -
13 mailer      {b} tool_call send_email    {to}     denied -  -  -
14 mailer      {b} lifecycle invoke_agent  -        denied -  -  -
"""
_SMOLAGENTS = """
 0 coordinator ~04e4a7ff llm_call  chat          -      ok 284 20 -
 1 coordinator ~04e4a7ff tool_call lookup_ticket T-1001 ok -   -  -
 3 coordinator ~04e4a7ff llm_call  chat          -      ok 285 20 -
 4 coordinator ~04e4a7ff tool_call lookup_ticket T-1001 ok -   -  -
 6 coordinator ~04e4a7ff llm_call  chat          -      ok 286 20 -
 7 coordinator ~04e4a7ff tool_call lookup_ticket T-1001 ok -   -  -
 9 coordinator ~04e4a7ff llm_call  chat          -      ok 287 20 -
10 coordinator ~04e4a7ff tool_call lookup_ticket T-1001 ok -   -  -
12 coordinator ~04e4a7ff llm_call  chat          -      ok 288 20 -
13 coordinator ~04e4a7ff lifecycle invoke_agent  -      ok -   -  -
"""
_FULL = {"url": "https://api.example.com/v1/orders", "to": "ops@example.com", "ticket": "T-1001"}
_FULL["file"] = "/data/reports/q3.csv"
_BARE = dict.fromkeys(_FULL, "-")
"""The targets where content was switched off: there are none."""
_EDGE = {"url": "https://api.example.com", "to": "mail:example.com", "ticket": "-"}
"""Coarse targets that an exporter at the edge put there, the content taken out."""

SPANS: Final = {
    "google-adk": _ADK.format(**_BARE),
    "google-adk-content": _ADK.format(**_FULL),
    "google-adk-content2": _ADK_2.format(**_FULL),
    "google-genai": _GENAI.format(session="~8de1e049", **_BARE),
    "google-genai-content": _GENAI.format(session="~de9c3a22", **_FULL),
    "langchain-oi": _LANGCHAIN_OI.format(*range(260, 266), **_FULL),
    "langchain-oi-nocontent": _LANGCHAIN_OI.format(*range(266, 272), **_BARE),
    "langchain-traceloop": _LANGCHAIN_TRACELOOP.format(
        *range(248, 254), a="~ff7cf279", b="~e62f3145", c="~a2ad1fbc", **_FULL
    ),
    "langchain-traceloop-nocontent": _LANGCHAIN_TRACELOOP.format(
        *range(254, 260), a="~9f3eed60", b="~00bb6849", c="~45e243c2", **_BARE
    ),
    "mcp": _MCP,
    "mcp1-traceloop": _MCP_1,
    "openai-agents-contrib": _OPENAI_AGENTS.format(*range(223, 228), session="~334287a9", **_FULL),
    "openai-agents-contrib-nocontent": _OPENAI_AGENTS.format(*range(228, 233), session="~bc6d3ecc", **_BARE),
    "openai-agents-contrib.edge": _OPENAI_AGENTS.format(*range(187, 192), session="~bdc628c9", **_EDGE),
    "openai-v2": _OPENAI.format(*range(209, 213), session="~195b21b4"),
    "openai-v2-latest": _OPENAI.format(*range(216, 220), session="~683d3524"),
    "pydantic-ai": _PYDANTIC.format(a="~01a20694-9768", b="~01a20694-97d1", **_BARE),
    "pydantic-ai-content": _PYDANTIC.format(a="conv-0001", b="~01a20694-a5ee", **_FULL),
    "smolagents-oi": _SMOLAGENTS,
}
"""Stem of a sample of data/otlp -> its events, agents without the service before them; each has two encodings."""

PROGRAMS: Final = {
    "claude-code/otlp/1_default_logs.json": _CLAUDE_1.replace("AGENT", CLAUDE_1),
    "claude-code/otlp/2_details_hooks_mcp_logs.json": _CLAUDE_2.replace("AGENT", CLAUDE_2),
    "claude-code/otlp/2_details_hooks_mcp_traces.json": _CLAUDE_SPANS.replace("AGENT", CLAUDE_2),
    "codex/otlp/1_default_logs.json": _CODEX_1.replace("AGENT", "codex/vm"),
    "codex/otlp/1_default_traces.json": "",
    "codex/otlp/2_hook_deny_logs.json": _CODEX_2.replace("AGENT", "codex/vm"),
    "gemini-cli/otlp/1_prompts_off_logs.json": _GEMINI.replace("AGENT", GEMINI),
    "gemini-cli/otlp/1_prompts_off_traces.json": "",
    "copilot-cli/otlp/1_default_traces.json": _COPILOT.replace("AGENT", "github-copilot"),
}
"""File under data/agent-telemetry -> its events."""


class Line(NamedTuple):
    """One line of a table."""

    record: int
    agent: str | None
    session: str
    kind: str
    name: str
    target: str | None
    outcome: str
    tokens_in: float | None
    tokens_out: float | None
    cost_usd: float | None


def _number(word: str) -> float | None:
    return None if word == "-" else float(word)


def lines_of(table: str) -> list[Line]:
    """Return the lines of a table; ``_`` in a target stands for a blank."""
    found = []
    for line in table.strip().splitlines():
        record, agent, session, kind, name, target, outcome, tokens_in, tokens_out, cost = line.split()
        place = None if target == "-" else target if name == "Write" else target.replace("_", " ")
        found.append(
            Line(
                int(record), None if agent == "-" else agent, session, kind, name, place, outcome,
                _number(tokens_in), _number(tokens_out), _number(cost),
            )
        )  # fmt: skip
    return found
