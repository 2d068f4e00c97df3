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
# # Tune a profile: promised, spent, found
#
# A profile states how many alerts you are willing to read. This notebook shows what each budget buys on a
# labelled stream, beside what the same scores would allow to somebody who knew the labels, and writes a new version
# of the profile with the one you choose. The shipped version is never changed: alerts name the profile they came
# from, and a name must keep its meaning.
#
# One stream is not your fleet. Choose on one, confirm **once** on another you have not looked at.

# %%
import tempfile
from pathlib import Path

import altair as alt
import pandas as pd

from detector.offline.analyst import Analyst, Desk
from detector.offline.evaluate import Question, judge_sessions
from detector.offline.labels import truth_of
from detector.offline.metrics import Resampling
from detector.offline.palette import ALLOWED, FOUND, KINDS, SPENT, THRESHOLD, theme
from detector.offline.scored import score_stream, score_with_analyst
from detector.offline.spending import spending_of
from detector.offline.study import open_stream, recall_by_budget, sessions_of
from detector.offline.watched import WatchedCore
from detector.profile.load import load_profile
from detector.profile.versions import new_version

alt.renderers.enable("png", ppi=144)  # drawn here, without a browser or a network
alt.theme.register("detector", enable=True)(theme)

stream = open_stream("agentdyn_noisy")
base = load_profile("default/v1")
print(f"{stream.name}: {len(stream.lines):,} events; {base.id} promises {base.budget.alerts:.1%} of sessions")

# %% [markdown]
# ## Run it at several budgets
# The live threshold sees no labels: it follows a quantile of recent sessions, attacks among them, and starts on thin
# ground. So run the real thing once for each budget: a new profile version each, in a folder of its own. Labels are
# joined after the last event.

# %%
shares = [0.005, 0.01, 0.02, 0.05]
workshop = Path(tempfile.mkdtemp(prefix="profiles-"))
runs, reports, lines = {}, {}, []
for share in shares:
    changes = {"budget.alerts": share, "budget.quarantine": min(base.budget.quarantine, share / 5)}
    profile = base if share == base.budget.alerts else new_version("default/v1", changes, target_root=workshop)
    core = WatchedCore(profile, trusted_until=stream.live_start)
    runs[share] = score_stream(core, stream.lines)
    reports[share] = judge_sessions(runs[share], stream.sessions, Question(share, Resampling(200)))
    lines += [{"budget": f"{share:.1%}", **row} for row in core.course if row["at"].timestamp() > stream.live_start]

bought = pd.DataFrame([spending_of(reports[share])[0] for share in shares])
bought.drop(columns=["level", "part", "by_chance"]).round(4)

# %% [markdown]
# *Promised* is the share of closed sessions that may alert, *spent* the share of harmless sessions that did, *found*
# the share of attacks that did, and *allowed* what one line through the same scores would find that alarms just as
# many harmless sessions: the ceiling at the same price. Each has its 95 % interval: Wilson's for counted shares, a
# bootstrap for the ceiling. Both take sessions for independent, and are too narrow for that.

# %%
assert bought.spent.is_monotonic_increasing, "a larger budget should not alert fewer harmless sessions"
assert bought.found.is_monotonic_increasing, "nor find fewer attacks"
assert (bought.found > bought.spent).all(), "alerts should be better than chance at every budget"

# %% [markdown]
# ## Found against the ceiling
# A vermilion point is what the detector found at the price it really paid, with intervals both ways. The black tick
# above or below it is the ceiling at just that price, of the same run; the grey curve is the ceiling at every price, of
# the run at the shipped budget. From point up to tick: what the threshold lost by having to follow the stream without
# labels. The dashed lines are the promises: a point on its own line spent just what was promised, one to its left less.

# %%
least = 0.5 / bought.harmless.max()  # half a session: the left edge of the log axis stands for none at all
rows = sessions_of(stream, runs[base.budget.alerts])
grid = [10 ** (-0.5 - k * 0.03) for k in range(100) if 10 ** (-0.5 - k * 0.03) >= least]
ceiling = pd.DataFrame(recall_by_budget(rows, grid))
shown = bought.assign(name=[f"{share:.1%}" for share in shares])
for column in ("spent", "spent_low", "spent_high"):
    shown[column] = shown[column].clip(lower=least)


def price(field, title="harmless sessions alerted (log; the left edge is none)"):
    marks = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2]
    return alt.X(
        field,
        scale=alt.Scale(type="log", domain=[least, 0.32], nice=False),
        axis=alt.Axis(format="~%", values=[mark for mark in marks if mark > least]),
        title=title,
    )


