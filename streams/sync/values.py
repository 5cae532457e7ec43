"""One value, three spellings: Marketo's, Dynamics' and the canonical one in which they are compared and kept.

A conversion is lossless or it does not happen. What a system holds and its field's type cannot say (a word in a date field,
an option number that the policy's table lacks) stays exactly as it came, so that it is compared, stored and shown
truthfully; only `to_system` refuses it, when it would have to be written to the other side (design, "Policy": "Field types
convert losslessly or the field's sync fails; never truncate"). Null, the empty text and the empty list are one value.

Option sets are numbers in Dynamics and words in Marketo; the canonical form is the word, by the policy's own table. A
multi-select is `1,3` in Dynamics and `A;B` in Marketo: a set, so its canonical order is the table's.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from math import isfinite

from schemas.vocabulary import INTEGER_MAX, System
from streams.sync.messages import Value
from streams.sync.policy import TEXT_TYPES, FieldRule, FieldType

EXPECTED: Mapping[FieldType, str] = {
    "text": "text",
    "email": "text (an e-mail address)",
    "phone": "text (a phone number)",
    "url": "text (a URL)",
    "integer": "a whole number of at most 64 bits",
    "decimal": "a number",
    "boolean": "true or false",
    "date": "a date such as 2026-09-01",
    "datetime": "a time with its zone such as 2026-09-01T09:14:07Z",
    "option": "one of the field's options",
    "options": "a list of the field's options",
}
"""What each type takes, as a person reads it in an error."""

SHOWN_CHARACTERS_MAX = 80
NUMBER_CHARACTERS_MAX = 40
"""Longer digit strings than this are no number of either system; it also bounds what is parsed."""

_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]{1,3})?")
_OPTION_NUMBER = re.compile(r"0|-?[1-9][0-9]{0,17}")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_DATETIME = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})T((?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9])"
    r"(?:\.([0-9]{1,9}))?(Z|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])"
)
_BOOLEANS = {"true": True, "false": False, "1": True, "0": False}


class Unconvertible(ValueError):  # noqa: N818  it is an answer that the core acts on, not a failure of ours
    """A canonical value that is not of its field's type: the field's sync fails, nothing is guessed or cut."""

    def __init__(self, rule: FieldRule, value: Value) -> None:
        self.field = rule.name
        self.type: FieldType = rule.type
        self.value = value
        self.expected = EXPECTED[rule.type] + _options_shown(rule)
        super().__init__(f"{self.field} holds {shown(value)}; it takes {self.expected}")


def shown(value: Value) -> str:
    """The value as JSON, shortened: for messages only."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= SHOWN_CHARACTERS_MAX else f"{text[:SHOWN_CHARACTERS_MAX]}… ({len(text)} characters)"


def _options_shown(rule: FieldRule) -> str:
    return f": {', '.join(list(rule.options)[:20])}" if rule.options else ""


def canonical(rule: FieldRule, system: System, value: Value) -> Value:
    """A system's value in canonical form; one that the field's type cannot say is given back as it is."""
    if value is None:
        return None
    if type(value) is str:
        if not value:
            return None
        if rule.type in TEXT_TYPES:
            return value
    elif isinstance(value, (tuple, list)) and not value:
        return None
    return _CANONICAL[rule.type](rule, system, value)


def to_system(rule: FieldRule, system: System, value: Value) -> Value:
    """The canonical value as this system spells it. Raises Unconvertible where it is not of the field's type."""
    if value is None:
        return None
    if type(value) is str and rule.type in TEXT_TYPES:
        return value
    if not _IS_OF_TYPE[rule.type](rule, value):
        raise Unconvertible(rule, value)
    if rule.type == "option":
        return _option_to_system(rule, system, value)
    if rule.type == "options":
        return _options_to_system(rule, system, value)
    return value


def _text(rule: FieldRule, system: System, value: Value) -> Value:
    """Numbers and booleans in a text field become their JSON text; a list is no text and stays."""
    return json.dumps(value) if isinstance(value, (bool, int, float)) and _is_finite(value) else value


def _integer(rule: FieldRule, system: System, value: Value) -> Value:
    number = _number(rule, system, value)
    return number if isinstance(number, int) else value


def _number(rule: FieldRule, system: System, value: Value) -> Value:
    if isinstance(value, str):
        return _number_of_text(value)
    return _whole_if_whole(value) if isinstance(value, float) else value


def _number_of_text(text: str) -> Value:
    """JSON's spelling of a number, if the number it names survives; 0.1 does, a 30-digit fraction does not."""
    if len(text) > NUMBER_CHARACTERS_MAX or not _NUMBER.fullmatch(text):
        return text
    if text.lstrip("-").isdigit():
        whole = int(text)
        return whole if abs(whole) <= INTEGER_MAX else text
    number = float(text)
    if not isfinite(number) or Decimal(repr(number)) != Decimal(text):
        return text
    return _whole_if_whole(number)


