"""The simulation is worth what it finds: each fault planted here must be found within a few hundred worlds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from streams.demo import dynamics_applier, marketo_applier
from streams.demo.dynamics import SimulatedDynamics
from streams.demo.marketo import SimulatedMarketo
from streams.demo.record import HeldRecord
from streams.intake import Resolved
from streams.sync.messages import ApplyResult, PersonChange
from tests.simulation import processor
from tests.simulation.profiles import PROFILES
from tests.simulation.running import failure

SEEDS_MAX = 300

Plant = Callable[[pytest.MonkeyPatch], None]


def unconditional_writes(patch: pytest.MonkeyPatch) -> None:
    """Dynamics' writes cover edits that nobody has read."""
    patch.setattr(dynamics_applier, "_holds_what_is_expected", lambda held, command: True)


def authority_swapped(patch: pytest.MonkeyPatch) -> None:
    """The core lets the wrong system win."""
    fold = processor.step
    swapped = {"lead": "dynamics", "contact": "marketo"}
    patch.setattr(
        processor,
        "step",
        lambda state, change, policy: fold(state, change, msgspec.structs.replace(policy, authority=swapped)),
    )


def unread_entries(patch: pytest.MonkeyPatch) -> None:
    """Marketo's feed loses what happens between two reads."""
    publish = SimulatedMarketo._publish

    def lossy(self: SimulatedMarketo, held: HeldRecord, kind: str, **more: Any) -> None:
        if kind != "updated" or self.random.random() > 0.05:
            publish(self, held, kind, **more)

    patch.setattr(SimulatedMarketo, "_publish", lossy)


def rows_without_revision(patch: pytest.MonkeyPatch) -> None:
    """Intake forgets the revision that a row shows, and takes our own landing for the next edit."""
    resolve = processor.resolve_change

    def forgetful(*arguments: Any) -> Resolved:
        resolved = resolve(*arguments)
        changes = tuple(_without_revision(change) for change in resolved.changes)
        return Resolved(changes, resolved.person_key)

    patch.setattr(processor, "resolve_change", forgetful)


def _without_revision(change: PersonChange) -> PersonChange:
    return msgspec.structs.replace(change, revision=None, who=None) if change.system == "dynamics" else change


def creates_without_a_key(patch: pytest.MonkeyPatch) -> None:
    """A repeated create makes a second Marketo person."""

    def careless(marketo: SimulatedMarketo, command: Any, now: float, late: bool) -> ApplyResult:
        return marketo_applier._make(marketo, command, now)

    patch.setattr(marketo_applier, "_BY_OPERATION", {**marketo_applier._BY_OPERATION, "create": careless})


def deletions_unread(patch: pytest.MonkeyPatch) -> None:
    """A create that is repeated after a deletion makes the record again."""
    create = SimulatedDynamics.delete

    def forgetful(self: SimulatedDynamics, record_id: str, who: str, now: float) -> None:
        create(self, record_id, who, now)
        self.gone.pop(record_id)

    patch.setattr(SimulatedDynamics, "delete", forgetful)


PLANTED: dict[str, tuple[Plant, str]] = {
    "unconditional writes": (unconditional_writes, "edits"),
    "authority swapped": (authority_swapped, "edits"),
    "feed entries lost": (unread_entries, "edits"),
    "revisions not seen": (rows_without_revision, "edits"),
    "creates without a key": (creates_without_a_key, "creations"),
    "deletions not read": (deletions_unread, "life"),
}


@pytest.mark.parametrize("name", list(PLANTED))
def test_a_planted_fault_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some world goes wrong when this rule is left out."""
    plant, profile = PLANTED[name]
    plant(monkeypatch)
    assert any(failure(PROFILES[profile], seed) for seed in range(SEEDS_MAX)), (
        f"no world of {SEEDS_MAX} noticed: {name}"
    )
