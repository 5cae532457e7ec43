"""A record as a simulated system holds it: values in the system's own names, and our two fields beside them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, NamedTuple

from streams.sync.messages import Record, SourceChange, Value

RecordState = Literal["open", "qualified", "deactivated"]
Gone = Literal["deleted", "closed"]


@dataclass(slots=True)
class HeldRecord:
    """One record. `person_key` is the truth about whom it stands for, whether or not the record's `key` field says so."""

    record: Record
    stream: str
    person_key: str
    values: dict[str, Value]
    version: int = 0
    key: str | None = None
    revision: int | None = None
    state: RecordState = "open"
    who: str = ""
    time: str = ""
    shown: bool = False  # some row or feed entry of it has been read

    @property
    def id(self) -> str:
        """The id that its system gave it."""
        return self.record.id

    def keyed_person(self) -> str | None:
        """The person key that the record's key field holds."""
        return None if self.key is None else self.key.rpartition("#")[0]

    def creation(self) -> int | None:
        """The creation number that the record's key field holds."""
        return None if self.key is None else int(self.key.rpartition("#")[2])


class Published(NamedTuple):
    """A change on its way to `<system>.changes`, with its key."""

    stream: str
    change: SourceChange


def stamp(now: float) -> str:
    """RFC 3339 of seconds since the epoch."""
    return datetime.fromtimestamp(now, UTC).isoformat(timespec="microseconds")


def blank_as_none(value: Value) -> Value:
    """Null and empty are one value."""
    return None if value == "" or value == () else value
