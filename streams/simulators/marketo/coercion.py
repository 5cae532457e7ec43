"""What a field makes of a value that comes in over REST, and how values are spelled in activities and files.

Marketo takes numbers and booleans as text too. Null and the empty text are both stored as null. Times are kept in whole
seconds of UTC.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from math import isfinite
from typing import Any

from streams.simulators.marketo.envelope import Skipped
from streams.simulators.marketo.fields import FieldDefinition
from streams.sync.messages import Value
from streams.sync.values import is_date

_INTEGER = re.compile(r"[+-]?[0-9]{1,18}")
_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]{1,3})?")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")
_DATETIME = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]+)?)?(Z|[+-][0-9]{2}:?[0-9]{2})?"
)
_BOOLEANS = {"true": True, "false": False, "1": True, "0": False, "yes": True, "no": False}
INTEGER_MAX = 2**63 - 1


def coerced(field: FieldDefinition, value: Any) -> Value:
    """The value as the field takes it. Raises Skipped (1001, 1003)."""
    if value is None or value == "":
        return None
    if isinstance(value, (dict, list)):
        raise _mismatch(field, value)
    return _BY_TYPE.get(field.data_type, _text)(field, value)


def spelled(value: Value) -> str | None:
    """A value in an activity, and in a file: text, or null."""
    if value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    return ";".join(value) if isinstance(value, tuple) else str(value)


def moment(text: str) -> datetime | None:
    """A point in time in ISO 8601; without a zone, UTC. None where it is none."""
    if not _DATETIME.fullmatch(text):
        return None
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        return None
    return parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)


def in_seconds(seconds: float) -> str:
    """A time as Marketo's answers spell it."""
    return datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _text(field: FieldDefinition, value: Any) -> Value:
    text = value if isinstance(value, str) else spelled(value) or ""
    size = len(text.encode()) if field.data_type in ("text", "textArea") else len(text)
    if field.length is not None and size > field.length:
        raise Skipped("1003", f"Value for field '{field.name}' exceeds max length of {field.length}")
    return text


def _email(field: FieldDefinition, value: Any) -> Value:
    text = _text(field, value)
    if not isinstance(text, str) or not text.isascii() or not _EMAIL.fullmatch(text):
        raise Skipped("1003", f"Invalid data: field '{field.name}' takes an e-mail address in ASCII")
    return text


def _integer(field: FieldDefinition, value: Any) -> Value:
    if isinstance(value, str) and _INTEGER.fullmatch(value):
        value = int(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) > INTEGER_MAX:
        raise _mismatch(field, value)
    return value


def _float(field: FieldDefinition, value: Any) -> Value:
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        value = float(value)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not isfinite(value):
        raise _mismatch(field, value)
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) < 2**53 else value


def _boolean(field: FieldDefinition, value: Any) -> Value:
    found = _BOOLEANS.get(str(value).lower())
    if found is None:
        raise _mismatch(field, value)
    return found


def _date(field: FieldDefinition, value: Any) -> Value:
    day = str(value)[:10]
    if not is_date(day) or (len(str(value)) > len(day) and moment(str(value)) is None):
        raise _mismatch(field, value)
    return day


def _datetime(field: FieldDefinition, value: Any) -> Value:
    parsed = moment(f"{value}T00:00:00Z" if is_date(str(value)) else str(value))
    if parsed is None:
        raise _mismatch(field, value)
    return parsed.strftime("%Y-%m-%dT%H:%M:%SZ")


def _mismatch(field: FieldDefinition, value: Any) -> Skipped:
    return Skipped("1001", f"Invalid value '{value}'. Required of type '{field.data_type}' for field '{field.name}'")


_BY_TYPE: Mapping[str, Callable[[FieldDefinition, Any], Value]] = {
    "boolean": _boolean,
    "currency": _float,
    "date": _date,
    "datetime": _datetime,
    "email": _email,
    "float": _float,
    "integer": _integer,
    "percent": _integer,
    "score": _integer,
}
