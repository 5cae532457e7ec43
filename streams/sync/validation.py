"""What a receiver would refuse, found before a command goes out (design, "Validation").

Dataverse enforces less than its forms do: it takes a record without an ApplicationRequired column, checks the formats
e-mail, phone and URL nowhere, and silently ignores a write to a column that is not valid for it ("Attribute metadata" of
the Dataverse developer guide). Marketo's sync fails on wrong formats and missing required fields all the same, so the
rules are kept here, and one violation fails the command as a whole. Codes are the receiver's own, so that an error found
here and one that the receiver answers read alike: "Web service error codes" of Dataverse, "Error codes" of Marketo's REST API.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Literal

from msgspec import Struct

from schemas.vocabulary import System
from streams.sync.messages import Value
from streams.sync.policy import AttributeRule, FieldType
from streams.sync.values import NUMBER_CHARACTERS_MAX, Unconvertible, is_date, is_datetime, shown

Fault = Literal["required", "unwritable", "type", "length", "range", "option", "format"]

CODES: Mapping[System, Mapping[Fault, str]] = {
    "dynamics": {
        "required": "0x80040203",  # "Attribute: X cannot be set to NULL"
        "unwritable": "0x80040203",  # Dataverse would ignore the write and say nothing; InvalidArgument is nearest
        "type": "0x80048d19",  # "Error identified in Payload": the literal cannot be converted to the column's type
        "length": "0x80044331",
        "range": "0x80044330",
        "option": "0x8004431A",
        "format": "0x80040203",  # checked by forms only
    },
    "marketo": {
        "required": "1002",
        "unwritable": "1003",
        "type": "1001",
        "length": "1003",
        "range": "1003",
        "option": "1003",
        "format": "1003",
    },
}
"""The code of each fault in the receiver's own terms."""

FAULT_OF_TYPE: Mapping[FieldType, Fault] = {"option": "option", "options": "option"}
"""What a value that is not of its field's type is called, where that is not `type`."""

EMAIL_CHARACTERS_MAX = 320
PHONE_CHARACTERS_MAX = 100
URL_CHARACTERS_MAX = 2_000

_EMAIL = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.)+[A-Za-z0-9-]{2,63}")
_PHONE = re.compile(r"(?=.*[0-9])[0-9A-Za-z +().,/:;#*_\u00a0-]+")
_URL = re.compile(r"(?:[A-Za-z][A-Za-z0-9+-]*://)?[^\s/?#@.]+(?:\.[^\s/?#@.]+)+(?:[/?#]\S*)?")


class Violation(Struct, frozen=True):
    """One field that the receiver's rules don't allow, with the receiver's code for it."""

    code: str
    field: str
    message: str
    value: Value


def first_violation(
    rules: Mapping[str, AttributeRule],
    writes: Mapping[str, Value],
    *,
    system: System,
    creating: bool,
    known_empty: Collection[str] = (),
    unchecked: Collection[str] = (),
) -> Violation | None:
    """The violation of the first column by name, or None; a column without a rule is allowed anything.

    All names and values are the receiver's own. `known_empty`: columns that will be empty after this write, of which the
    required ones violate. `unchecked`: columns whose value the receiver itself gave.
    """
    found = [
        violation
        for column, value in writes.items()
        if (rule := rules.get(column)) is not None
        and (violation := _violation(rule, system, column, value, creating)) is not None
    ]
    if creating or known_empty:
        found += _required(_missing(rules, writes, creating, known_empty), system)
    if not found:
        return None
    return min((each for each in found if each.field not in unchecked), key=lambda each: each.field, default=None)


def violation_of(error: Unconvertible, system: System, column: str) -> Violation:
    """An unconvertible value as a violation of the column that it was meant for."""
    code = CODES[system][FAULT_OF_TYPE.get(error.type, "type")]
    return Violation(code, column, f"{column} cannot take {shown(error.value)}: it takes {error.expected}", error.value)


def _missing(
    rules: Mapping[str, AttributeRule], writes: Mapping[str, Value], creating: bool, known_empty: Collection[str]
) -> Iterator[str]:
    """Required columns that are not written here and will be empty; on a create that is each one not written."""
    for column in rules if creating else known_empty:
        rule = rules.get(column)
        if rule is not None and rule.required and column not in writes:
            yield column


def _required(columns: Iterator[str], system: System) -> Iterator[Violation]:
    for column in columns:
        yield Violation(CODES[system]["required"], column, f"{column} is required and is empty", None)


def _violation(
    rule: AttributeRule | None, system: System, column: str, value: Value, creating: bool
) -> Violation | None:
    if rule is None:
        return None
    if not (rule.creatable if creating else rule.updatable):
        when = "when a record is created" if creating else "on a record that exists"
        return Violation(CODES[system]["unwritable"], column, f"{column} cannot be written {when}", value)
    if value is None or value == "" or value == ():
        return next(_required(iter((column,)), system)) if rule.required else None
    for fault, check in CHECKS:
        complaint = check(rule, value)
        if complaint:
            return Violation(CODES[system][fault], column, f"{column} {complaint}", value)
    return None


