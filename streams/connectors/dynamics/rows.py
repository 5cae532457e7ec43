"""What a row of the Web API means: whose it is, what it holds, and what has happened to its record. Pure.

A row is whole: every column that was asked for is stated, an emptied one as null. `versionnumber` rises over the whole
organisation with every write. A lead that was qualified is closed, and its contact goes on in its stream; where there is no contact
any more, the person's record is as good as deleted. A record that lost a merge is closed too. A record that is merely
deactivated (a disqualified lead) is a row like any other.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from schemas.identity import person_key_of
from schemas.limits import ID_CHARACTERS_MAX, NAME_CHARACTERS_MAX, VALUE_CHARACTERS_MAX
from schemas.vocabulary import DYNAMICS, OURSELVES, TIME_PATTERN
from streams.connectors.dynamics.columns import KEY, ORIGIN, REVISION, Columns
from streams.connectors.known import KnownRecord
from streams.sync.messages import Record, Row, SourceChange, Value

FORMATTED = "@OData.Community.Display.V1.FormattedValue"
CREATION_MAX = 1_000_000
OPEN, QUALIFIED = 0, 1

Standing = Literal["open", "qualified", "merged", "inactive"]
"""A record's state. `qualified`: of a lead; `merged`: into the record that `master_id` names; `inactive`: otherwise closed."""

GUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
"""An id in Dataverse."""

_ETAG_VERSION = re.compile(r'W/"([0-9]+)"')
_TIME = re.compile(TIME_PATTERN.removesuffix("$") + r"\Z")


class UnreadableRow(ValueError):  # noqa: N818 - the row is at fault
    """A row without an id or a version."""


@dataclass(frozen=True)
class Shown:
    """A row, read. `origin`: of a contact, the id of the lead that it came from. `oversized`: columns that are not stated,
    because no message of ours takes so long a text.
    """

    record: Record
    version: int
    fields: Mapping[str, Value]
    standing: Standing = "open"
    etag: str | None = None
    key: str | None = None
    revision: int | None = None
    time: str | None = None
    who: str | None = None
    origin: str | None = None
    master_id: str | None = None
    oversized: tuple[str, ...] = ()

    @property
    def person_key(self) -> str | None:
        """Whose key the record holds."""
        return None if self.key is None else self.key.rpartition("#")[0]

    @property
    def creation(self) -> int | None:
        """The number of our creation for that person."""
        return None if self.key is None else int(self.key.rpartition("#")[2])


def is_tombstone(row: Mapping[str, Any]) -> bool:
    """Whether change tracking says with it that a record was deleted: `{"id": …, "reason": "deleted"}`."""
    return str(row.get("@odata.context", "")).endswith("$deletedEntity") or ("reason" in row and "id" in row)


def read_row(row: Mapping[str, Any], columns: Columns, ourselves: str) -> Shown:
    """Read a row. `ourselves`: the application user's id. Raises UnreadableRow."""
    record_id = _id(row.get(columns.id_column))
    version = _version(row)
    if record_id is None or version is None:
        raise UnreadableRow(f"a row of {columns.entity_set} has no {columns.id_column} or no versionnumber")
    fields = {column: _value(row, name) for column, name in columns.stated.items() if name in row}
    oversized = tuple(column for column, value in fields.items() if _is_oversized(value))
    return Shown(
        record=Record(DYNAMICS, columns.kind, record_id),
        version=version,
        fields={column: value for column, value in fields.items() if column not in oversized},
        oversized=oversized,
        standing=_standing(row, columns),
        etag=row.get("@odata.etag"),
        key=readable_key(row.get(KEY)),
        revision=_whole(row.get(REVISION)),
        time=_time(row.get("modifiedon")),
        who=_who(row, ourselves),
        origin=_id(row.get(ORIGIN)),
        master_id=_id(row.get("_masterid_value")),
    )


def readable_key(text: object) -> str | None:
    """What our key field holds, if it is `<person_key>#<n>`."""
    if not isinstance(text, str):
        return None
    person_key, mark, number = text.rpartition("#")
    if not person_key or not mark or len(text) > ID_CHARACTERS_MAX or not number.isascii() or not number.isdigit():
        return None
    if int(number) > CREATION_MAX:
        return None
    return f"{person_key}#{int(number)}"


def stream_of(shown: Shown, known: KnownRecord | None) -> str:
    """Where its changes stand. It never changes once something stood there."""
    if known is not None:
        return known.stream
    return shown.origin or shown.record.id


def is_news(shown: Shown, known: KnownRecord | None) -> bool:
    """Whether it is newer than what was told of its record. One that was deleted does not come back."""
    return known is None or (shown.version > known.version and known.state != "deleted")


