"""What an alert says to a person: never rarer than what is known, and commands that do only what they say."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.schema.alert import Alert, ContainedNote, EarlierSession
from detector.sinks.ocsf import render
from detector.sinks.words import how_rare, in_a_sentence, next_steps, one_in, seen_and_expected, shell_word

MakeAlert = Callable[..., Alert]
NASTY = "a'; rm -rf ~ #\x1b[201~\n$(id)`id`\u202e\\"


ON = "; alerts from 1 in 100 on"
RARER = ", held to be rarer by its peers or by how far it lies out"


@pytest.mark.parametrize(
    ("score", "recent", "stranger", "words"),
    [
        (2.0, 240, 2, "about 1 in 100 is as strange, 2 of 240 recent sessions" + ON),
        (3.1, 240, 0, "the strangest of 240 recent sessions" + ON),
        (3.1, 240, 2, "about 1 in 120 is as strange, 2 of 240 recent sessions" + RARER + ON),
        (3.1, 2_000, 1, "about 1 in 1,259 is as strange, 1 of 2,000 recent sessions" + ON),
        (3.1, 2_000, None, "about 1 in 1,259 of 2,000 recent sessions is as strange" + ON),
        (3.1, 240, None, "about 1 in 241 of 240 recent sessions is as strange" + ON),
        (35.0, 60, 0, "the strangest of 60 recent sessions" + ON),
        (3.1, 0, None, "stranger than usual, on how many sessions that rests is not told" + ON),
        (None, 240, None, "found by a rule, whatever is usual"),
    ],
)
def test_no_rarity_is_claimed_beyond_the_sessions_that_are_known(
    make_alert: MakeAlert, score: float | None, recent: int, stranger: int | None, words: str
) -> None:
    """The tail carries a score on; the words stop at what was seen."""
    assert how_rare(make_alert(score=score, recent_sessions=recent, recent_as_strange=stranger)) == words


def test_a_session_is_the_strangest_only_where_none_was_as_strange(make_alert: MakeAlert) -> None:
    """Where a few lie far out, the tail makes a session rarer than its rank: it is not called the strangest."""
    assert "strangest" not in how_rare(make_alert(score=3.5, recent_sessions=1_000, recent_as_strange=2))
    assert "strangest" in how_rare(make_alert(score=2.1, recent_sessions=1_000, recent_as_strange=0))


@pytest.mark.parametrize(("basis", "why"), [("confirmed", "its cause was confirmed"), ("indicator", "a value of a")])
def test_an_alert_below_the_threshold_says_why_it_is_told(make_alert: MakeAlert, basis: str, why: str) -> None:
    """What a person said lets a session alert that is not rare enough: nobody has to wonder at the numbers."""
    words = how_rare(make_alert(score=1.0, basis=basis, recent_as_strange=20))
    assert words.startswith("about 1 in 10 is as strange, 20 of 240 recent sessions; below the threshold of 1 in 100")
    assert why in words


@given(st.floats(-5.0, 300.0), st.integers(1, 100_000), st.integers(0, 5))
def test_the_numbers_in_the_words_are_at_most_the_sessions_and_one(
    make_alert: MakeAlert, score: float, sessions: int, stranger: int
) -> None:
    """Whatever the score; the threshold is a promise, and stands behind them."""
    alert = make_alert(score=score, recent_sessions=sessions, recent_as_strange=min(stranger, sessions))
    words = how_rare(alert).partition(";")[0].replace(",", "")
    assert all(int(word) <= sessions + 1 for word in words.split() if word.isdigit())
    assert 1 <= (one_in(alert) or 0) <= sessions + 1


def test_a_message_says_what_how_sure_and_why(make_alert: MakeAlert) -> None:
    """One line: it is what a list of alerts shows."""
    assert in_a_sentence(make_alert(score=3.1, recent_as_strange=0)) == (
        "Unusual session (agent agent-1, risk 80): the strangest of 240 recent sessions; alerts from 1 in 100 on; "
        "send_money to iban-9; usual: one of 3 known targets (its own history, n = 40)"
    )
    folded = {"folded": 3, "incident_sessions": 2, "incident_uid": "f" * 32}
    words = seen_and_expected(make_alert(score=3.1, recent_as_strange=0, **folded))
    assert words.startswith(
        "The strangest of 240 recent sessions; alerts from 1 in 100 on; "
        "judged on 40 sessions of its own and 60 of its peers; "
    )
    assert words.endswith(f"session 2 of incident {'f' * 32}; 3 more causes are not listed")


def test_a_fold_names_its_newest_sessions_and_counts_the_others(make_alert: MakeAlert) -> None:
    """Where to look, in the order to look."""
    earlier = tuple(
        EarlierSession(finding_uid=f"{k}" * 32, agent_id=f"a-{k}", session_id=f"s-{k}" if k else None) for k in (1, 0)
    )
    told = {"incident_uid": "f" * 32, "incident_earlier": earlier}
    words = seen_and_expected(make_alert(**told, incident_sessions=5))
    assert words.endswith(f"session 5 of incident {'f' * 32}, after s-1 of a-1, without id of a-0 and 2 more")
    assert seen_and_expected(make_alert(**told, incident_sessions=3)).endswith(", without id of a-0")


def test_a_finding_of_the_first_days_says_so(make_alert: MakeAlert) -> None:
    """Medium at most, and why."""
    assert "; learning: too early to tell" in seen_and_expected(make_alert(learning=True))
    assert "learning" not in seen_and_expected(make_alert())


def test_an_alert_of_a_contained_agent_says_so_and_how_to_lift_it(make_alert: MakeAlert) -> None:
    """Until when, and whether anybody obeys: of an agent that is not contained the step only says what if."""
    note = ContainedNote(tier="isolate", command_id="c-1", since=1_000.0, until=15_400.0, acknowledged_by="edge-7")
    contained = make_alert(contained=note)
    assert seen_and_expected(contained).endswith(
        "; already contained: isolate since 1970-01-01T00:16:40Z, until 1970-01-01T04:16:40Z, obeyed by edge-7"
    )
    assert next_steps(contained)[-1].startswith("it is contained (isolate), to lift it: detector release ")
    assert next_steps(make_alert())[-1].startswith("if it is contained, to lift it: detector release ")
    held = make_alert(contained=note.model_copy(update={"until": None, "acknowledged_by": "", "since": 1e18}))
    words = "isolate since 1000000000000000000 s, until a person lifts it, nobody has acknowledged it"
    assert seen_and_expected(held).endswith(words)


def test_a_message_of_nasty_names_is_one_printable_line(make_alert: MakeAlert) -> None:
    """A list of messages is read in a terminal too."""
    line = in_a_sentence(make_alert(agent=NASTY * 100, title=NASTY * 100))
    assert line.isprintable()
    assert len(line) < 7_000


def test_what_to_do_names_the_runbook_the_three_verdicts_and_the_release(make_alert: MakeAlert) -> None:
    """Each command stands whole at the end of its line."""
    alert = make_alert()
    runbook, *verdicts, lift = next_steps(alert)
    assert runbook == "read models/profiles/default/v1/runbook.md"
    uid = alert.finding_uid
    assert [line.partition(": ")[2] for line in verdicts] == [
        f"detector verdict {uid} {kind} --by NAME --reason TEXT" for kind in ("confirm", "dismiss", "safe")
    ]
    assert lift.endswith(": detector release --by NAME --reason TEXT --tenant=acme -- agent-1")
    assert render(alert)["remediation"]["desc"].splitlines()[1:] == next_steps(alert)
    assert render(alert)["remediation"]["references"] == ["models/profiles/default/v1/runbook.md"]


def test_nobodys_finding_and_a_rules_are_not_released(make_alert: MakeAlert) -> None:
    """A storm is not one agent's; a rule contains nobody."""
    assert next_steps(make_alert(agent="*", detection="sensor.storm")) == ["read docs/alerts.md"]
    assert not [line for line in next_steps(make_alert(score=None)) if "release" in line]


