"""What a bootstrap has read, and how far it came: one SQLite file, so that people by the hundred thousand need no memory.

A page of rows and the place of the next page are written in one transaction, so whoever goes on after a crash neither skips
nor repeats a page. The file holds people's data: only its owner may read it, and it is removed when all is done.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Literal

import msgspec

from schemas.known_record import RecordState
from schemas.vocabulary import SYSTEMS, RecordKind, System
from streams.settings import SettingsError
from streams.sync.messages import Fields, Record

FILE = "bootstrap.sqlite"
LAYOUT = "1"

PairedBy = Literal["key", "email"]
Aside = Literal["key", "email", "origin"]
"""What several records share, so that nobody knows which one is meant: a key, an address, the lead that they came from."""


class ReadRecord(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """A record as it was read. `fields` in the system's own names; `version` the system's own, 0 where it has none.

    `key` is what our key field holds; `stream` where its changes stand, for a contact the id of the lead that it came from;
    `master` the record into which it was merged. What is closed is no person's record any more. `former_person`: whose key the
    lead held that this contact came from.
    """

    system: System
    type: RecordKind
    id: str
    stream: str
    fields: Fields
    version: int = 0
    key: str | None = None
    revision: int | None = None
    state: RecordState = "living"
    master: str | None = None
    email: str | None = None
    time: str | None = None
    who: str | None = None
    former_person: str | None = None

    @property
    def record(self) -> Record:
        """The record by its system, type and id."""
        return Record(self.system, self.type, self.id)

    @property
    def person(self) -> str | None:
        """The person of its key, or of the key of the lead that it was."""
        return self.former_person if self.key is None else self.key.rpartition("#")[0]

    @property
    def creation(self) -> int | None:
        """The number of its key; None where it holds none, or one that is not ours."""
        number = "" if self.key is None else self.key.rpartition("#")[2]
        return int(number) if number.isdecimal() else None


class Pair(msgspec.Struct, frozen=True):
    """Two records that are one person."""

    marketo_id: str
    dynamics_id: str
    person_key: str
    by: PairedBy


SCHEMA = """
CREATE TABLE IF NOT EXISTS notes (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS records (
    system TEXT NOT NULL, id TEXT NOT NULL, type TEXT NOT NULL, stream TEXT NOT NULL, state TEXT NOT NULL,
    person TEXT, email TEXT, body BLOB NOT NULL, PRIMARY KEY (system, id)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS pairs (
    marketo_id TEXT PRIMARY KEY, dynamics_id TEXT NOT NULL UNIQUE, person_key TEXT NOT NULL, by TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS aside (
    system TEXT NOT NULL, id TEXT NOT NULL, why TEXT NOT NULL, share TEXT NOT NULL, PRIMARY KEY (system, id)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS gone (system TEXT NOT NULL, id TEXT NOT NULL, PRIMARY KEY (system, id)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS records_person ON records (system, person) WHERE person IS NOT NULL;
CREATE INDEX IF NOT EXISTS records_email ON records (email, system) WHERE email IS NOT NULL;
CREATE INDEX IF NOT EXISTS records_stream ON records (system, stream);
CREATE INDEX IF NOT EXISTS aside_share ON aside (why, share);
"""

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(ReadRecord).decode


class Store:
    """Open it with `Store.at(folder)`; `close` at the end. `db` is for the modules that ask it more than stands here."""

    def __init__(self, db: sqlite3.Connection, folder: Path) -> None:
        self.db, self.folder, self.is_open = db, folder, True

    @classmethod
    def at(cls, folder: Path) -> Store:
        """The store in this folder, made where there is none. Raises SettingsError where that cannot be."""
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            file = folder / FILE
            file.touch(mode=0o600, exist_ok=True)
            db = sqlite3.connect(file, isolation_level=None, timeout=0.5)
            db.executescript("PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;")
            db.executescript(SCHEMA)
        except (OSError, sqlite3.Error) as error:
            raise SettingsError(
                f"--state {folder}: {error}; is another bootstrap at work there? Otherwise name another folder"
            ) from None
        store = cls(db, folder)
        if (layout := store.note("layout") or LAYOUT) != LAYOUT:
            raise SettingsError(f"--state {folder} was written by another release ({layout}); name another folder")
        store.take_note("layout", LAYOUT)
        return store

    def close(self) -> None:
        """Let go of the file; where nothing was ever begun, take it away again."""
        if self.is_open and self.note("policy") is None and not any(map(self.count, SYSTEMS)):
            self.remove()
        self.is_open = False
        self.db.close()

    def remove(self) -> None:
        """Close it and take it away; the folder too, where nothing else lies in it and it may be: it can be a mount, or `.`."""
        self.is_open = False
        self.db.close()
        for suffix in ("", "-wal", "-shm"):
            (self.folder / f"{FILE}{suffix}").unlink(missing_ok=True)
        with suppress(OSError):
            self.folder.rmdir()

    @contextmanager
    def together(self) -> Iterator[None]:
        """What is written within becomes one transaction."""
        self.db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self.db.execute("ROLLBACK")
            raise
        self.db.execute("COMMIT")

    def note(self, name: str) -> str | None:
        """What was noted under this name."""
        row = self.db.execute("SELECT value FROM notes WHERE name = ?", (name,)).fetchone()
        return None if row is None else str(row[0])

    def take_note(self, name: str, value: str | None) -> None:
        """Note a value; None takes the note away."""
        if value is None:
            self.db.execute("DELETE FROM notes WHERE name = ?", (name,))
        else:
            self.db.execute("INSERT OR REPLACE INTO notes VALUES (?, ?)", (name, value))

    def put(self, records: Iterable[ReadRecord]) -> None:
        """Keep records; one that was read before is replaced."""
        self.db.executemany("INSERT OR REPLACE INTO records VALUES (?, ?, ?, ?, ?, ?, ?, ?)", map(_row, records))

    def drop(self, system: System, ids: Iterable[str]) -> None:
        """Records that were found deleted while they were read."""
        self.db.executemany("DELETE FROM records WHERE system = ? AND id = ?", ((system, each) for each in ids))

    def forget(self) -> None:
        """Everything that was read goes; only the layout's own note stays."""
        with self.together():
            for table in ("records", "pairs", "aside", "gone"):
                self.db.execute(f"DELETE FROM {table}")
            self.db.execute("DELETE FROM notes WHERE name <> 'layout'")

    def get(self, system: System, record_id: str) -> ReadRecord:
        """A record that was read. Raises KeyError."""
        asked = "SELECT state, person, body FROM records WHERE system = ? AND id = ?"
        row = self.db.execute(asked, (system, record_id)).fetchone()
        if row is None:
            raise KeyError(record_id)
        return _read(row)

    def has(self, system: System, record_id: str) -> bool:
        """Whether the record was read."""
        asked = "SELECT 1 FROM records WHERE system = ? AND id = ?"
        return self.db.execute(asked, (system, record_id)).fetchone() is not None

    def put_gone(self, system: System, ids: Iterable[str]) -> None:
        """Records that leadsync knew and that are no more."""
        self.db.executemany("INSERT OR IGNORE INTO gone VALUES (?, ?)", ((system, each) for each in ids))

    def gone(self, system: System) -> tuple[str, ...]:
        """The same, read."""
        return tuple(each for (each,) in self.db.execute("SELECT id FROM gone WHERE system = ? ORDER BY id", (system,)))

    def contacts_of(self, lead_id: str) -> tuple[ReadRecord, ...]:
        """What a lead became: the contacts that name it, living or not."""
        asked = "SELECT state, person, body FROM records WHERE system = 'dynamics' AND stream = ? AND type = 'contact'"
        return tuple(map(_read, self.db.execute(asked, (lead_id,))))

    def records(self, system: System) -> Iterator[ReadRecord]:
        """All records of a system, stream by stream, by id; what is closed comes after what lives."""
        asked = "SELECT state, person, body FROM records WHERE system = ? ORDER BY stream, state = 'living' DESC, id"
        return map(_read, self.db.cursor().execute(asked, (system,)))

    def count(self, system: System) -> int:
        """How many records of a system were read."""
        return int(self.db.execute("SELECT count(*) FROM records WHERE system = ?", (system,)).fetchone()[0])

    def pair_of(self, system: System, record_id: str) -> Pair | None:
        """The pair that a record belongs to."""
        asked = f"SELECT marketo_id, dynamics_id, person_key, by FROM pairs WHERE {system}_id = ?"
        row = self.db.execute(asked, (record_id,)).fetchone()
        return None if row is None else Pair(*row)

    def aside_of(self, system: System, record_id: str) -> tuple[Aside, tuple[str, ...]] | None:
        """Why a record is left alone, and which others share what it was found by (`<system>/<id>`)."""
        row = self.db.execute(
            "SELECT why, share FROM aside WHERE system = ? AND id = ?", (system, record_id)
        ).fetchone()
        if row is None:
            return None
        asked = "SELECT system, id FROM aside WHERE why = ? AND share = ? AND NOT (system = ? AND id = ?) ORDER BY 1, 2 LIMIT 20"
        others = self.db.execute(asked, (*row, system, record_id))
        return row[0], tuple(f"{kind}/{other}" for kind, other in others)


def _read(row: tuple[RecordState, str | None, bytes]) -> ReadRecord:
    """What was found out after the row was kept stands in columns of its own."""
    state, person, body = row
    record = _decode(body)
    if state == record.state and person == record.person:
        return record
    return msgspec.structs.replace(record, state=state, former_person=person)


def _row(record: ReadRecord) -> tuple[Any, ...]:
    email = None if record.email is None else record.email.strip().casefold() or None
    return (
        record.system,
        record.id,
        record.type,
        record.stream,
        record.state,
        record.person,
        email,
        _encode(record),
    )
