# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # One incident: from the alert to a verdict to the next decision
#
# An alert is a question to a person, and the answer changes what alerts next. This notebook takes one alert of a
# labelled stream, reads it as somebody would at three in the morning, gives each possible verdict to a copy of the
# detector's state, and lets the same thing happen again. Whatever differs then is the verdict's doing.
#
# Verdicts go in where they do on Kafka: as records of `agent.feedback`, the pipeline's second input. What each of them
# promises stands in `docs/verdicts.md`; here it is watched. The stream is one of `DETECTOR_DATA`, or a simulated fleet.

# %%
from datetime import UTC, datetime

import altair as alt
import pandas as pd
from IPython.display import Image
from vl_convert import svg_to_png

from detector.offline import drawing
from detector.offline.core import Core
from detector.offline.course import difference
from detector.offline.fork import command_line, stop_at
from detector.offline.neighbourhood import neighbourhood
from detector.offline.palette import ATTACK, HARMLESS, KINDS, QUIET, THRESHOLD, VOICES, theme
from detector.offline.recurrence import Recurrence
from detector.offline.replay import Replay, ReplaySettings
from detector.offline.scored import score_stream
from detector.offline.study import events_of, open_stream
from detector.profile.load import load_profile
from detector.simulate.fleet import DAY_S, MONDAY, Fleet, Injection
from detector.sinks.ocsf import render
from detector.sinks.words import how_rare

alt.renderers.enable("png", ppi=144)  # drawn here, without a browser or a network
alt.theme.register("detector", enable=True)(theme)
pd.set_option("display.max_colwidth", None)

stream = open_stream("agentdyn")
profile = load_profile("default/v1")
print(f"{stream.name}: {len(stream.lines):,} events, {len(stream.sessions):,} labelled sessions")

# %% [markdown]
# ## An alert
# Run the stream once, and take the strongest alert on a session that really was an attack. Then run it again, and stop
# where that session was over: what was known there, and no more, is what a person has.

# %%
core = Core(profile, trusted_until=stream.live_start)
scored = score_stream(core, stream.lines)
attacks = {name for name, label in stream.sessions.items() if label.is_attack}
on_attacks = [one for one in core.alerts if one.activity == "create" and one.score and one.session_id in attacks]
assert on_attacks, "the stream should hold an attack that is alerted"
chosen = max(on_attacks, key=lambda one: one.score)

stopped = stop_at(stream, profile, chosen.session_id)
alert, now = stopped.alert, datetime.fromtimestamp(stopped.at, UTC)
print(f"{alert.title}\nfinding {alert.finding_uid}, {alert.severity}, risk {alert.risk}")
print(f"score {alert.score:.2f}, threshold {alert.threshold:.2f}: {how_rare(alert)}")
print(f"stopped after {stopped.lines:,} events, at {now:%d %B %H:%M} UTC")

# %% [markdown]
# The score is -log10 of the share of recent sessions at least as strange: 2 is one in a hundred. The threshold in the
# alert, the gauge of that name, the scores of the profile's response and all pictures from *The next decision* on have
# that scale.
#
# ## What happened
# The session act by act, in order. A bar is the evidence of its act in decades, before it is held against other
# sessions; acts that the alert names are vermilion; of several of one cause it names the strongest. The dashed line is
# the evidence that had the threshold's score when this session was over.

# %%
evidence = dict(zip(scored.events, scored.scores.tolist()))
named = {one.event_id for one in alert.evidence}
acts = pd.DataFrame([one for one in events_of(stream, alert.agent_id) if one["session_id"] == alert.session_id])
acts["evidence"] = acts.event_id.map(evidence)
acts = acts[~acts.kind.isin(["llm_call", "lifecycle"])].reset_index(drop=True)
acts["act"] = acts.ts.dt.strftime("%H:%M:%S  ") + acts.name + ("  " + acts.target).fillna("")
acts["of"] = acts.event_id.isin(named).map({True: "named in the alert", False: "not named"})
gauges = stopped.branch().gauges
line = pd.DataFrame({"from": [gauges["threshold_evidence"]]})

