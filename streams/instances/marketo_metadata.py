"""The fields of a Marketo person, as its describe calls tell them ("Leads" and "Field Types" of the REST API guide).

`describe.json` says which fields REST can use, their types, lengths and who may write them; `describe2.json` says by which of
them people can be looked up. Neither knows of required fields or of lists of options: Marketo has none for a person.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from streams.instances.live import LiveColumn, LiveTable
from streams.policy.rule_files import COLUMN_NAMES, LENGTH_MAX
from streams.sync.policy import TEXT_TYPES, AttributeRule, FieldType, Format

TEXT_BYTES_MAX = 30_000
"""Of a text area; a character takes one to four of them."""

LONG_TEXTS = ("text", "textArea")
WORDS: tuple[FieldType, ...] = (*sorted(TEXT_TYPES), "option", "options")
"""What a text takes: options are words in Marketo."""

TYPES: Mapping[str, tuple[Format | None, tuple[FieldType, ...]]] = {
    "string": (None, WORDS),
    "text": (None, WORDS),
    "textArea": (None, WORDS),
    "reference": (None, WORDS),
    "email": ("email", ("email", "text")),
    "phone": ("phone", ("phone", "text")),
    "url": ("url", ("url", "text")),
    "integer": ("integer", ("integer",)),
    "score": ("integer", ("integer",)),
    "percent": ("integer", ("integer",)),
    "float": ("decimal", ("decimal", "integer")),
    "currency": ("decimal", ("decimal", "integer")),
    "boolean": ("boolean", ("boolean",)),
    "date": ("date", ("date",)),
    "datetime": ("datetime", ("datetime",)),
}
"""Marketo's type -> the format in a rule file, and the field types that fit."""


def person_table(described: Iterable[Mapping[str, Any]], searchable: Collection[str] | None) -> LiveTable:
    """From the results of describe.json; `searchable`: names from describe2.json, None where it could not be read."""
    columns = (_column(each, searchable) for each in described)
    return LiveTable("person", {column.name: column for column in columns if column is not None})


def searchable_fields(described: Iterable[Mapping[str, Any]]) -> frozenset[str]:
    """From the results of describe2.json: fields that are a key by themselves."""
    return frozenset(
        key[0]
        for each in described
        for key in each.get("searchableFields") or ()
        if isinstance(key, list) and len(key) == 1
    )


def _column(told: Mapping[str, Any], searchable: Collection[str] | None) -> LiveColumn | None:
    """A field that REST can't name is none for us."""
    rest = told.get("rest")
    name = rest.get("name") if isinstance(rest, Mapping) else None
    if not isinstance(rest, Mapping) or not isinstance(name, str) or not COLUMN_NAMES["marketo"].fullmatch(name):
        return None
    data_type = str(told.get("dataType", ""))
    shape, holds = TYPES.get(data_type, (None, ()))
    writable = rest.get("readOnly") is not True and data_type in TYPES
    rule = AttributeRule(
        name,
        length_max=None if data_type in LONG_TEXTS or shape not in (None, "email", "phone", "url") else _length(told),
        bytes_max=TEXT_BYTES_MAX if data_type in LONG_TEXTS else None,
        format=shape,
        creatable=writable,
        updatable=writable,
    )
    return LiveColumn(rule, data_type or "unknown", holds, searchable=searchable is None or name in searchable)


def _length(told: Mapping[str, Any]) -> int | None:
    length = told.get("length")
    return length if isinstance(length, int) and 1 <= length <= LENGTH_MAX else None
