"""What the feed shows, made into changes of the records' streams. Pure: what was read comes in, what is to be written goes out.

Each write becomes one `updated` with what it changed; with the whole row after it where the record is another person's from there
on, who knows nothing of what it holds. A record that was never told comes as `created` with its whole row, as it
was at that place; where it came and went between two readings, what it was made with nobody will ever know, but what was edited on
it is told. What ended comes after everything else of its record: a merge in each loser's stream, naming the
winner, whose row follows in its own; a deletion once, and never of a record that lost a merge.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from schemas.known_record import RecordState
from schemas.source_change import SourceKind
from schemas.vocabulary import MARKETO, OURSELVES
from streams.connectors.journal import StreamChange
from streams.connectors.known import KnownRecord, KnownRecords
from streams.connectors.marketo.entries import FeedEntry
from streams.connectors.marketo.names import KEY_FIELD
from streams.connectors.marketo.rows import Ours, key_shown, ours_in, row_before, without_ours
from streams.connectors.marketo.writes import Write, writes_of
from streams.sync.collision import seconds_of
from streams.sync.messages import Record, SourceChange, Value

Row = Mapping[str, Value]


@dataclass(frozen=True)
class Reading:
    """What one reading has brought. `entries` and `ends` are to be told now, in their order.

    `ahead` and `ends_ahead` were read further on, after `rows`: they are told later, and only say what the rows show too early.
    `rows`: persons by id, as they were read, every column stated; a person that is not there any more is missing. `young`: whose
    rows are not to be told yet, since they may show more than the feed has listed.
    """

    entries: Sequence[FeedEntry] = ()
    ends: Sequence[FeedEntry] = ()
    ahead: Sequence[FeedEntry] = ()
    ends_ahead: Sequence[FeedEntry] = ()
    rows: Mapping[str, Row] = field(default_factory=dict)
    young: Collection[str] = frozenset()


@dataclass(frozen=True)
class Told:
    """What is to be written, and the counter after it."""

    changes: tuple[StreamChange, ...]
    records: tuple[KnownRecord, ...]
    version: int


def is_told(known: KnownRecord | None) -> bool:
    """Whether anything of the record stands in its stream; an applier or a request may know it before the feed shows it."""
    return known is not None and known.version > 0


def rows_wanted(entries: Iterable[FeedEntry], ends: Iterable[FeedEntry], known: KnownRecords) -> list[str]:
    """The persons whose rows have to be read: those never told, and the winners of merges."""
    wanted = {entry.lead_id: None for entry in entries if _needs_row(entry, known.get(entry.lead_id))}
    return list(wanted | {entry.lead_id: None for entry in ends if entry.is_merge})


def _needs_row(entry: FeedEntry, known: KnownRecord | None) -> bool:
    if known is None or not is_told(known):
        return True
    return any(_is_anothers(key_shown(change.new), known) for change in entry.changes if change.name == KEY_FIELD)


def _is_anothers(key: str | None, known: KnownRecord) -> bool:
    """Whether this key gives the record to somebody else."""
    return key is not None and Ours(key).person_key != known.person_key


def _is_shown_by_its_row(write: Write, known: KnownRecord) -> bool:
    """Whether a bootstrap's row came after it: told once more, it would pass for an edit, and undo a newer one."""
    time, shown_before = seconds_of(write.first.time), seconds_of(known.shown_before)
    return time is not None and shown_before is not None and time < shown_before


def tell(
    reading: Reading, known: KnownRecords, version: int, late: Callable[[Write], int | None] = lambda write: None
) -> Told:
    """The changes of one reading. `version`: the counter as it was; `late`: the revision of a late repeat, which shows none."""
    teller = _Teller(reading, known, version, late)
    writes = writes_of(reading.entries)
    later = _later(writes, reading.ahead)
    for place, write in enumerate(writes):
        teller.write(write, later[write.lead_id].since(place))
    for entry in reading.ends:
        if entry.is_merge:
            teller.merge(entry, later.get(entry.lead_id, _Later()).ahead)
    for entry in reading.ends:
        if entry.is_deletion:
            teller.delete(entry)
    return Told(tuple(teller.changes), tuple(teller.records.values()), teller.version)


@dataclass
class _Later:
    """A record's writes of this reading, each with its place, and its entries further on."""

    writes: list[tuple[int, Write]] = field(default_factory=list)
    ahead: list[FeedEntry] = field(default_factory=list)

    def since(self, place: int) -> list[FeedEntry]:
        """This write's entries and all later ones."""
        return [e for at, write in self.writes if at >= place for e in write.entries] + self.ahead


def _later(writes: Sequence[Write], ahead: Iterable[FeedEntry]) -> dict[str, _Later]:
    found: dict[str, _Later] = {}
    for place, write in enumerate(writes):
        found.setdefault(write.lead_id, _Later()).writes.append((place, write))
    for entry in ahead:
        found.setdefault(entry.lead_id, _Later()).ahead.append(entry)
    return found


