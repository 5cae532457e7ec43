"""One value, three spellings: Marketo's, Dynamics' and the canonical one in which they are compared and kept.

A conversion is lossless or it does not happen. What a system holds and its field's type cannot say (a word in a date field,
an option number that the policy's table lacks) stays exactly as it came, so that it is compared, stored and shown
truthfully; only `to_system` refuses it, when it would have to be written to the other side (design, "Policy": "Field types
convert losslessly or the field's sync fails; never truncate"). Null, the empty text and the empty list are one value.

Option sets are numbers in Dynamics and words in Marketo; the canonical form is the word, by the policy's own table. Either
system may be found holding the other's spelling, which is taken where its own has no such option; it is written its own. A
multi-select is `1,3` in Dynamics and `A;B` in Marketo: a set, so its canonical order is the table's.

Several spellings of one value are read (Marketo's rows give JSON's own types, its change feed texts such as "True", "10.40"
and 2026-09-01T09:14:07+0000) and nothing is guessed: "yes", "1,5", a time without a zone, a time where a day belongs, "warm"
where the option is "Warm" are of no type. What no column of a type can hold exactly is not written (DYNAMICS_LIMITS). What
depends on the single column (length, range) is for the rules to say (`validation`). What is left shows when it has landed and
is a rewriting (design, "Sight, collisions, commands"): a decimal rounded to its column's precision, or kept by Marketo in
single precision; the fraction of a second; a text trimmed, or one that reads like a time and loses its last zeros.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from math import isfinite
from typing import Any, NamedTuple

from schemas.limits import INTEGER_MAX, VALUE_CHARACTERS_MAX
from schemas.vocabulary import System
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
    r"(?:\.([0-9]{1,9}))?(Z|[+-](?:[01][0-9]|2[0-3]):?[0-5][0-9])(?:(?<=Z)\+0000)?"  # Marketo also says Z+0000
)
_BOOLEANS = {"true": True, "false": False, "1": True, "0": False}


class Limit(NamedTuple):
    """What Dynamics can hold of a type's values, in any column of that type. `said`: the same for messages."""

    holds: Callable[[Any], bool]
    said: str


_FROM_1753 = Limit(lambda value: value >= "1753", "from 1753 on")

DYNAMICS_LIMITS: Mapping[FieldType, Limit] = {
    "date": _FROM_1753,
    "datetime": _FROM_1753,
    "decimal": Limit(lambda value: round(value, 10) == value, "with at most 10 decimals"),
    "options": Limit(lambda value: len(value) <= 150, "at most 150 at once"),
}
"""From "Behavior and format of the date and time column", "Column data types" and "Choices columns" of Dataverse. A whole
number has no limit of its own: a column of size Big holds 64 bits. Marketo's documents state no such limits."""


class Unconvertible(ValueError):  # noqa: N818  it is an answer that the core acts on, not a failure of ours
    """A canonical value that its field cannot take: the field's sync fails, nothing is guessed or cut."""

    def __init__(self, rule: FieldRule, value: Value, limit: Limit | None = None) -> None:
        self.field = rule.name
        self.type: FieldType = rule.type
        self.value = value
        self.expected = EXPECTED[rule.type] + (f", {limit.said}" if limit else "") + _options_shown(rule)
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
    """The canonical value as this system spells it. Raises Unconvertible where no field of the type can hold it there."""
    if value is None:
        return None
    if type(value) is str and rule.type in TEXT_TYPES:
        return value
    if not _IS_OF_TYPE[rule.type](rule, value):
        raise Unconvertible(rule, value)
    limit = DYNAMICS_LIMITS.get(rule.type) if system == "dynamics" else None
    if limit is not None and not limit.holds(value):
        raise Unconvertible(rule, value, limit)
    return _options_to_system(rule, system, value) if rule.type in ("option", "options") else value


def _text(rule: FieldRule, system: System, value: Value) -> Value:
    """Numbers and booleans in a text field become their JSON text; a list is no text and stays."""
    return json.dumps(value) if isinstance(value, (bool, int, float)) and isfinite(value) else value


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
        instant = datetime.fromisoformat(f"{day}T{clock}{zone}").astimezone(UTC)
    except (ValueError, OverflowError):  # no such day, or a year before 1 or after 9999 in UTC
        return value
    digits = (fraction or "").rstrip("0")
    return f"{instant.date()}T{instant:%H:%M:%S}{f'.{digits}' if digits else ''}Z"


def _option(rule: FieldRule, system: System, value: Value) -> Value:
    label = _label(rule, system, value)
    return value if label is None else label


def _label(rule: FieldRule, system: System, spelt: object) -> str | None:
    """The option of this word or number. What might be either is read as its own system spells options."""
    if isinstance(spelt, bool) or not isinstance(spelt, (str, int, float)):
        return None
    table = _table(rule)
    if system == "marketo" and str(spelt) in table:
        return str(spelt)
    number = int(spelt) if isinstance(spelt, str) and _OPTION_NUMBER.fullmatch(spelt) else spelt
    for label, its_number in table.items():
        if its_number == number:
            return label
    return spelt if isinstance(spelt, str) and spelt in table else None


def _options(rule: FieldRule, system: System, value: Value) -> Value:
    """All of the options are known, or the value stays whole as it came.

    Each is looked up once, and none after the first unknown one: a text has room for 65,000.
    """
    labels = set()
    for part in dict.fromkeys(_parts(system, value)):
        label = _label(rule, system, part)
        if label is None:
            return value
        labels.add(label)
    return tuple(label for label in _table(rule) if label in labels)


def _parts(system: System, value: Value) -> list[object]:
    """The parts of a multi-select; blanks beside a separator say nothing (`1, 9`)."""
    if isinstance(value, str):
        separator = ";" if system == "marketo" else ","
        return [part.strip(" ") for part in value.split(separator)]
    return list(value) if isinstance(value, (tuple, list)) else [value]


def _options_to_system(rule: FieldRule, system: System, value: Value) -> Value:
    if isinstance(value, str):
        return value if system == "marketo" else _table(rule)[value]
    labels = value if isinstance(value, (tuple, list)) else ()
    text = ";".join(labels) if system == "marketo" else ",".join(str(_table(rule)[label]) for label in labels)
    if len(text) > VALUE_CHARACTERS_MAX:
        raise Unconvertible(rule, value, Limit(lambda value: False, f"at most {VALUE_CHARACTERS_MAX} characters"))
    return text


def _table(rule: FieldRule) -> Mapping[str, int]:
    return rule.options or {}


def _is_integer(rule: FieldRule, value: Value) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) <= INTEGER_MAX


def _is_decimal(rule: FieldRule, value: Value) -> bool:
    return _is_integer(rule, value) or (isinstance(value, float) and isfinite(value))


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
    """In UTC: what has no name there (the year 0) would come back from no system as it was sent."""
    return isinstance(value, str) and value.endswith("Z") and is_datetime(value)


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
    **dict.fromkeys(TEXT_TYPES, lambda rule, value: isinstance(value, str)),
    "integer": _is_integer,
    "decimal": _is_decimal,
    "boolean": lambda rule, value: isinstance(value, bool),
    "date": _is_date,
    "datetime": _is_datetime,
    "option": _is_option,
    "options": _is_options,
}
