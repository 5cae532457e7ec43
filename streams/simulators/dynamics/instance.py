"""One organisation: simulated Dynamics with what its REST side adds.

Every change goes to the log of its table, whoever made it: by REST, or a simulated user in the same process. The log is what
change tracking reads; the deque `feed` stays empty here.
"""

from __future__ import annotations

import random
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

from schemas.identity import person_key_of
from schemas.vocabulary import DYNAMICS, OURSELVES, RecordType
from streams.demo.dynamics import SimulatedDynamics
from streams.demo.record import HeldRecord
from streams.demo.saving import Saving
from streams.demo.users import SELLERS
from streams.demo.witness import Witness
from streams.simulators.dynamics.changelog import ChangeLog
from streams.simulators.dynamics.columns import KEY_COLUMN, REVISION_COLUMN
from streams.simulators.dynamics.directory import API_USER, Directory
from streams.simulators.dynamics.keys import KeyIndex
from streams.simulators.dynamics.privileges import ALL_PRIVILEGES
from streams.simulators.dynamics.schema import AlternateKeys, Table, build_schema
from streams.simulators.dynamics.undo import Undo
from streams.sync.messages import ApplyCommand, Record, Value
from streams.sync.policy import Policy

Counters = tuple[int, float, int]


class Event(NamedTuple):
    """A change, for whoever is to be woken up: Create, Update or Delete, and what the record held right after."""

    message: str
    record: Record
    who: str
    values: Mapping[str, Value]