bars = (
    alt.Chart(acts[["act", "evidence", "of"]])
    .mark_bar(height=13)
    .encode(
        alt.X("evidence:Q", title="evidence of the act (decades)"),
        alt.Y("act:N", sort=list(acts.act), title=None, axis=alt.Axis(labelLimit=420)),
        alt.Color(
            "of:N", scale=alt.Scale(domain=["named in the alert", "not named"], range=[ATTACK, QUIET]), title=None
        ),
    )
)
level = alt.Chart(line).mark_rule(strokeDash=[5, 4], color=THRESHOLD, strokeWidth=1.5).encode(x="from:Q")
(bars + level).properties(
    width=400,
    height=20 * acts.act.nunique(),
    title=alt.Title(
        f"Session {alert.session_id} of {alert.agent_id}",
        subtitle=f"dashed: evidence {gauges['threshold_evidence']:.2f}, which had the threshold's score of "
        f"{gauges['threshold']:.2f} (1 in {10 ** gauges['threshold']:,.0f})",
    ),
)

# %% [markdown]
# ## Why
# What each channel added to the evidence, what was seen, what would have been usual, and who says so on how many
# observations.

# %%
print(alert.normal_if)
why = pd.DataFrame([one.model_dump() for one in alert.contributions])
why[["channel", "value", "observed", "expected", "voice", "n"]].round(2)

# %%
present = [voice for voice in VOICES if voice in set(why.voice)]
alt.Chart(why).mark_bar(height=18).encode(
    alt.X("value:Q", title="added to the evidence (decades)", axis=alt.Axis(tickCount=5)),
    alt.Y("channel:N", sort="-x", title=None),
    alt.Color("voice:N", title=None, scale=alt.Scale(domain=present, range=[VOICES[one] for one in present])),
).properties(
    width=400, height=34 * len(why), title=alt.Title("Why", subtitle="colour: who says what would have been usual")
)

# %% [markdown]
# ## What to search for, and what to do
# The same record as it stands on `agent.alerts`, as an OCSF finding: observables for the other tools of the house, and
# next steps with their commands. The last act first, with what of its arguments is shown.

# %%
finding = render(alert)
print(finding["remediation"]["desc"])
pd.DataFrame(finding["observables"])[["type", "name", "value"]]

# %%
strongest = alert.evidence[0]
pd.DataFrame(
    [{"field": "act", "value": f"{strongest.kind} {strongest.name} {strongest.target or ''}"}]
    + [{"field": name, "value": f"{value:,.0f}"} for name, value in strongest.sizes.items()]
    + [{"field": name, "value": value} for name, value in strongest.about.items()]
    + [{"field": f"argument {one.name}", "value": one.value} for one in strongest.arguments]
)

# %% [markdown]
# ## A verdict
# Five things can be said of it, and one taken back. Each is given to a copy of the same state: `confirm` (an attack),
# `dismiss` (it happened, and is harmless), `safe` (normal, learn it), `disable` (not to be told of for a time), and
# `dismiss` taken back by `undo`. *Nobody* is the copy that hears nothing.
#
# What changes at once: the record of the finding goes out again with the verdict on it, containment may be lifted or
# made firm, and the account of false alarms moves. The threshold is the score from which a session alerts for its
# rarity alone. The first verdict that a partition hears opens its account, with a reserve; the only one taken back
# closes it, and so do thirty alerts in a row that nobody answers.

# %%
HOUR = 3_600.0
truth = "nobody asked the agent for that"
ends = stopped.at + 6.5 * HOUR
said = {
    "nobody": [],
    "confirm": [stopped.verdict("confirm", truth)],
    "dismiss": [stopped.verdict("dismiss", "a one-off, agreed with its owner")],
    "safe": [stopped.verdict("safe", "a new job of its")],
    "disable": [stopped.verdict("disable", "test of a new tool", until=ends)],
    "dismiss, undo": [stopped.verdict("dismiss", "a one-off"), stopped.verdict("undo", "it was not")],
}


def contained(branch):
    state = branch.standing(alert)
    if state is None or state.state == "released":
        return "nobody"
    firm = f", confirmed by {state.confirmed_by}" if state.confirmed_by else ""
    return f"{state.tier} ({state.mode}){firm}"


at_once = []
for name, verdicts in said.items():
    branch = stopped.branch(verdicts)
    at_once.append(
        {
            "verdict": name,
            "told again as": ", ".join(one.verdict.verdict for one in branch.answers) or "-",
            "contained": contained(branch),
            "threshold": branch.threshold,
            "balance": branch.gauges["balance"],
            "false share": branch.gauges["false_share"],
            "evidence that has it": branch.gauges["threshold_evidence"],
        }
    )
pd.DataFrame(at_once).set_index("verdict").round(3)

# %% [markdown]
# ## The next decision
# An hour later the same session happens again, to the byte but for its ids and times. It is put to each copy in three
# hands: the agent's own, a peer's, and those of an agent of another kind. (In other hands the agent's name is replaced,
# in its credential too: it is the act that happens again, and not a theft of names.)