def _whole_if_whole(number: float) -> int | float:
    """12.0 and 12 are one number and must not differ as JSON."""
    return int(number) if isfinite(number) and number.is_integer() and abs(number) <= INTEGER_MAX else number


def _boolean(rule: FieldRule, system: System, value: Value) -> Value:
    if isinstance(value, str):
        return _BOOLEANS.get(value.lower(), value)
    return bool(value) if isinstance(value, (int, float)) and value in (0, 1) else value


def _unchanged(rule: FieldRule, system: System, value: Value) -> Value:
    return value


def _datetime(rule: FieldRule, system: System, value: Value) -> Value:
    """The same instant in UTC; the fraction of a second is carried as digits, so that none is lost."""
    match = _DATETIME.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        return value
    day, clock, fraction, zone = match.groups()
    try:
        instant = datetime.fromisoformat(f"{day}T{clock}{'+00:00' if zone == 'Z' else zone}").astimezone(UTC)
    except (ValueError, OverflowError):  # no such day, or a year before 1 or after 9999 in UTC
        return value
    digits = (fraction or "").rstrip("0")
    return f"{instant.date()}T{instant:%H:%M:%S}{f'.{digits}' if digits else ''}Z"


def _option(rule: FieldRule, system: System, value: Value) -> Value:
    if system == "marketo":
        return value
    label = _label(rule, value)
    return value if label is None else label


def _label(rule: FieldRule, value: object) -> str | None:
    """The label of a Dynamics option number, written as a number or as its digits."""
    if isinstance(value, str):
        value = int(value) if _OPTION_NUMBER.fullmatch(value) else None
    if value is None or isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    for label, number in _table(rule).items():
        if number == value:
            return label
    return None


def _options(rule: FieldRule, system: System, value: Value) -> Value:
    """All of the options are known, or the value stays whole as it came."""
    labels = {_part_label(rule, system, part) for part in _parts(system, value)}
    if not labels or None in labels:
        return value
    return tuple(label for label in _table(rule) if label in labels)


def _parts(system: System, value: Value) -> list[object]:
    if isinstance(value, str):
        separator = ";" if system == "marketo" else ","
        return [part.strip() for part in value.split(separator)]
    return list(value) if isinstance(value, (tuple, list)) else [value]


def _part_label(rule: FieldRule, system: System, part: object) -> str | None:
    """A list may also hold labels on the Dynamics side: rows read with their formatted values do."""
    if isinstance(part, str) and part in _table(rule):
        return part
    return None if system == "marketo" else _label(rule, part)


def _option_to_system(rule: FieldRule, system: System, value: Value) -> Value:
    return value if system == "marketo" else _table(rule)[str(value)]


def _options_to_system(rule: FieldRule, system: System, value: Value) -> Value:
    labels = value if isinstance(value, (tuple, list)) else ()
    if system == "marketo":
        return ";".join(labels)
    return ",".join(str(_table(rule)[label]) for label in labels)


def _table(rule: FieldRule) -> Mapping[str, int]:
    return rule.options or {}


def _is_finite(value: Value) -> bool:
    return not isinstance(value, float) or isfinite(value)


def _is_text(rule: FieldRule, value: Value) -> bool:
    return isinstance(value, str)


def _is_integer(rule: FieldRule, value: Value) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) <= INTEGER_MAX


def _is_decimal(rule: FieldRule, value: Value) -> bool:
    return _is_integer(rule, value) or (isinstance(value, float) and isfinite(value))


def _is_boolean(rule: FieldRule, value: Value) -> bool:
    return isinstance(value, bool)


def is_date(text: str) -> bool:
    """A day that the calendar has, as YYYY-MM-DD."""
    if not _DATE.fullmatch(text):
        return False
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def is_datetime(text: str) -> bool:
    """A day and time that exist, with a zone."""
    match = _DATETIME.fullmatch(text)
    return match is not None and is_date(match[1])


def _is_date(rule: FieldRule, value: Value) -> bool:
    return isinstance(value, str) and is_date(value)


def _is_datetime(rule: FieldRule, value: Value) -> bool:
    return isinstance(value, str) and is_datetime(value)


def _is_option(rule: FieldRule, value: Value) -> bool:
    return isinstance(value, str) and value in _table(rule)


def _is_options(rule: FieldRule, value: Value) -> bool:
    return isinstance(value, (tuple, list)) and all(label in _table(rule) for label in value)


_CANONICAL: Mapping[FieldType, Callable[[FieldRule, System, Value], Value]] = {
    **dict.fromkeys(TEXT_TYPES, _text),
    "integer": _integer,
    "decimal": _number,
    "boolean": _boolean,
    "date": _unchanged,
    "datetime": _datetime,
    "option": _option,
    "options": _options,
}

_IS_OF_TYPE: Mapping[FieldType, Callable[[FieldRule, Value], bool]] = {
    **dict.fromkeys(TEXT_TYPES, _is_text),
    "integer": _is_integer,
    "decimal": _is_decimal,
    "boolean": _is_boolean,
    "date": _is_date,
    "datetime": _is_datetime,
    "option": _is_option,
    "options": _is_options,
}
