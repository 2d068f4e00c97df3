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
# out: how sessions score, what is usual for an agent, and what an alert says.
#
# If `DETECTOR_DATA` names the folder of recorded streams, one of those is used; otherwise a simulated fleet
# stands in.

# %%
import altair as alt
import pandas as pd

from detector.offline.core import Core
from detector.offline.scored import score_stream
from detector.offline.study import events_of, gaps_of, open_stream, sessions_of
from detector.profile.load import load_profile

alt.renderers.enable("png")  # drawn here, without a browser or a network
pd.set_option("display.max_colwidth", None)

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
core = Core(profile, seed=0, trusted_until=stream.live_start)
scored = score_stream(core, stream.lines)
rows = sessions_of(stream, scored)
sessions = pd.DataFrame(rows)
sessions["kind"] = sessions.is_attack.map({True: "attack", False: "harmless"})
now = sessions[sessions.is_live].copy()

assert sessions.score.notna().mean() > 0.99, "a session without a score should be rare"
print(f"{len(core.refusals)} refused; {len(now):,} live sessions, {now.is_attack.sum()} of them attacks")

# %% [markdown]
# ## How sessions score
# The score of a session is its strangest event's evidence. Harmless sessions pile up on the left; the tail is
# what a budget is spent on. There is no point where the two part cleanly, which is why the detector promises a
# *share* and not a truth.

# %%
shown = pd.concat([part.sample(min(len(part), 1_500), random_state=0) for _, part in now.groupby("kind")])
alt.Chart(shown[["score", "kind"]]).mark_bar(opacity=0.7).encode(
    alt.X("score:Q", bin=alt.Bin(maxbins=40), title="session score"),
    alt.Y("count()", stack=None, scale=alt.Scale(type="symlog"), title="sessions"),
    alt.Color("kind:N", title=None),
).properties(width=560, height=220, title="Live sessions by score")

# %%
typical = now.groupby("kind").score.median()
assert typical["attack"] > typical["harmless"], "attacks should score above harmless sessions"
now.groupby("kind").score.describe()[["count", "25%", "50%", "75%", "max"]].round(2)

# %% [markdown]
# ## One agent's baseline
# Take the agent behind the strongest alert on a real attack, and look at what it did before: which tools, which
# targets, how far apart.

# %%
bad_sessions = set(now[now.is_attack].session_id)
on_attacks = [alert for alert in core.alerts if alert.session_id in bad_sessions]
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
alt.Chart(top).mark_bar().encode(alt.X("calls:Q"), alt.Y("tool:N", sort="-x", title=None)).properties(
    width=420, height=240, title=f"What {alert.agent_id} usually calls"
)

# %%
gaps = pd.DataFrame({"seconds": [max(gap, 0.01) for gap in gaps_of(before.to_dict("records"))]})
alt.Chart(gaps.sample(min(len(gaps), 4_000), random_state=0)).mark_bar().encode(
    alt.X("seconds:Q", bin=alt.Bin(maxbins=40), title="seconds to the next event"),
    alt.Y("count()", scale=alt.Scale(type="symlog"), title="events"),
).properties(width=420, height=200, title="Its pace")

# %% [markdown]
# ## The alert, explained
# A score is no reason. An alert lists what added to it: the channel, what was observed, what would have been
# usual, who says so (the agent's own history, its peers, the fleet, a model) and on how many observations.

# %%
print(f"{alert.title}\nscore {alert.score:.2f}, threshold {alert.threshold:.2f}, risk {alert.risk}, {alert.severity}")
print(alert.normal_if)
assert alert.contributions, "an alert without a reason is no alert"
why = pd.DataFrame([one.model_dump() for one in alert.contributions])
why[["channel", "value", "observed", "expected", "voice", "n"]]

# %%
alt.Chart(why).mark_bar().encode(
    alt.X("value:Q", title="added to the score"),
    alt.Y("channel:N", sort="-x", title=None),
    alt.Color("voice:N", title="who says so"),
    tooltip=["observed", "expected", "n"],
).properties(width=420, height=180, title="Why")

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
attacks.groupby("attack_type").is_alerted.agg(found="sum", of="count", share="mean").round(2)