def change_of(
    shown: Shown,
    known: KnownRecord | None,
    *,
    contact: Record | None = None,
    winner: Record | None = None,
    winner_person_key: str | None = None,
) -> SourceChange:
    """What to tell of a row. `contact`: what a qualified lead became; `winner`: of a merge that the record lost."""
    members: dict[str, Any] = {
        "change_id": change_id_of(shown.record.id, shown.version),
        "record": shown.record,
        "version": shown.version,
        "person_key": shown.person_key,
        "creation": shown.creation,
        "time": shown.time,
        "who": shown.who,
    }
    if contact is not None:
        return SourceChange(kind="converted", contact=contact, revision=shown.revision, **members)
    if winner is not None:
        return SourceChange(kind="merged", winner=winner, winner_person_key=winner_person_key, **members)
    if shown.standing == "qualified":
        return SourceChange(kind="deleted", **members)
    kind: Literal["created", "updated"] = "created" if known is None or known.version == 0 else "updated"
    return SourceChange(kind=kind, fields=shown.fields, scope="row", revision=shown.revision, **members)


def known_of(shown: Shown, known: KnownRecord | None, *, closed: bool = False) -> KnownRecord:
    """What is known of a record once its row was told."""
    return KnownRecord(
        record=shown.record,
        stream=stream_of(shown, known),
        version=shown.version,
        key=shown.key or (None if known is None else known.key),
        state="closed" if closed else "living",
    )


def deletion_of(record: Record, known: KnownRecord | None) -> tuple[SourceChange, KnownRecord]:
    """What to tell of a deletion: one version after what was told last, in the stream where that stood."""
    stream = record.id if known is None else known.stream
    version = 1 if known is None else known.version + 1
    key = None if known is None else known.key
    change = SourceChange(
        change_id=change_id_of(record.id, version) + "/deleted",
        kind="deleted",
        record=record,
        version=version,
        person_key=None if key is None else key.rpartition("#")[0],
        creation=None if key is None else int(key.rpartition("#")[2]),
    )
    return change, KnownRecord(record=record, stream=stream, version=version, key=key, state="deleted")


def row_of(shown: Shown) -> Row:
    """The row as a result brings it."""
    return Row(
        record=shown.record,
        version=shown.version,
        fields=shown.fields,
        revision=shown.revision,
        creation=shown.creation,
        time=shown.time,
        who=shown.who,
    )


def person_key_for(record_id: str, shown: Shown | None, known: KnownRecord | None) -> str:
    """For whom a record stands, as far as we know: by its key, by its row's, else by its stream."""
    if known is not None:
        return known.person_key
    if shown is not None:
        return shown.person_key or person_key_of(DYNAMICS, stream_of(shown, None))
    return person_key_of(DYNAMICS, record_id)


def change_id_of(record_id: str, version: int) -> str:
    """The same for the same version of a record, whoever reads it."""
    return f"dynamics/{record_id}/{version}"


def _standing(row: Mapping[str, Any], columns: Columns) -> Standing:
    if row.get("statecode") in (OPEN, None):
        return "open"
    if row.get("merged") is True and row.get("_masterid_value"):
        return "merged"
    return "qualified" if columns.kind == "lead" and row.get("statecode") == QUALIFIED else "inactive"


def _value(row: Mapping[str, Any], name: str) -> Value:
    """As it came; of a look-up the display name, or the id where none came along."""
    value = row[name]
    if name.startswith("_") and name.endswith("_value"):
        shown = row.get(name + FORMATTED)
        return value if shown is None or value is None else str(shown)
    if isinstance(value, (dict, list)):
        return json.dumps(value, ensure_ascii=False)
    return value  # type: ignore[no-any-return]


def _is_oversized(value: Value) -> bool:
    return isinstance(value, str) and len(value) > VALUE_CHARACTERS_MAX


def _version(row: Mapping[str, Any]) -> int | None:
    version = _whole(row.get("versionnumber"))
    if version is not None:
        return version
    match = _ETAG_VERSION.fullmatch(str(row.get("@odata.etag", "")))
    return None if match is None else int(match[1])


def _whole(value: object) -> int | None:
    if isinstance(value, str) and value.isascii() and value.isdigit():
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _id(value: object) -> str | None:
    return value.lower() if isinstance(value, str) and value else None


def _time(value: object) -> str | None:
    return value if isinstance(value, str) and _TIME.fullmatch(value) else None


def _who(row: Mapping[str, Any], ourselves: str) -> str | None:
    user = _id(row.get("_modifiedby_value"))
    if user is None:
        return None
    if user == ourselves:
        return OURSELVES
    return str(row.get("_modifiedby_value" + FORMATTED) or user)[:NAME_CHARACTERS_MAX]