def recall(field):
    return alt.Y(field, scale=alt.Scale(domain=[0, 1.0]), axis=alt.Axis(format="%", tickCount=5), title="attacks found")


curve = alt.Chart(ceiling).mark_line(color="#9A9A9A", strokeWidth=2).encode(price("budget:Q"), recall("recall:Q"))
data = alt.Chart(shown)
promise = data.mark_rule(strokeDash=[5, 4], color=THRESHOLD).encode(price("promised:Q"))
promise_text = data.mark_text(angle=270, align="left", dx=4, dy=-8, color=THRESHOLD, fontSize=11).encode(
    price("promised:Q"), alt.Y(datum=0.0), alt.Text("name:N")
)
across = data.mark_rule(color=FOUND).encode(price("spent_low:Q"), recall("found:Q"), alt.X2("spent_high:Q"))
upright = data.mark_rule(color=FOUND).encode(price("spent:Q"), recall("found_low:Q"), y2=alt.Y2("found_high:Q"))
points = data.mark_point(color=FOUND, size=70, opacity=1).encode(price("spent:Q"), recall("found:Q"))
beside = data.encode(price("spent:Q"), recall("found:Q"), alt.Text("name:N"))
place = {"align": "left", "dx": 7, "dy": -10, "fontSize": 12}
names = beside.mark_text(stroke="white", strokeWidth=4, **place) + beside.mark_text(color=FOUND, **place)
ticks = data.mark_tick(color=ALLOWED, thickness=3, size=18, orient="horizontal", opacity=1).encode(
    price("spent:Q"), recall("allowed:Q")
)
(curve + promise + promise_text + across + upright + points + names + ticks).properties(
    width=620,
    height=330,
    title=alt.Title(
        f"Found, at the price that was paid, for {len(shares)} budgets",
        subtitle="point: the detector; tick: what the ranking allows at that price; dashed: what was promised",
    ),
)

# %% [markdown]
# ## Where the threshold stood
# Every live session by the evidence of its strangest act, and for each budget the evidence that had the threshold's
# score: the threshold is a share of sessions, and stays; what is as rare as that follows the stream. Sessions are
# those of the run at the shipped budget. The axis is logarithmic: evidence spans two orders of magnitude.

# %%
sessions = (
    pd.DataFrame(rows)
    .query("is_live and evidence > 0")
    .assign(label=lambda one: one.is_attack.map({True: "attack", False: "harmless"}))
)
some = pd.concat([part.sample(min(len(part), 1_200), random_state=0) for _, part in sessions.groupby("label")])
some = some.sort_values("label", ascending=False)  # attacks are drawn last, and lie on top
course = pd.DataFrame(lines).dropna()
evidence = alt.Scale(type="log", domain=[max(some.evidence.min(), 0.05), some.evidence.max() * 1.1], nice=False)
dots = (
    alt.Chart(some[["start", "evidence", "label"]])
    .mark_point(size=22, opacity=0.75)
    .encode(
        alt.X("start:T", title=None, axis=alt.Axis(format="%d %b", tickCount={"interval": "day", "step": 1})),
        alt.Y("evidence:Q", scale=evidence, title="evidence of the session (decades, log)"),
        alt.Color("label:N", scale=alt.Scale(**KINDS), title=None),
    )
)
levels = (
    alt.Chart(course)
    .mark_line(color=THRESHOLD, strokeWidth=1.5)
    .encode(x="at:T", y=alt.Y("threshold_evidence:Q", scale=evidence), detail="budget:N")
)
ends = course.sort_values("at").groupby("budget").tail(1).sort_values("threshold_evidence")
apart = (evidence.domain[1] / evidence.domain[0]) ** 0.045  # labels keep a line's height from each other
for above, below in zip(ends.index[1:], ends.index[:-1]):
    ends.loc[above, "threshold_evidence"] = max(ends.threshold_evidence[above], apart * ends.threshold_evidence[below])
ends["name"] = [f"{score:.2f} (1 in {10**score:,.0f})" for score in ends.threshold]
marks = (
    alt.Chart(ends)
    .mark_text(align="left", dx=6, color=THRESHOLD, fontSize=11)
    .encode(x="at:T", y=alt.Y("threshold_evidence:Q", scale=evidence), text="name:N")
)
(dots + levels + marks).properties(
    width=620,
    height=320,
    title=alt.Title(
        "Live sessions, and what the threshold of each budget came to",
        subtitle=f"{len(some):,} of {len(sessions):,} with evidence, {some.is_attack.sum()} of them attacks; "
        "at each line its threshold, a score",
    ),
)