def test_an_agent_that_calls_itself_nobody_is_somebody(make_alert: MakeAlert) -> None:
    """Its finding is told like any other, with the commands that answer it: the name is its own choice."""
    alert = make_alert(agent="*", score=3.1, recent_as_strange=0)
    assert how_rare(alert).startswith("the strangest of 240 recent sessions")
    assert next_steps(alert)[-1].endswith("-- '*'")


@pytest.mark.parametrize("agent", ["*", "planner"])
def test_what_several_agents_made_together_is_looked_at_and_not_answered(
    make_alert: Callable[..., Alert], agent: str
) -> None:
    """No partition knows such a finding: a verdict on it would be kept nowhere."""
    alert = make_alert(agent=agent, detection="response.cascade")
    uid = alert.finding_uid
    drawn = f"see who called whom: detector graph {uid} --out {uid[:8]}.svg"
    assert next_steps(alert) == ["read docs/graph.md", drawn]


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1))
def test_an_id_is_one_word_of_the_command(make_alert: MakeAlert, agent: str) -> None:
    """Quotes, dollars, spaces, dashes: the command's last word is the agent, before it nothing but ours."""
    if agent == "*":
        return
    command = next_steps(make_alert(agent=agent))[-1].partition(": ")[2]
    assert shlex.split(command)[:2] == ["detector", "release"]
    assert shlex.split(command)[-2:] == ["--", agent]


@given(st.text())
def test_a_word_is_printable_ascii_or_there_is_none(text: str) -> None:
    """No escape that a terminal obeys while it is pasted; what no command line can hold gets no command."""
    word = shell_word(text)
    if word is None:
        assert "\0" in text or not text.isprintable()
    else:
        assert word.isascii()
        assert word.isprintable()


def test_an_id_that_no_command_line_can_hold_gets_no_command(make_alert: MakeAlert) -> None:
    """A shell would cut it at the zero and release another agent."""
    assert "detector release" not in next_steps(make_alert(agent="agent-1\0x"))[-1]


@pytest.mark.integration
@pytest.mark.parametrize("text", [NASTY, "é\u202eß", "\x01'\\x41", "-rf", "!!", "a\tb"])
def test_a_shell_reads_back_the_very_id(text: str) -> None:
    """The real one."""
    word = shell_word(text)
    told = subprocess.run(["bash", "-c", f"printf %s {word}"], capture_output=True, check=True)
    assert told.stdout.decode() == text
