"""Which entries of the feed are of one write. Marketo lists one activity for each field, and a landing is only whole as a whole.

Entries of one record belong together when they bear the Request Id of one call or, where there is none, when they stand next to each
other in that record's stream with one time, source and reason. A write changes a field once: the second change of a field
begins another write, and nothing is moved past a change of the same field.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from streams.connectors.marketo.entries import FeedEntry
from streams.connectors.marketo.names import REVISION_FIELD
from streams.sync.messages import Value


@dataclass
class Write:
    """What one save of one record changed, or its creation."""

    lead_id: str
    entries: list[FeedEntry] = field(default_factory=list)
    names: set[str] = field(default_factory=set)

    @property
    def first(self) -> FeedEntry:
        """The entry by which it is named."""
        return self.entries[0]

    @property
    def is_creation(self) -> bool:
        """New Lead: it lists no values."""
        return self.first.is_creation

    def values(self) -> dict[str, Value]:
        """The new value of each field that changed, our own among them."""
        return {change.name: change.new for entry in self.entries for change in entry.changes}

    @property
    def is_ours(self) -> bool:
        """Whether it wrote our revision field, which nobody else does."""
        return self.values().get(REVISION_FIELD) not in (None, "")

    def add(self, entry: FeedEntry) -> None:
        """One more field."""
        self.entries.append(entry)
        self.names |= names_of(entry)


def names_of(entry: FeedEntry) -> set[str]:
    """The fields that an entry is about."""
    return {change.name for change in entry.changes}


def writes_of(entries: Iterable[FeedEntry]) -> list[Write]:
    """The writes, each where its first entry stands."""
    writes: list[Write] = []
    of_lead: dict[str, list[Write]] = {}
    for entry in entries:
        earlier = of_lead.setdefault(entry.lead_id, [])
        write = _write_of(entry, earlier)
        if write is None:
            write = Write(entry.lead_id)
            writes.append(write)
            earlier.append(write)
        write.add(entry)
    return writes


def _write_of(entry: FeedEntry, earlier: Sequence[Write]) -> Write | None:
    """The write that this entry goes on; None where it begins one."""
    if entry.is_creation:
        return None
    for write in reversed(earlier):
        if write.is_creation or write.names & names_of(entry):
            return None
        if _is_same_write(write.entries[-1], entry):
            return write
        if not entry.request_id:
            return None
    return None


def _is_same_write(one: FeedEntry, other: FeedEntry) -> bool:
    if one.request_id or other.request_id:
        return one.request_id == other.request_id
    return (one.time, one.source, one.reason, one.who) == (other.time, other.source, other.reason, other.who)


def split_open(entries: Sequence[FeedEntry]) -> tuple[list[FeedEntry], list[FeedEntry]]:
    """What is complete, and the entries at the end that may go on in what is read next."""
    if not entries:
        return [], []
    last = next(write for write in writes_of(entries) if write.entries[-1] is entries[-1])
    if last.is_creation:
        return list(entries), []
    held = {id(entry) for entry in last.entries}
    return [each for each in entries if id(each) not in held], last.entries
