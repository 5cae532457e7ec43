"""Putting on Kafka what was read: links, rows, what is known of each record, and at the very end where the feeds go on.

All of it goes through the connectors' own journals, a few hundred records in one transaction with what is known of them from
then on. So what is known is the progress: whatever a second start finds there with this bootstrap's version is done.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from schemas.checkpoint import Checkpoint
from schemas.identity import person_key_of
from schemas.vocabulary import DYNAMICS, MARKETO, SYSTEMS, RecordType, System
from streams.connectors.dynamics.columns import ENTITY_SETS
from streams.connectors.dynamics.positions import Position, checkpoint_of
from streams.connectors.journal import Entry, Journal
from streams.connectors.known import KnownRecord
from streams.connectors.marketo.feed import READ_AT
from streams.instances.bootstrapping.marketo_reading import shown_before
from streams.instances.bootstrapping.plan import is_kept_out
from streams.instances.bootstrapping.store import Pair, ReadRecord, Store
from streams.instances.bootstrapping.telling import (
    Told,
    Winner,
    told_of_closed,
    told_of_dynamics,
    told_of_gone,
    told_of_marketo,
)
from streams.sync.policy import Policy

ENTRY_RECORDS_MAX = 500
"""Records of one transaction: it ends within seconds, and a crash costs little."""

VERSION = "marketo.version"
STANDING: Mapping[System, str] = {system: f"{system}.standing" for system in SYSTEMS}


@dataclass(frozen=True)
class Written:
    """How much this run has written, by system."""

    records: Mapping[System, int]
    links: Mapping[System, int]


Standing = Mapping[System, Checkpoint | None]
"""Each system's checkpoint."""


def is_being_written(store: Store) -> bool:
    """Whether an earlier start has begun to write."""
    return store.note(VERSION) is not None


def note_standing(store: Store, standing: Standing) -> None:
    """Where the connectors stood when the reading began. One that stands elsewhere later has run since: it has given higher versions
    and read further, and what it has told would be lost where its place was set back.
    """
    for system in SYSTEMS:
        store.take_note(STANDING[system], _noted(standing[system]))


def has_run_since(store: Store, standing: Standing, system: System) -> bool:
    """Whether the connector of this system stands elsewhere than when the reading began."""
    return store.note(STANDING[system]) != _noted(standing[system])


