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
# # A tour: one stream, one agent, one alert
#
# This notebook replays a labelled stream through the same pipeline that the worker runs, and looks at what comes
# out: how strange sessions are, what is usual for an agent, and what an alert says.
#
# If `DETECTOR_DATA` names the folder of recorded streams, one of those is used; otherwise a simulated fleet
# stands in.

# %%
import math

import altair as alt
import pandas as pd

from detector.offline.palette import ATTACK, HARMLESS, THRESHOLD, VOICES, theme
from detector.offline.scored import score_stream
from detector.offline.study import events_of, gaps_of, open_stream, sessions_of
from detector.offline.watched import WatchedCore
from detector.profile.load import load_profile
from detector.sinks.words import how_rare

alt.renderers.enable("png", ppi=144)  # drawn here, without a browser or a network
alt.theme.register("detector", enable=True)(theme)
pd.set_option("display.max_colwidth", None)
COUNTS = [0, 1, 3, 10, 30, 100, 300, 1_000]

stream = open_stream("agentdyn")
profile = load_profile("default/v1")
live = pd.Timestamp(stream.live_start, unit="s", tz="UTC")
print(
    f"{stream.name}: {len(stream.lines):,} events, {len(stream.sessions):,} labelled sessions, live from {live:%d %B}"
)

# %% [markdown]
# ## Score it
# Each event is scored before anything is learned from it. Until `live_start` the stream is trusted: everything is
# learned and nothing alerts. After it the gate decides what a session may teach. Labels are joined only now,
# after scoring.

# %%
core = WatchedCore(profile, seed=0, trusted_until=stream.live_start)
scored = score_stream(core, stream.lines)
rows = sessions_of(stream, scored)
sessions = pd.DataFrame(rows)
sessions["kind"] = sessions.is_attack.map({True: "attack", False: "harmless"})
now = sessions[sessions.is_live].copy()

assert sessions.evidence.notna().mean() > 0.99, "a session without evidence should be rare"
print(f"{len(core.refusals)} refused; {len(now):,} live sessions, {now.is_attack.sum()} of them attacks")

# %% [markdown]
# ## How strange sessions are
# The evidence of a session is that of its strangest act, in decades: 2 is what one channel adds where one in a hundred
# goes as far. Harmless sessions pile up on the left; the tail is what a budget is spent on. There is no point where the
# two part cleanly, which is why the detector promises a *share* and not a truth.
#
# What is judged is not evidence but how rare so much of it is among recent sessions: that is the *score*, -log10 of a
# share of sessions, and the *threshold* is the score from which a session alerts. It stays where the promise is, while
# the evidence that has this score follows the stream: the dashed lines are the least and the most that it came to in
# the live part.