class DynamicsInstance(SimulatedDynamics):
    """Leads and contacts behind the Web API.

    `calls`: how often each endpoint was called; `on_read`: told of a record after it was read by id or key, where the fault
    `edited_between` strikes (None: somebody edits a text of it); `on_event`: told of every change, whoever made it. `clock`:
    seconds since the epoch. `privileges`: what the application user may do. `reads_show`: whether the witness is told `shown`
    of a row that a read by id, key or query gives away; of pages of change tracking and of rows that writes return it always is.
    """

    def __init__(
        self,
        policy: Policy,
        rng: random.Random,
        saving: Saving,
        witness: Witness | None = None,
        *,
        clock: Callable[[], float] = time.time,
        with_our_columns: bool = False,
        alternate_keys: AlternateKeys | None = None,
        tracks_changes: bool = True,
        checks_versions: bool = True,
        privileges: frozenset[str] = ALL_PRIVILEGES,
        reads_show: bool = True,
    ) -> None:
        super().__init__(policy, rng, saving, witness)
        self.clock, self.privileges, self.reads_show = clock, privileges, reads_show
        self.schema = build_schema(policy, with_our_columns, alternate_keys or {}, tracks_changes, checks_versions)
        self.users = Directory("systemuser", (API_USER, *sorted({*saving.owners, *_owners(saving)})))
        self.accounts = Directory("account")
        self.calls: Counter[str] = Counter()
        self.on_read: Callable[[HeldRecord], None] | None = None
        self.on_event: Callable[[Event], None] | None = None
        self.logs: dict[str, ChangeLog] = {"lead": ChangeLog(), "contact": ChangeLog()}
        self.made: dict[str, tuple[str, str]] = {}  # record -> who made it, and when
        self.lead_of: dict[str, str] = {}  # contact -> the lead that it was made of
        self.expired_tokens: set[str] = set()  # delta tokens that change tracking no longer covers
        self.keys = KeyIndex(self.value_of)
        self._read_from: dict[str, int] = {}  # table -> where the last page of its change tracking began
        self._undo: Undo | None = None
        self._own_edits = 0

    @property
    def version(self) -> int:
        """The highest row version of the organisation."""
        return self._organisation_version

    @property
    def tombstones(self) -> dict[str, HeldRecord]:
        """Deleted records, by id."""
        return self._tombstones

    @property
    def closed_by(self) -> dict[str, HeldRecord]:
        """Closed record -> the contact that a lead became, or the winner of a merge."""
        return self._closed_by

    def is_caught_up(self) -> bool:
        """Whether change tracking was last read, of both tables, from their very ends, and nothing has changed since.

        Such a page is empty, and the last one.
        """
        return all(self._read_from.get(kind, -1) >= log.last_version for kind, log in self.logs.items())

    def note_page(self, kind: str, after: int) -> None:
        """A page of change tracking was asked for: of what changed after this version."""
        self._read_from[kind] = after

    def table_of(self, held: HeldRecord) -> Table:
        """The record's table."""
        return self.schema.tables[held.record.type]

    def value_of(self, held: HeldRecord, column: str) -> Value:
        """What the record holds in a column that people write, ours among them."""
        if column == KEY_COLUMN and held.key is not None:
            return held.key
        if column == REVISION_COLUMN and held.revision is not None:
            return held.revision
        return held.values.get(column)

    def time(self, now: float) -> str:
        """By the second, as Dataverse keeps it: what was saved within one second was saved at one time."""
        return f"{super().time(now)[:19]}Z"

    def new_id(self) -> str:
        """An id that nothing has yet."""
        return str(uuid.UUID(int=self.random.getrandbits(128), version=4))

    def edit(self, record_id: str, who: str, values: Mapping[str, Value], now: float) -> dict[str, Value]:
        self._remember(record_id)
        return super().edit(record_id, who, values, now)

    def edit_ours(self, held: HeldRecord, who: str, ours: Mapping[str, Any], is_touched: bool, now: float) -> None:
        """Somebody enters or empties our own columns by hand. `is_touched`: the row's version rose already."""
        if not ours or all(getattr(held, name) == value for name, value in ours.items()):
            return
        self._remember(held.id)
        for name, value in ours.items():
            setattr(held, name, value)
        if is_touched:
            self.index(held.id)
        else:
            self._touch(held, who, now)

    def write(self, held: HeldRecord, command: ApplyCommand, now: float) -> dict[str, Value]:
        self._remember(held.id)
        return super().write(held, command, now)

    def create_by(self, command: ApplyCommand, now: float) -> HeldRecord:
        held = super().create_by(command, now)
        self.index(held.id)
        return held

    def create_under(
        self, kind: RecordType, record_id: str, who: str, values: Mapping[str, Value], now: float
    ) -> HeldRecord:
        """A person makes a record under an id of their own choice."""
        record = Record(DYNAMICS, kind, record_id)
        held = self._new(record, record_id, person_key_of(DYNAMICS, record_id), values, who, now)
        self.witness.created(held, held.values, None)
        return held

    def delete(self, record_id: str, who: str, now: float) -> None:
        self._remember(record_id)
        record = self.records[record_id].record
        super().delete(record_id, who, now)
        self.keys.forget(record_id)
        self._announce("Delete", record, who, {})

    def merge(self, loser_id: str, winner_id: str, who: str, now: float, take: tuple[str, ...] = ()) -> None:
        self._remember(loser_id)
        super().merge(loser_id, winner_id, who, now, take)

    def qualify(self, lead_id: str, who: str, now: float) -> HeldRecord:
        self._remember(lead_id)
        contact = super().qualify(lead_id, who, now)
        self.lead_of[contact.id] = lead_id
        return contact

    def edit_between(self, held: HeldRecord) -> None:
        """Somebody edits a record that a client has just read."""
        if self.on_read is not None:
            self.on_read(held)
            return
        self._own_edits += 1
        self.edit(
            held.id, self.random.choice(SELLERS), {self._some_text(held): f"edit {self._own_edits}"}, self.clock()
        )

    def index(self, record_id: str) -> None:
        """Look its alternate keys up again."""
        held = self.records.get(record_id)
        if held is None:
            self.keys.forget(record_id)
        else:
            self.keys.note(self.table_of(held), held)

    def index_all(self, table: Table) -> None:
        """Look up the alternate keys of every record of a table again: they are others now."""
        for held in self.records.values():
            if held.record.type == table.logical_name:
                self.keys.note(table, held)

    def empty(self, table: Table, column: str) -> None:
        """A column is no more, and nothing that stood in it."""
        for held in self.records.values():
            if held.record.type == table.logical_name:
                held.values.pop(column, None)
                held.key = None if column == KEY_COLUMN else held.key
                held.revision = None if column == REVISION_COLUMN else held.revision

    @contextmanager
    def tried(self) -> Iterator[None]:
        """What happens within the block is taken back at its end, and nobody is told of it."""
        undo = self._undo = Undo(self)
        try:
            yield
        finally:
            self._undo = None
            undo.take_back()

    def counters(self) -> Counters:
        """What counts on: row versions, the latest time, the records that people draw from."""
        return self._organisation_version, self._clock, len(self._roster)

    def set_counters(self, counters: Counters) -> None:
        """Put them back."""
        self._organisation_version, self._clock, drawn_from = counters
        del self._roster[drawn_from:]

    def _touch(self, held: HeldRecord, who: str, now: float) -> None:
        self._remember(held.id)
        is_new = held.version == 0
        super()._touch(held, who, now)
        self.users.add(who)
        if is_new:
            self.made[held.id] = (who, held.time)
            self.gone.pop(held.id, None)  # somebody may make a record under the id of a deleted one
            self._tombstones.pop(held.id, None)
        self.logs[held.record.type].note(held.id, held.version)
        self.keys.note(self.table_of(held), held)
        if held.id in self.records or is_new:
            self._announce("Create" if is_new else "Update", held.record, who, held.values)

    def _publish(self, held: HeldRecord, kind: str, **more: Any) -> None:
        """Change tracking reads the log."""

    def _announce(self, message: str, record: Record, who: str, values: Mapping[str, Value]) -> None:
        if self.on_event is not None and self._undo is None:
            self.on_event(Event(message, record, who, dict(values)))

    def _remember(self, record_id: str) -> None:
        if self._undo is not None:
            self._undo.remember(record_id)

    def _some_text(self, held: HeldRecord) -> str:
        rules = self.policy.inbound[held.record.type]
        texts = [name for name, rule in rules.items() if rule.type == "text" and rule.direction == "both"]
        return self.random.choice(texts or ["description"])


def _owners(saving: Saving) -> set[str]:
    owners = {values.get("ownerid") for values in saving.defaults.values()}
    return {owner for owner in owners if isinstance(owner, str)} | {OURSELVES}
