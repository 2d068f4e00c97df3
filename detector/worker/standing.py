"""Where a partition goes on after its state was read: what the state says, held against what the topic still has."""

from __future__ import annotations

from typing import NamedTuple

import msgspec
import structlog

from detector.errors import DeliveryError, StateError
from detector.worker.checkpoint import Remembered
from detector.worker.owner import PartitionOwner
from detector.worker.ports import Bounds, PipelineFactory

log = structlog.get_logger("detector.scoring")

REFUSED_S = 45.0
"""A group that refuses a commit after state was read is rebalancing again, or something is wrong; this tells them."""


class Standing(NamedTuple):
    """Where reading goes on, and what is amiss.

    Attributes
    ----------
    offset : int
        Next offset to be read.
    missing : int
        Records between the state and that offset which the topic no longer has.
    is_forgotten : bool
        The group has committed, and yet there is no checkpoint: what was learnt is gone.
    is_beyond : bool
        The state says that it contains records the topic never had.
    ahead : int
        Records that the state says it contains and the group had not committed. A worker commits what is durable before
        it writes the next state, so after a kill this is what came between two checkpoints, and else nothing. A forged
        manifest skips records by this.
    """

    offset: int
    missing: int = 0
    is_forgotten: bool = False
    is_beyond: bool = False
    ahead: int = 0


def owner_of(partition: int, held: Remembered, factory: PipelineFactory) -> tuple[PartitionOwner, bool]:
    """Return the owner of what is remembered, and whether it starts cold although there was something."""
    refusal = held.refusal
    if held.manifest.epoch and refusal is None and held.manifest.fingerprint != factory.fingerprint:
        refusal = (
            f"state of partition {partition} must be learnt with {factory.fingerprint}, "
            f"got {held.manifest.fingerprint}: use another group to keep both"
        )
    if held.shards and refusal is None:
        try:
            return PartitionOwner(partition, factory.restore(held.shards), held.manifest, held.journal), False
        except StateError as exc:
            refusal = str(exc)
    if refusal is not None:
        log.error("partition restarts cold", partition=partition, offset=held.manifest.offset, why=refusal)
    # epochs go on, so that no slot of the refused state can be taken for one of the new
    manifest = msgspec.structs.replace(held.manifest, shards={}, fingerprint=factory.fingerprint)
    if refusal is None:
        return PartitionOwner(partition, factory.new(), manifest, held.journal), False
    # what is declared is no history: the registry's topic still has all of it, and is read again from its beginning
    told = tuple(entry for entry in held.journal if entry.source != "registry")
    owner = PartitionOwner(partition, factory.new(), msgspec.structs.replace(manifest, next_registry=0), told)
    owner.sequence = held.journal[-1].sequence + 1 if held.journal else manifest.sequence
    return owner, True


def refused() -> DeliveryError:
    """Return what is told when the group would not take where the state goes on."""
    return DeliveryError(
        f"group must accept where the state goes on within {REFUSED_S:.0f} s, got a refusal and no rebalance: check "
        "READ on the group and that the broker answers; nothing is lost, start the worker again"
    )


def stand(partition: int, held: Remembered, bounds: Bounds) -> Standing:
    """Return where reading goes on; what is amiss is logged.

    Parameters
    ----------
    partition : int
        Input partition.
    held : Remembered
        What was remembered; epoch 0 if nothing, or nothing that could be read.
    bounds : Bounds
        What the topic has, and what the group committed.
    """
    manifest = held.manifest
    place: dict[str, object] = {"partition": partition, "begin": bounds.begin, "end": bounds.end}
    if not manifest.epoch:
        if not bounds.committed or held.refusal is not None:
            return Standing(manifest.offset)
        log.error("no checkpoint although the group has read: starts cold", committed=bounds.committed, **place)
        return Standing(manifest.offset, is_forgotten=True)
    if manifest.offset > bounds.end:
        log.error("topic ends before the state: was it made anew? memory is kept", state=manifest.offset, **place)
        return Standing(bounds.begin, is_beyond=True)
    ahead = max(0, manifest.offset - (bounds.begin if bounds.committed is None else bounds.committed))
    if ahead:
        log.warning(
            "state is ahead of what the group committed: records are taken as scored on its word",
            records=ahead,
            state=manifest.offset,
            committed=bounds.committed,
            **place,
        )
    if manifest.offset < bounds.begin:
        missing = bounds.begin - manifest.offset
        log.error("records are gone before they were scored", missing=missing, state=manifest.offset, **place)
        return Standing(bounds.begin, missing, ahead=ahead)
    return Standing(manifest.offset, ahead=ahead)