# %%
again = Recurrence(stream.lines[: stopped.lines], alert.session_id)
hands = {"the agent": again.agent_id}
hands |= {"a peer": again.peers[0]} if again.peers else {}
hands |= {"another kind": again.others[0]} if again.others else {}
for_group = stopped.verdict("disable", "test of a new tool", until=ends, scope="group")
names = ["nobody", "confirm", "dismiss", "safe", "disable", "disable for the group", "dismiss, undo"]
every = {name: {**said, "disable for the group": [for_group]}[name] for name in names}
heard = []
for name, verdicts in every.items():
    for whose, agent_id in hands.items():
        one = stopped.branch(verdicts).hear(again.at(stopped.at + HOUR, 1, agent_id))
        heard.append({"verdict": name, "in the hands of": whose, **one._asdict()})
heard = pd.DataFrame(heard)
heard["decision"] = heard.is_told.map({True: "alert", False: "quiet"})
heard[["verdict", "in the hands of", "decision", "basis", "score", "threshold", "evidence", "incident_sessions"]].round(
    2
)

# %%
cells = alt.Chart(heard[["verdict", "in the hands of", "decision", "score", "basis"]]).encode(
    alt.X("in the hands of:N", sort=list(hands), title=None, axis=alt.Axis(orient="top", labelAngle=0, grid=False)),
    alt.Y("verdict:N", sort=list(every), title=None),
)
boxes = cells.mark_rect(stroke="white", strokeWidth=3).encode(
    alt.Color("decision:N", scale=alt.Scale(domain=["alert", "quiet"], range=[ATTACK, QUIET]), title=None)
)
texts = (
    cells.transform_calculate(
        text="format(datum.score, '.1f') + (datum.basis && datum.basis != 'score' ? ' by ' + datum.basis : '')"
    )
    .mark_text(fontSize=12)
    .encode(text="text:N", color=alt.condition("datum.decision == 'alert'", alt.value("white"), alt.value("black")))
)
(boxes + texts).properties(
    width=150 * len(hands), height=30 * len(every), title=alt.Title("The same session once more: decision and score")
)

# %% [markdown]
# ## If it goes on
# An attack that nobody stops happens again. Here the agent repeats the session every hour for two days. Where nobody
# answers, what happens every hour is in the end no longer rare, and falls below the threshold. A confirmed cause alerts
# below it too, by its cause or by a value that only the attack used. A dismissed cause is quiet, but its 4th, 8th,
# 16th ... session is shown all the same, so that a wrong verdict cannot hide an attack for ever; a safe one also
# scores lower, because its values were taught; a disabled one is back when its time is over.

# %%
TIMES = 48
course = []
for name, verdicts in said.items():
    branch = stopped.branch(verdicts)
    for number in range(1, TIMES + 1):
        one = branch.hear(again.at(stopped.at + number * HOUR, number))
        course.append({"verdict": name, "hour": number, **one._asdict()})
course = pd.DataFrame(course)
course["decision"] = course.is_told.map({True: "alert", False: "quiet"})
counted = course.groupby("verdict", sort=False).agg(
    alerts=("is_told", "sum"),
    first_score=("score", "first"),
    last_score=("score", "last"),
    by_basis=("basis", lambda one: dict(one.dropna().value_counts())),
)
counted.round(2)

# %%
headings = {name: f"{name}: {count} of {TIMES} alert" for name, count in counted.alerts.items()}
picture = course[["hour", "score", "threshold", "decision"]].assign(heading=course.verdict.map(headings))
base_of = alt.Chart(picture).encode(
    alt.X("hour:Q", title="hours after the verdict", scale=alt.Scale(domain=[0, TIMES + 1], nice=False))
)
stairs = base_of.mark_line(color=THRESHOLD, strokeDash=[5, 4], strokeWidth=1.5, interpolate="step").encode(
    alt.Y("threshold:Q", title="score (-log10 of a share)")
)
spots = base_of.mark_point(size=34, opacity=1).encode(
    alt.Y("score:Q", title="score (-log10 of a share)"),
    alt.Color("decision:N", scale=alt.Scale(domain=["alert", "quiet"], range=[ATTACK, QUIET]), title=None),
)
(stairs + spots).properties(width=205, height=165).facet(
    facet=alt.Facet("heading:N", sort=list(headings.values()), title=None), columns=3
).properties(
    title=alt.Title(
        f"The same session {TIMES} times, an hour apart, after each verdict",
        subtitle="dashed: the threshold, the score from which a session alerts for its rarity",
    )
)

# %% [markdown]
# What was promised, held against what was seen.