class Writing:
    """`write` once. `written_so_far(system, records)` is told of progress, records done before counted in.

    `standing`: each system's checkpoint as this start has found it.
    """

    def __init__(
        self,
        store: Store,
        policy: Policy,
        journals: Mapping[System, Journal],
        standing: Standing,
        written_so_far: Callable[[System, int], None] = lambda system, records: None,
        *,
        entry_records_max: int = ENTRY_RECORDS_MAX,
    ) -> None:
        self._store, self._policy, self._journals, self._written_so_far = store, policy, journals, written_so_far
        self._standing, self._entry_records_max = standing, entry_records_max

    async def write(self) -> Written:
        """Write what is not written yet. Raises TakenOver where a connector was started meanwhile, and what Kafka raises."""
        if not is_being_written(self._store):
            self._begin()
        written: dict[System, int] = {}
        links: dict[System, int] = {}
        for system, told in ((MARKETO, self._of_marketo), (DYNAMICS, self._of_dynamics)):
            written[system], links[system] = await self._write(system, told())
        await self._write_gone()
        for system, checkpoint in self._checkpoints().items():
            if not has_run_since(self._store, self._standing, system):
                await self._journals[system].write(Entry(checkpoint=checkpoint))
        return Written(written, links)

    def _begin(self) -> None:
        """Note what is the same for every start from now on: the version of Marketo's rows, one above whatever its streams have
        shown.
        """
        told = max((each.version for each in self._journals[MARKETO].known), default=0)
        checkpoint = self._standing[MARKETO]
        self._store.take_note(VERSION, str(1 + max(told, 0 if checkpoint is None else checkpoint.version)))

    async def _write(self, system: System, each: Iterable[Told | None]) -> tuple[int, int]:
        """None stands for a record that needs nothing."""
        done, written, links, batch = 0, 0, 0, list[Told]()
        for told in each:
            done += 1
            if told is not None:
                batch.append(told)
            if len(batch) == self._entry_records_max:
                await self._put(system, batch)
                batch = []
            written += told is not None
            links += 0 if told is None else sum(each.change.kind == "linked" for each in told.changes)
            if done % self._entry_records_max == 0:
                self._written_so_far(system, done)
        await self._put(system, batch)
        self._written_so_far(system, done)
        return written, links

    async def _put(self, system: System, batch: list[Told]) -> None:
        changes = tuple(change for told in batch for change in told.changes)
        await self._journals[system].write(Entry(changes, records=tuple(told.known for told in batch)))

    async def _write_gone(self) -> None:
        """Known records that are no more: found out by asking for each of them."""
        for system in SYSTEMS:
            journal, gone = self._journals[system], list[Told]()
            for known in filter(None, map(journal.known.get, self._store.gone(system))):
                if known.state == "living":
                    gone.append(told_of_gone(known, self._version()))
            for start in range(0, len(gone), self._entry_records_max):
                await self._put(system, gone[start : start + self._entry_records_max])

    def _of_marketo(self) -> Iterator[Told | None]:
        known, version = self._journals[MARKETO].known, self._version()
        until = datetime.fromisoformat(self._store.note("marketo.until") or "")
        for person in self._store.records(MARKETO):
            held, pair = known.get(person.id), self._store.pair_of(MARKETO, person.id)
            if self._store.aside_of(MARKETO, person.id) is not None or not _is_due(version, held, pair):
                yield None
                continue
            other = None if pair is None else self._store.get(DYNAMICS, pair.dynamics_id).record
            before = shown_before(person.time, until)
            yield told_of_marketo(person, pair, other, version, held, before)

    def _of_dynamics(self) -> Iterator[Told | None]:
        known = self._journals[DYNAMICS].known
        for record in self._store.records(DYNAMICS):
            held, pair = known.get(record.id), self._store.pair_of(DYNAMICS, record.id)
            if self._store.aside_of(DYNAMICS, record.id) is not None or not _is_due(record.version, held, pair):
                yield None
            elif record.state == "living":
                yield self._of_living(record, pair, held)
            else:
                yield self._of_closed(record, held)

    def _of_living(self, record: ReadRecord, pair: Pair | None, held: KnownRecord | None) -> Told:
        other = None if pair is None else self._store.get(MARKETO, pair.marketo_id).record
        return told_of_dynamics(record, pair, other, held, kept_out=is_kept_out(record, self._policy))

    def _of_closed(self, record: ReadRecord, held: KnownRecord | None) -> Told:
        """A contact that was set aside is told by nobody, and so is what it came from."""
        if record.master is not None:
            return told_of_closed(record, held, winner=self._winner(record.master))
        return told_of_closed(record, held, self._store.contacts_of(record.id))

    def _winner(self, record_id: str) -> Winner | None:
        """None where it is gone too: then there is nothing to point to."""
        if not self._store.has(DYNAMICS, record_id):
            return None
        winner, pair = self._store.get(DYNAMICS, record_id), self._store.pair_of(DYNAMICS, record_id)
        person_key = winner.person if pair is None else pair.person_key
        return Winner(winner.record, person_key or person_key_of(DYNAMICS, winner.stream))

    def _version(self) -> int:
        return int(self._store.note(VERSION) or 0)

    def _checkpoints(self) -> dict[System, Checkpoint]:
        note = self._store.note
        token, read_at = note("marketo.token") or "", note("marketo.until") or ""
        marketo = {"changes": token, "ends": token, READ_AT: read_at}
        kinds: tuple[RecordType, RecordType] = ("lead", "contact")
        dynamics: dict[str, Position] = {
            ENTITY_SETS[kind]: Position(note(f"{kind}.delta"), note(f"{kind}.select")) for kind in kinds
        }
        return {
            MARKETO: Checkpoint(system=MARKETO, positions=marketo, version=self._version()),
            DYNAMICS: checkpoint_of(dynamics),
        }


def _noted(checkpoint: Checkpoint | None) -> str | None:
    return None if checkpoint is None else checkpoint.model_dump_json()


def _is_due(version: int, held: KnownRecord | None, pair: Pair | None) -> bool:
    """What was told before is told again where it is newer, or where its pair was not known as one."""
    if held is None:
        return True
    if held.state == "deleted":
        return False
    return held.version < version or (pair is not None and held.person_key != pair.person_key)