class _Teller:
    def __init__(
        self, reading: Reading, known: KnownRecords, version: int, late: Callable[[Write], int | None]
    ) -> None:
        self.changes: list[StreamChange] = []
        self.records: dict[str, KnownRecord] = {}
        self.version = version
        self._rows, self._young, self._known, self._late = reading.rows, reading.young, known, late
        self._losers = {loser for entry in (*reading.ends, *reading.ends_ahead) for loser in _losers(entry)}

    def write(self, write: Write, since: list[FeedEntry]) -> None:
        """`since`: this write's entries, then all later ones of its record."""
        record, row = self._record(write.lead_id), self._rows.get(write.lead_id)
        if record.state != "living" or _is_shown_by_its_row(write, record):
            return
        if not is_told(record):
            if row is not None:
                self._first_row(write, row_before(row, since))
            elif record.key is not None and write.is_creation:
                self._landed(write.first, record)
        if not write.is_creation:
            self._updated(write, row, since[len(write.entries) :])

    def merge(self, entry: FeedEntry, ahead: list[FeedEntry]) -> None:
        winner, row = self._record(entry.lead_id), self._rows.get(entry.lead_id)
        shown = None if row is None or winner.state != "living" else row_before(row, ahead)
        ours = Ours(winner.key) if shown is None else ours_in(shown)
        winner_person = ours.person_key or winner.person_key
        for loser in _losers(entry):
            if loser != winner.record.id:
                self._end(entry, loser, "merged", "closed", winner=winner.record, winner_person_key=winner_person)
        if shown is not None and entry.lead_id not in self._young:
            # Without the revision: the row is no write of ours, and what the merge brought must not pass for a repeat of one.
            kind: SourceKind = "updated" if is_told(winner) else "created"
            self._put(
                entry.lead_id, kind, f"{entry.guid}/row", entry, ours,
                fields=without_ours(shown), scope="row", who=entry.who,
            )  # fmt: skip

    def delete(self, entry: FeedEntry) -> None:
        if entry.lead_id not in self._losers:
            self._end(entry, entry.lead_id, "deleted", "deleted")

    def _first_row(self, write: Write, row: Row) -> None:
        """As the record was before this write; a creation changes nothing, so before and after are one."""
        ours, first = ours_in(row), write.first
        name = first.guid if write.is_creation else f"{first.guid}/before"
        self._put(
            write.lead_id, "created", name, first, ours,
            fields=without_ours(row), scope="row", revision=ours.revision,
            who=first.who if ours.revision is None else OURSELVES,
        )  # fmt: skip

    def _landed(self, entry: FeedEntry, record: KnownRecord) -> None:
        """Our own creation, gone before its row was read: that it was there is all that is known, and means that the create landed."""
        name = entry.guid if entry.is_creation else f"{entry.guid}/landed"
        self._put(record.record.id, "created", name, entry, Ours(record.key), fields={}, who=OURSELVES)

    def _updated(self, write: Write, row: Row | None, later: list[FeedEntry]) -> None:
        values, record = write.values(), self._record(write.lead_id)
        shown = ours_in(values).revision
        revision = self._late(write) if shown is None else shown
        key = key_shown(values[KEY_FIELD]) if KEY_FIELD in values else record.key
        told: dict[str, Any] = {"fields": without_ours(values)}
        if row is not None and _is_anothers(key, record):
            told = {"fields": without_ours(row_before(row, later)), "scope": "row"}
        self._put(
            write.lead_id, "updated", write.first.guid, write.first, Ours(key),
            revision=revision, who=write.first.who if revision is None else OURSELVES, **told,
        )  # fmt: skip

    def _end(self, entry: FeedEntry, lead_id: str, kind: SourceKind, state: RecordState, **more: Any) -> None:
        record = self._record(lead_id)
        if record.state == "living":
            if not is_told(record) and Ours(record.key).creation:  # it was listed before anybody knew that it is ours
                self._landed(entry, record)
            name = entry.guid if kind == "deleted" else f"{entry.guid}/{kind}"
            self._put(lead_id, kind, name, entry, Ours(record.key), state, who=entry.who, **more)

    def _put(
        self,
        lead_id: str,
        kind: SourceKind,
        name: str,
        entry: FeedEntry,
        ours: Ours,
        state: RecordState = "living",
        **more: Any,
    ) -> None:
        self.version += 1
        record = Record(MARKETO, "person", lead_id)
        self.records[lead_id] = KnownRecord(
            record=record, stream=lead_id, version=self.version, key=ours.key, state=state
        )
        change = SourceChange(
            change_id=f"marketo/{lead_id}/{name}",
            kind=kind,
            record=record,
            version=self.version,
            person_key=ours.person_key,
            creation=ours.creation,
            time=entry.time,
            **more,
        )
        self.changes.append(StreamChange(lead_id, change))

    def _record(self, lead_id: str) -> KnownRecord:
        """As it stands by what was told so far."""
        found = self.records.get(lead_id) or self._known.get(lead_id)
        return found or KnownRecord(record=Record(MARKETO, "person", lead_id), stream=lead_id)


def _losers(entry: FeedEntry) -> Iterator[str]:
    return iter(entry.losers if entry.is_merge else ())
