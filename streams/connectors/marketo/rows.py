"""Rows of persons, put back to what they were at a place of the stream.

A creation lists no values and a row that is read shows what came later too. So the row is read, then the feed to its end: every
field that the feed shows to have changed after the place held, at the place, the first such change's old value.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from schemas.limits import ID_CHARACTERS_MAX
from streams.connectors.marketo.entries import FeedEntry, value_of
from streams.connectors.marketo.names import KEY_FIELD, OUR_FIELDS, REVISION_FIELD
from streams.sync.messages import Value

_KEY = re.compile(r".+#(0|[1-9][0-9]{0,5})", re.DOTALL)


class Ours(NamedTuple):
    """What our two fields say."""

    key: str | None = None
    revision: int | None = None

    @property
    def person_key(self) -> str | None:
        """For whom the record stands."""
        return None if self.key is None else self.key.rpartition("#")[0]

    @property
    def creation(self) -> int | None:
        """The number in the key."""
        return None if self.key is None else int(self.key.rpartition("#")[2])


def key_shown(value: Value) -> str | None:
    """A key of ours; None for what somebody else may have written there, whom no person could be called by."""
    if isinstance(value, str) and len(value) <= ID_CHARACTERS_MAX and _KEY.fullmatch(value):
        return value
    return None


def revision_shown(value: Value) -> int | None:
    """A revision of ours, which the feed spells as text."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 19:
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def ours_in(values: Mapping[str, Value]) -> Ours:
    """Our two fields among others."""
    return Ours(key_shown(values.get(KEY_FIELD)), revision_shown(values.get(REVISION_FIELD)))


def without_ours(values: Mapping[str, Value]) -> dict[str, Value]:
    """What is Marketo's own."""
    return {name: value for name, value in values.items() if name not in OUR_FIELDS}


def row_of(person: Mapping[str, Any], columns: Sequence[str]) -> dict[str, Value]:
    """A person as REST gives it: a column that is absent is empty. Our two fields stand among the columns."""
    return {name: value_of(person.get(name)) for name in (*columns, *OUR_FIELDS)}


def row_before(row: Mapping[str, Value], later: Iterable[FeedEntry]) -> dict[str, Value]:
    """What the row was before these entries of its record, given in the order in which they happened."""
    before = dict(row)
    for entry in reversed(list(later)):
        before |= {change.name: change.old for change in entry.changes if change.name in before}
    return before