# %% [markdown]
# ## Who pays
# A promise to a fleet can be kept by one kind of agent and broken by another. So look at peer groups, and at the
# worst agent: not the one with the highest rate, which is always one with few sessions, but the one whose alarms are
# least likely by chance. `by_chance` is how likely it is that *some* agent comes out like that if every one of them
# kept the promise: near 1, nothing can be said against it.

# %%
parts = pd.DataFrame(spending_of(reports[base.budget.alerts]))
parts.round(4)

# %%
kind = parts.level.map({"all": "", "peer group": "", "worst agent": "worst agent: "})
parts["name"] = kind + parts.part + " (" + parts.harmless.astype(str) + ", " + parts.attacks.astype(str) + ")"
for column in ("spent", "spent_low", "spent_high"):
    parts[column] = parts[column].clip(lower=least)
high = 30 * len(parts)


def who(*, named):
    axis = alt.Axis(grid=True, labels=named, ticks=named, labelLimit=320)
    return alt.Y("name:N", scale=alt.Scale(domain=list(parts.name)), title=None, axis=axis)


def share_found(field):
    return alt.X(field, scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(format="%", tickCount=3), title="attacks found")


def cost(field):
    return price(field, "harmless sessions alerted (log)").axis(format="~%", values=[0.001, 0.01, 0.1])


spent_of, found_of = alt.Chart(parts), alt.Chart(parts[parts.attacks > 0])
left = (
    alt.Chart(parts.head(1)).mark_rule(strokeDash=[5, 4], color=THRESHOLD).encode(cost("promised:Q"))
    + spent_of.mark_rule(color=SPENT, strokeWidth=2).encode(
        cost("spent_low:Q"), who(named=True), alt.X2("spent_high:Q")
    )
    + spent_of.mark_point(color=SPENT, size=80, opacity=1).encode(cost("spent:Q"), who(named=True))
).properties(width=270, height=high, title=alt.Title("Spent", subtitle="dashed: promised"))
right = (
    found_of.mark_rule(color=FOUND, strokeWidth=2).encode(
        share_found("found_low:Q"), who(named=False), alt.X2("found_high:Q")
    )
    + found_of.mark_point(color=FOUND, size=80, opacity=1).encode(share_found("found:Q"), who(named=False))
    + found_of.mark_tick(color=ALLOWED, thickness=3, size=18, opacity=1).encode(
        share_found("allowed:Q"), who(named=False)
    )
).properties(width=230, height=high, title=alt.Title("Found", subtitle="tick: allowed at the same price"))
alt.hconcat(left, right, spacing=30).resolve_scale(y="independent").properties(
    title=alt.Title("Who pays, and what for (harmless, attacks)", offset=12)
)

# %% [markdown]
# ## If somebody answers
# The same budget, and an analyst who answers 60 % of the incidents, 5 % of them wrongly, 50 sessions late, through the
# controls as on Kafka. Verdicts move the threshold, and know causes that the score does not: found may pass the
# ceiling.

# %%
desk = Desk(Analyst(answered=0.6, wrong=0.05, delay=50), truth_of(stream.sessions))
core = WatchedCore(base, trusted_until=stream.live_start)
answered = score_with_analyst(core, stream.lines, desk)
told = judge_sessions(answered, stream.sessions, Question(base.budget.alerts, Resampling(200)))
both = pd.DataFrame([spending_of(one)[0] for one in (reports[base.budget.alerts], told)], index=["nobody", "60 %"])
print(
    {name: value for name, value in desk.facts().items() if name in ("incidents", "confirm", "dismiss", "unanswered")}
)
both[["promised", "spent", "spent_low", "spent_high", "found", "found_low", "found_high", "allowed"]].round(4)

# %% [markdown]
# ## Write the version you chose
# The new version is *experimental*: it may not command anyone. To promote it, give it cases and a runbook, raise
# its status, lock it with `detector profile lock`, and let somebody review it like code. Point `target_root` at
# your own models folder; here it goes into a temporary one.

# %%
chosen = new_version(
    "default/v1",
    {"budget.alerts": 0.02, "budget.quarantine": 0.002, "profile.description": "Two alerts in a hundred sessions."},
    target_root=workshop,
)
again = load_profile(chosen.id, workshop)
assert again.budget.alerts == 0.02
assert again.profile.status == "experimental"
print(f"wrote {chosen.id}; run it with: detector worker --profile {chosen.id}  and DETECTOR_MODELS set to its folder")
