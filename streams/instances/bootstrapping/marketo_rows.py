"""People as Marketo's bulk extract or its paged reads give them, made into what a bootstrap keeps. Pure.

A file of the bulk extract writes `null` for what is empty, and everything else as text; the policy's field types make values of
it later, as they do of what the change feed says. A text that is really the word `null` cannot be told from an empty one.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from schemas.limits import VALUE_CHARACTERS_MAX
from schemas.vocabulary import MARKETO
from streams.connectors.marketo.entries import time_of
from streams.connectors.marketo.names import OUR_FIELDS
from streams.connectors.marketo.rows import ours_in, row_of, without_ours
from streams.instances.bootstrapping.store import ReadRecord

EMPTY = "null"
BESIDES = ("id", "email", "createdAt", "updatedAt")
"""What is read beside the policy's columns and our own."""

WINDOW_DAYS = 31
WHO = "marketo"


class Window(NamedTuple):
    """Creation times from `start` to before `end`, as Marketo writes them."""

    start: str
    end: str


def windows(since: datetime, until: datetime) -> Iterator[Window]:
    """What one export job may cover each, without gaps. Both times with a zone."""
    start = since
    while start < until:
        end = min(start + timedelta(days=WINDOW_DAYS), until)
        yield Window(stamp(start), stamp(end))
        start = end


def stamp(time: datetime) -> str:
    """In whole seconds, in UTC."""
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def asked_fields(columns: Sequence[str]) -> tuple[str, ...]:
    """The fields to ask for: those of the policy, our two, and what a bootstrap needs besides."""
    return tuple(dict.fromkeys((*BESIDES, *columns, *OUR_FIELDS)))


def person_of(found: Mapping[str, Any], columns: Sequence[str]) -> ReadRecord | None:
    """A person by the names of its fields, an absent one empty. None for a row without an id."""
    record_id, row = found.get("id"), row_of(found, columns)
    if record_id is None or not str(record_id).isdecimal():
        return None
    ours, email = ours_in(row), found.get("email")
    return ReadRecord(
        system=MARKETO,
        type="person",
        id=str(record_id),
        stream=str(record_id),
        fields=without_ours(row),
        key=ours.key,
        revision=ours.revision,
        email=email if isinstance(email, str) else None,
        time=time_of(found.get("updatedAt")),
        who=WHO,
    )


def people_in_file(lines: Iterable[str], columns: Sequence[str]) -> Iterator[ReadRecord]:
    """The people of a file, line by line. Raises ValueError where it is no such file."""
    csv.field_size_limit(VALUE_CHARACTERS_MAX * 2)
    reader = csv.DictReader(lines)
    if "id" not in (reader.fieldnames or ()):
        raise ValueError("the extract's first line names no column `id`")
    for row in reader:
        if None in row or None in row.values():
            raise ValueError(f"the extract's line {reader.line_num} has another number of cells than the first one")
        person = person_of({name: None if cell == EMPTY else cell for name, cell in row.items()}, columns)
        if person is None:
            raise ValueError(f"the extract's line {reader.line_num} has no id")
        yield person
