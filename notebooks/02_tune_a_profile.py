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
# # Tune a profile: budget against recall
#
# A profile states how many alerts you are willing to read. This notebook shows what each budget buys on a
# labelled stream, and writes a new version of the profile with the one you choose. The shipped version is never
# changed: alerts name the profile they came from, and a name must keep its meaning.
#
# One stream is not your fleet. Choose on one, confirm **once** on another you have not looked at.

# %%
import tempfile
from pathlib import Path

import altair as alt
import pandas as pd

from detector.offline.core import Core
from detector.offline.scored import score_stream
from detector.offline.study import open_stream, recall_by_budget, sessions_of
from detector.profile.load import load_profile
from detector.profile.versions import new_version

alt.renderers.enable("png")  # drawn here, without a browser or a network

stream = open_stream("agentdyn_noisy")
base = load_profile("default/v1")
print(f"{stream.name}: {len(stream.lines):,} events; {base.id} promises {base.budget.alerts:.1%} of sessions")

# %% [markdown]
# ## What ranking allows
# Score once, then move a threshold over the live sessions with labels in hand: the best any threshold could do at
# each budget. The diagonal is what chance would find.

# %%
core = Core(base, seed=0, trusted_until=stream.live_start)
rows = sessions_of(stream, score_stream(core, stream.lines))
shares = [0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2]
curve = pd.DataFrame(recall_by_budget(rows, shares))
assert curve.recall.is_monotonic_increasing
assert (curve.recall > curve.budget).all(), "ranking should be better than chance at every budget"
curve.round(3)

# %%
line = (
    alt.Chart(curve)
    .mark_line(point=True)
    .encode(
        alt.X("budget:Q", scale=alt.Scale(type="log"), axis=alt.Axis(format="%"), title="harmless sessions alerted"),
        alt.Y("recall:Q", axis=alt.Axis(format="%"), title="attacks found"),
    )
)
chance = (
    alt.Chart(pd.DataFrame({"budget": shares, "recall": shares}))
    .mark_line(strokeDash=[4, 4], color="grey")
    .encode(x="budget:Q", y="recall:Q")
)
(line + chance).properties(width=480, height=260, title="Budget against recall")

# %% [markdown]
# ## What the detector does without labels
# The live threshold sees no labels: it follows a quantile of recent sessions, attacks among them, and starts on
# thin ground. So run the real thing at several budgets: a new profile version for each, in a folder of its own.

# %%
workshop = Path(tempfile.mkdtemp(prefix="profiles-"))
tried = []
for share in (0.005, 0.01, 0.02, 0.05):
    changes = {"budget.alerts": share, "budget.quarantine": min(base.budget.quarantine, share / 5)}
    profile = new_version("default/v1", changes, target_root=workshop)
    core = Core(profile, seed=0, trusted_until=stream.live_start)
    live = pd.DataFrame(sessions_of(stream, score_stream(core, stream.lines))).query("is_live")
    tried.append(
        {
            "profile": profile.id,
            "promised": share,
            "spent": live.is_alerted.mean(),
            "of harmless": live[~live.is_attack].is_alerted.mean(),
            "recall": live[live.is_attack].is_alerted.mean(),
        }
    )
tried = pd.DataFrame(tried)
tried.round(4)

# %%
points = tried.melt("promised", ["spent", "recall"], "what", "share")
alt.Chart(points).mark_line(point=True).encode(
    alt.X("promised:Q", axis=alt.Axis(format="%"), title="budget promised, share of sessions"),
    alt.Y("share:Q", axis=alt.Axis(format="%"), title=None),
    alt.Color("what:N", title=None),
).properties(width=480, height=240, title="Promised, spent, found")

# %%
assert tried.spent.iloc[-1] >= tried.spent.iloc[0], "a larger budget should not alert fewer sessions"
assert tried.recall.iloc[-1] >= tried.recall.iloc[0], "nor find fewer attacks"

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