# %%
told = {name: list(part.is_told) for name, part in course.groupby("verdict", sort=False)}
assert told["dismiss"][:4] == [False, False, False, True], "a dismissed cause is quiet, and its 4th session is shown"
assert not any(told["disable"][:6]), "a disabled cause is not told before its time is over"
assert told["disable"][6] == told["nobody"][6], "and decided on as ever from then on"
assert sum(told["confirm"]) >= sum(told["nobody"]), "a confirmed cause alerts no less than one nobody spoke of"
first = course[course.hour == 1].set_index("verdict")
assert first.evidence["safe"] < first.evidence["nobody"], "what is safe was taught, and is less strange"
assert first.evidence["dismiss"] == first.evidence["nobody"], "what was dismissed was not"
assert told["dismiss, undo"][:8] == told["nobody"][:8], "what was taken back decides nothing"

# %% [markdown]
# ## What changed elsewhere, and what did not
# A verdict must not reach further than it says. So let each copy read on in the stream, the same events for all, and
# compare it with the copy that heard nothing: how many events score otherwise and by how much at most, which sessions
# do not alert any more (*hidden*), and which only now do (*added*). Labels say which of them were attacks.
#
# Scores are the business of learning, and of the verdicts only `safe` and `confirm` touch that, for the values of this
# one finding. What alerts may change further: by the cause, which others share, and by the threshold, as above.

# %%
rest = stream.lines[stopped.lines : stopped.lines + 12_000]
courses = {name: stopped.branch(verdicts).go_on(rest) for name, verdicts in said.items()}


def of_kind(names):
    bad = sum(name in attacks for name in names)
    return f"{len(names)} ({bad} attacks)" if names else "0"


elsewhere = []
for name, one in courses.items():
    gap = difference(courses["nobody"], one)
    elsewhere.append(
        {
            "verdict": name,
            "events": gap.events,
            "scored otherwise": gap.rescored,
            "by at most": gap.largest,
            "alerted": of_kind(tuple(one.alerted)),
            "hidden": of_kind(gap.hidden),
            "added": of_kind(gap.added),
        }
    )
pd.DataFrame(elsewhere).set_index("verdict").round(3)

# %%
alerted = pd.DataFrame(
    [
        {"verdict": name, "label": "attack" if session in attacks else "harmless", "session": session}
        for name, one in courses.items()
        for session in one.alerted
    ]
)
alt.Chart(alerted).mark_bar(height=16).encode(
    alt.X("count()", title="sessions that alerted", axis=alt.Axis(tickMinStep=1)),
    alt.Y("verdict:N", sort=list(said), scale=alt.Scale(domain=list(said)), title=None),
    alt.Color("label:N", scale=alt.Scale(**KINDS), title=None),
).properties(width=400, height=28 * len(said), title=f"The next {len(rest):,} events of the stream, after each verdict")

# %%
untouched = difference(courses["nobody"], courses["dismiss"])
assert untouched.rescored <= 0.01 * untouched.events, "a dismissal teaches nothing: next to no event scores otherwise"

# %% [markdown]
# ## Who called whom around it
# Some incidents are of several agents. In a made-up fleet one agent uses another one's credential; the picture is what
# `detector graph FINDING --out x.svg` draws: agents of the finding in the middle, above them who called them, below
# whom they called; first calls are vermilion. `docs/graph.md` says what is found of agents together.

# %%
theft = Injection("credential_misuse", 4, MONDAY + 3.5 * DAY_S)
fleet = Fleet(30, 3, days=4.0, sessions_per_day=6.0, injections=(theft,))
out = Replay(profile, ReplaySettings(trusted_until=MONDAY + 3 * DAY_S)).feed([one.value for one in fleet.stream()])
shared = next(one for one in out.alerts if one.detection == "response.credential_shared")
print(f"{shared.title}: {shared.contributions[0].observed}")
around = neighbourhood([*out.tidings, *out.alerts], shared.finding_uid)
Image(svg_to_png(drawing.picture(around), scale=2), width=700)

# %% [markdown]
# ## The same on Kafka
# Three commands: see it, say it, see what came of it. The ids are those of this run; names and reasons are yours. The
# verdict is a record on `agent.feedback`, and the worker that holds the agent gives it a place in the input, so that
# recovery and `detector replay --controls --journal` decide the same.

# %%
print(f"detector alerts --incident {alert.incident_uid or alert.finding_uid}")
for name, verdicts in every.items():
    for verdict in verdicts:
        print(command_line(verdict))
print(f"detector alerts --incident {alert.incident_uid or alert.finding_uid} --json")
