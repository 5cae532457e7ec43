"""What a contract asks of a message beyond its members' types: what its kind needs, a record's type, and the form of times.

The decoder could do it (`__post_init__`, `pattern`), at a call into Python for each record and a regular expression for
each time: as long again as decoding itself. Here it is one call a message, and a time that was seen before is known.
`tests/test_codec.py` holds both together equal to the pydantic models.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from operator import attrgetter
from typing import Any

from msgspec import Struct, ValidationError

from schemas.apply_command import REQUIRED_BY_OPERATION
from schemas.person_change import REQUIRED_BY_KIND as REQUIRED_BY_PERSON_KIND
from schemas.source_change import REQUIRED_BY_KIND as REQUIRED_BY_SOURCE_KIND
from schemas.vocabulary import RECORD_KINDS, TIME_PATTERN
from streams.sync.messages import Activity, ApplyCommand, ApplyResult, PersonChange, Record, SourceChange

Needed = Mapping[str, Callable[[Any], tuple[Any, ...]]]

TIMES_REMEMBERED = 16_384
"""A time is read as often as its message is handed on, and an edit's returns with its landing."""

# Python's `$` also matches before a last newline, which neither pydantic's engine nor ECMA 262 lets through.
_time = re.compile(TIME_PATTERN.removesuffix("$") + r"\Z").match
_times: set[str] = set()


def _needed(required: Mapping[Any, tuple[str, ...]], member: str) -> Needed:
    """For each kind, what gets all members that it needs at once; the kind itself, twice, makes it a tuple in any case."""
    return {kind: attrgetter(member, member, *names) for kind, names in required.items()}


_NEEDED_OF_SOURCE = _needed(REQUIRED_BY_SOURCE_KIND, "kind")
_NEEDED_OF_PERSON = _needed(REQUIRED_BY_PERSON_KIND, "kind")
_NEEDED_OF_COMMAND = _needed(REQUIRED_BY_OPERATION, "operation")
_rare = attrgetter("updated_at", "other", "winner", "contact")
_NOTHING_RARE = (None, None, None, None)


def check_source_change(change: SourceChange) -> None:
    """Raises ValidationError, as all of these do."""
    if None in _NEEDED_OF_SOURCE[change.kind](change):
        _refuse_for_what_it_needs(change, REQUIRED_BY_SOURCE_KIND, change.kind)
    _check_what_both_have(change, change.record)


def check_person_change(change: PersonChange) -> None:
    if None in _NEEDED_OF_PERSON[change.kind](change):
        _refuse_for_what_it_needs(change, REQUIRED_BY_PERSON_KIND, change.kind)
    _check_what_both_have(change, change.record)


def _check_what_both_have(change: SourceChange | PersonChange, record: Record | None) -> None:
    if record is not None and record.type not in RECORD_KINDS[record.system]:
        _refuse_record(record, "record")
    if change.time is not None and change.time not in _times:
        _check_time(change.time, "time")
    if _rare(change) != _NOTHING_RARE:
        check_times(change, "updated_at")
        check_records(change, "other", "winner", "contact")


def check_apply_result(result: ApplyResult) -> None:
    check_times(result, "time")
    check_records(result, "record")
    if result.row is not None:
        check_times(result.row, "time", "row.")
        check_records(result.row, "record", within="row.")


def check_apply_command(command: ApplyCommand) -> None:
    if None in _NEEDED_OF_COMMAND[command.operation](command):
        _refuse_for_what_it_needs(command, REQUIRED_BY_OPERATION, command.operation)
    check_records(command, "record")


def check_activity(activity: Activity) -> None:
    check_times(activity, "time")
    check_records(activity, "record")
    for name in ("marketo", "dynamics"):
        if (edit := getattr(activity, name)) is not None:
            check_times(edit, "time", f"{name}.")


def check_times(message: Struct, name: str, within: str = "") -> None:
    text = getattr(message, name)
    if text is not None and text not in _times:
        _check_time(text, within + name)


def _check_time(text: str, place: str) -> None:
    if _time(text) is None:
        raise ValidationError(f"{text!r} is no time of RFC 3339 with a zone - at `$.{place}`")
    if len(_times) >= TIMES_REMEMBERED:
        _times.clear()
    _times.add(text)


def check_records(message: Struct, *names: str, within: str = "") -> None:
    for name in names:
        record = getattr(message, name)
        if record is not None and record.type not in RECORD_KINDS[record.system]:
            _refuse_record(record, within + name)


def _refuse_record(record: Record, place: str) -> None:
    allowed = ", ".join(RECORD_KINDS[record.system])
    raise ValidationError(f"{record.system} has no record type {record.type!r}: {allowed} - at `$.{place}`")


def _refuse_for_what_it_needs(message: Any, required: Mapping[Any, tuple[str, ...]], kind: str) -> None:
    name = next(name for name in required[kind] if getattr(message, name) is None)
    raise ValidationError(f"a change of kind {kind!r} needs {name}")
