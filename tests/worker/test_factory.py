"""Pipelines as a worker makes them: profile, seed, trust and the key of the hashes."""

from __future__ import annotations

import pytest
from pydantic import SecretStr
from structlog.testing import capture_logs

from detector.offline.replay import Replay, ReplaySettings
from detector.pipeline import Pipeline
from detector.profile.model import Profile
from detector.schema.record import Record
from detector.sketches.hashing import digest_of, hash_key
from detector.worker.checkpoint import Manifest, Remembered
from detector.worker.factory import ProfilePipelines
from detector.worker.settings import WorkerSettings
from detector.worker.standing import owner_of
from tests.streams import Script, ordinary, quick

PROFILE = quick()
VALUES = ordinary(Script(), 4)


def pipelines(secret: str | None) -> ProfilePipelines:
    """Return the pipelines of a worker with this DETECTOR_STATE_KEY."""
    return ProfilePipelines(PROFILE, WorkerSettings(state_key=SecretStr(secret) if secret else None))


def learned(factory: ProfilePipelines) -> Remembered:
    """Return what a worker's state topic holds after some sessions."""
    pipeline = factory.new()
    pipeline.process([Record(value) for value in VALUES])
    return Remembered(Manifest(1, len(VALUES), {}, factory.fingerprint), pipeline.snapshot(full=True))


@pytest.mark.parametrize("secret", [None, "a secret of the group"])
def test_a_worker_and_a_replay_with_its_secret_hash_alike(secret: str | None) -> None:
    """Byte for byte: what `detector journal` and `detector replay` explain rests on it."""
    run = Replay(PROFILE, ReplaySettings(secret=secret))
    run.feed(VALUES)
    (replayed,) = run._pipelines
    assert isinstance(replayed, Pipeline)
    assert digest_of(replayed.state.settings.keyed.key) == digest_of(hash_key(secret))
    assert replayed.snapshot(full=True) == learned(pipelines(secret)).shards


def test_a_profile_with_classes_is_another_and_one_without_is_what_it_was() -> None:
    """A budget for some agents changes what alerts; the length of a window that nobody opened changes nothing."""

    def fingerprint(**changes: object) -> str:
        return ProfilePipelines(
            Profile.model_validate({**PROFILE.model_dump(), **changes}), WorkerSettings()
        ).fingerprint

    learning = {**PROFILE.learning.model_dump(), "expected_s": 0.0}
    crown = {"name": "crown", "match": {"criticality": ["critical"]}}
    assert fingerprint() == fingerprint(classes=[]) == fingerprint(learning=learning)
    assert fingerprint() != fingerprint(classes=[crown]) != fingerprint(classes=[{**crown, "alerts": 0.15}])


def test_a_partition_learned_under_another_key_starts_cold_and_says_what_to_do() -> None:
    """Also where the envelope would open, as in a copy of the state made by hand; under its own key it goes on."""
    held = learned(pipelines("old"))
    owner, is_cold = owner_of(0, held, pipelines("old"))
    assert (is_cold, owner.pipeline.gauges()["agents"]) == (False, 3.0)
    with capture_logs() as said:
        owner, is_cold = owner_of(0, held, pipelines("new"))
    assert (is_cold, owner.pipeline.gauges()["agents"]) == (True, 0.0)
    assert "another DETECTOR_STATE_KEY; set that one again" in said[0]["why"]