# %%
lines = pd.DataFrame([row for row in core.course if row["at"] >= live]).dropna()
ends = pd.DataFrame({"evidence": [lines.threshold_evidence.min(), lines.threshold_evidence.max()]})
promised = lines.threshold.iloc[-1]
width = max(now.evidence.max() / 40, 1e-9)  # counted here: a stream may hold more sessions than a chart takes rows
binned = (
    now.assign(left=(now.evidence // width) * width).groupby(["kind", "left"]).size().rename("sessions").reset_index()
)
binned["right"] = binned.left + width
x = alt.Scale(domain=[0, float(binned.right.max())], nice=False)


def panel(kind, colour):
    part = binned[binned.kind == kind]
    bars = (
        alt.Chart(part)
        .mark_bar(color=colour)
        .encode(
            alt.X(
                "left:Q",
                scale=x,
                axis=alt.Axis(tickCount=10),
                title="evidence of the session (decades)" if kind == "harmless" else None,
            ),
            alt.X2("right:Q"),
            alt.Y(
                "sessions:Q",
                scale=alt.Scale(type="symlog"),
                axis=alt.Axis(values=COUNTS),
                title="sessions (log)",
            ),
            alt.Y2(datum=0),
        )
    )
    rules = (
        alt.Chart(ends)
        .mark_rule(color=THRESHOLD, strokeDash=[5, 4], strokeWidth=1.5)
        .encode(x=alt.X("evidence:Q", scale=x))
    )
    return (bars + rules).properties(width=560, height=120, title=f"{part.sessions.sum():,} live sessions: {kind}")


alt.vconcat(panel("attack", ATTACK), panel("harmless", HARMLESS)).properties(
    title=alt.Title(
        "How strange sessions are",
        subtitle=f"dashed: evidence that the threshold, a score of {promised:.2f} (1 in {10**promised:,.0f}), came to: "
        f"{ends.evidence.min():.1f} to {ends.evidence.max():.1f}",
    )
)

# %%
typical = now.groupby("kind").evidence.median()
assert typical["attack"] > typical["harmless"], "attacks should be stranger than harmless sessions"
now.groupby("kind").evidence.describe()[["count", "25%", "50%", "75%", "max"]].round(2)

# %% [markdown]
# ## One agent's baseline
# Take the agent behind the strongest alert on a real attack, and look at what it did before: which tools, which
# targets, how far apart.

# %%
bad_sessions = set(now[now.is_attack].session_id)
# what only a rule found has no score
on_attacks = [one for one in core.alerts if one.session_id in bad_sessions and one.score is not None]
assert on_attacks, "the stream should hold an attack that is alerted"
alert = max(on_attacks, key=lambda one: one.score)

history = pd.DataFrame(events_of(stream, alert.agent_id))
before = history[history.ts < live]
print(
    f"{alert.agent_id} ({alert.agent_type}): {before.session_id.nunique()} sessions, {len(before)} events before live"
)

# %%
calls = before[before.kind.isin(["tool_call", "data_access", "message", "network"])]
top = calls.name.value_counts().head(12).rename_axis("tool").reset_index(name="calls")
alt.Chart(top).mark_bar(height=13).encode(
    alt.X("calls:Q", scale=alt.Scale(type="symlog"), title="calls (log)", axis=alt.Axis(values=COUNTS)),
    alt.Y("tool:N", sort="-x", title=None),
).properties(width=420, height=20 * len(top), title=f"What {alert.agent_id} usually calls")

# %%
powers = pd.Series([max(gap, 0.01) for gap in gaps_of(before.to_dict("records"))]).map(
    lambda gap: round(5 * math.log10(gap))
)
pace = powers.value_counts().rename_axis("power").reset_index(name="events")
pace["left"], pace["right"] = 10 ** ((pace.power - 0.5) / 5), 10 ** ((pace.power + 0.5) / 5)
names = {0.01: "10 ms", 0.1: "100 ms", 1: "1 s", 10: "10 s", 60: "1 min", 600: "10 min", 3600: "1 h", 36000: "10 h"}
spans = alt.Axis(
    values=list(names), labelExpr="".join(f"datum.value == {k} ? '{v}' : " for k, v in names.items()) + "''"
)
alt.Chart(pace).mark_bar().encode(
    alt.X("left:Q", scale=alt.Scale(type="log", nice=False), axis=spans, title="time to the next event (log)"),
    alt.X2("right:Q"),
    alt.Y("events:Q", scale=alt.Scale(type="symlog"), axis=alt.Axis(values=COUNTS), title="events (log)"),
    alt.Y2(datum=0),
).properties(width=420, height=200, title="Its pace")

# %% [markdown]
# ## The alert, explained
# A score is no reason. An alert lists what added to it: the channel, what was observed, what would have been
# usual, who says so (the agent's own history, its peers, the fleet, a model) and on how many observations.

# %%
print(f"{alert.title}\nscore {alert.score:.2f}, threshold {alert.threshold:.2f}, risk {alert.risk}, {alert.severity}")
print(how_rare(alert))
print(alert.normal_if)
assert alert.contributions, "an alert without a reason is no alert"
why = pd.DataFrame([one.model_dump() for one in alert.contributions])
why[["channel", "value", "observed", "expected", "voice", "n"]]

# %%
present = [voice for voice in VOICES if voice in set(why.voice)]
alt.Chart(why).mark_bar(height=18).encode(
    alt.X("value:Q", title="added to the evidence (decades)", axis=alt.Axis(tickCount=5)),
    alt.Y("channel:N", sort="-x", title=None),
    alt.Color("voice:N", title=None, scale=alt.Scale(domain=present, range=[VOICES[one] for one in present])),
).properties(
    width=420, height=34 * len(why), title=alt.Title("Why", subtitle="colour: who says what would have been usual")
)

# %% [markdown]
# Each piece of evidence names the record it stands in, so that an analyst can read the very bytes. In a replay,
# offsets count lines; on Kafka they are Kafka's.

# %%
pd.DataFrame([one.model_dump() for one in alert.evidence])[
    ["partition", "offset", "event_id", "kind", "name", "target", "outcome"]
]

# %% [markdown]
# ## What it cost
# The budget is a share of closed sessions. This is what was promised and what was spent on harmless live
# sessions, and how many attacks that bought. Attacks that were not found are part of the result.

# %%
harmless, attacks = now[~now.is_attack], now[now.is_attack]
print(f"promised {profile.budget.alerts:.1%} of sessions, spent {now.is_alerted.mean():.1%} in all")
print(f"{harmless.is_alerted.sum()} of {len(harmless):,} harmless sessions alerted")
print(f"{attacks.is_alerted.sum()} of {len(attacks):,} attacks alerted")
by_kind = attacks.groupby("attack_type").is_alerted.agg(found="sum", of="count", share="mean").reset_index()
by_kind.round(2)

# %%
by_kind["name"] = by_kind.attack_type + " (" + by_kind.found.astype(str) + " of " + by_kind.of.astype(str) + ")"
alt.Chart(by_kind).mark_bar(color=ATTACK, height=14).encode(
    alt.X("share:Q", scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(format="%", tickCount=5), title="attacks found"),
    alt.Y("name:N", sort=alt.EncodingSortField("share", order="descending"), title=None, axis=alt.Axis(labelLimit=360)),
).properties(width=360, height=22 * len(by_kind), title="Found, by kind of attack")