def _wrong_type(rule: AttributeRule, value: Value) -> str | None:
    fits = _TYPES.get(rule.format or "")
    return (
        None
        if fits is None or fits(value)
        else f"cannot take {shown(value)}: it takes {_TYPE_NAMES[rule.format or '']}"
    )


def _too_long(rule: AttributeRule, value: Value) -> str | None:
    if not isinstance(value, str):
        return None
    if rule.length_max is not None and len(value) > rule.length_max:
        return f"has {len(value)} characters; the maximum allowed length is {rule.length_max}"
    # A character takes four bytes at most, so the bytes are counted only of texts that might be too long.
    if rule.bytes_max is not None and len(value) * 4 > rule.bytes_max:
        size_bytes = len(value.encode("utf-8", "surrogatepass"))
        return f"has {size_bytes} bytes; the maximum is {rule.bytes_max}" if size_bytes > rule.bytes_max else None
    return None


def _out_of_range(rule: AttributeRule, value: Value) -> str | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    if rule.minimum is not None and value < rule.minimum:
        return f"is {value}; the least allowed is {rule.minimum:g}"
    if rule.maximum is not None and value > rule.maximum:
        return f"is {value}; the most allowed is {rule.maximum:g}"
    return None


def _unknown_option(rule: AttributeRule, value: Value) -> str | None:
    if rule.options is None:
        return None
    unknown = [part for part in _chosen(rule, value) if isinstance(part, bool) or part not in rule.options]
    allowed = ", ".join(str(option) for option in sorted(rule.options, key=str)[:20])
    return f"cannot take {shown(unknown[0])}: its options are {allowed}" if unknown else None


def _chosen(rule: AttributeRule, value: Value) -> list[str | int | float | bool]:
    """The options that a value names: several in one text where the column is a multi-select."""
    if isinstance(value, (tuple, list)):
        return list(value)
    if not rule.multiple or not isinstance(value, str):
        return [] if value is None else [value]
    numbers = any(isinstance(option, int) for option in rule.options or ())
    parts = [part.strip() for part in value.split("," if numbers else ";")]
    return [int(part) if numbers and _is_whole(part) else part for part in parts]


def _is_whole(part: str) -> bool:
    return len(part) <= NUMBER_CHARACTERS_MAX and part.removeprefix("-").isdecimal()


def _malformed(rule: AttributeRule, value: Value) -> str | None:
    fits = _FORMATS.get(rule.format or "")
    if fits is None or (isinstance(value, str) and fits(value)):
        return None
    return f"cannot take {shown(value)}: it takes {_FORMAT_NAMES[rule.format or '']}"


def is_email(text: str) -> bool:
    """ASCII and plausible, as Marketo asks; whether it exists is for a mail server to say."""
    return len(text) <= EMAIL_CHARACTERS_MAX and ".." not in text and _EMAIL.fullmatch(text) is not None


def is_phone(text: str) -> bool:
    """At least one digit among what people write into phone numbers, extensions and all: neither system asks for more."""
    return len(text) <= PHONE_CHARACTERS_MAX and _PHONE.fullmatch(text) is not None


def is_url(text: str) -> bool:
    """A host with a dot, with or without a scheme, as Dataverse's forms take it."""
    return len(text) <= URL_CHARACTERS_MAX and _URL.fullmatch(text) is not None


def _is_number(value: Value) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


_TYPES: Mapping[str, Callable[[Value], bool]] = {
    "date": lambda value: isinstance(value, str) and is_date(value),
    "datetime": lambda value: isinstance(value, str) and is_datetime(value),
    "integer": lambda value: _is_number(value) and isinstance(value, int),
    "decimal": _is_number,
    "boolean": lambda value: isinstance(value, bool),
}
_TYPE_NAMES: Mapping[str, str] = {
    "date": "a date such as 2026-09-01",
    "datetime": "a time with its zone such as 2026-09-01T09:14:07Z",
    "integer": "a whole number",
    "decimal": "a number",
    "boolean": "true or false",
}
_FORMATS: Mapping[str, Callable[[str], bool]] = {"email": is_email, "phone": is_phone, "url": is_url}
_FORMAT_NAMES: Mapping[str, str] = {
    "email": "an e-mail address in ASCII",
    "phone": "a phone number",
    "url": "a web address",
}

CHECKS: tuple[tuple[Fault, Callable[[AttributeRule, Value], str | None]], ...] = (
    ("type", _wrong_type),
    ("length", _too_long),
    ("range", _out_of_range),
    ("option", _unknown_option),
    ("format", _malformed),
)
"""What is asked of a value that is there, in the order in which it is asked."""
