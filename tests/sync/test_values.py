"""Values between their three spellings: a table of pairs for each type, and tables of what is refused."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, get_args

import pytest

from schemas.limits import INTEGER_MAX
from schemas.vocabulary import SYSTEMS, System
from streams.sync.policy import FieldRule, FieldType
from streams.sync.values import DYNAMICS_LIMITS, Unconvertible, canonical, shown, to_system

OPTIONS = {"Hot": 1, "Warm": 2, "Cold": 3, "7": 70, "70": 7, "8": 80}
"""Labels of words, and some that read like numbers: of an option each, of none."""
TYPES: tuple[FieldType, ...] = get_args(FieldType)


def rule(field_type: FieldType) -> FieldRule:
    options = OPTIONS if field_type in ("option", "options") else None
    return FieldRule(name="field", type=field_type, marketo="field", lead="field", options=options)


def same(one: Any, other: Any) -> bool:
    """Equal and of the same kind: 1, 1.0 and true are three values in JSON."""
    return bool(one == other) and type(one) is type(other)


# In each row the first spelling of a system is the one that is written to it; all of them are read.
# Marketo: rows give JSON's types, the change feed gives texts. Dynamics: rows, and 64-bit and decimal numbers as texts.
PAIRS: tuple[tuple[FieldType, tuple[Any, ...], Any, tuple[Any, ...]], ...] = (
    ("text", ("CTO",), "CTO", ("CTO",)),
    ("text", ("  kept as typed ",), "  kept as typed ", ("  kept as typed ",)),
    ("text", ("0012.50",), "0012.50", ("0012.50",)),
    ("text", ("12", 12), "12", ("12", 12)),
    ("text", ("12.5", 12.5), "12.5", ("12.5", 12.5)),
    ("text", ("true", True), "true", ("true", True)),
    ("text", ("Zürich 😀\r\n",), "Zürich 😀\r\n", ("Zürich 😀\r\n",)),
    ("email", ("Ada@Example.com",), "Ada@Example.com", ("Ada@Example.com",)),
    ("phone", ("+44 (0)20 7946-0018",), "+44 (0)20 7946-0018", ("+44 (0)20 7946-0018",)),
    ("phone", ("5551", 5551), "5551", ("5551", 5551)),
    ("url", ("http://example.com/",), "http://example.com/", ("http://example.com/",)),
    ("integer", (12, "12", 12.0, "12.0", "1.2E1"), 12, (12, "12")),
    ("integer", (-7, "-7"), -7, (-7,)),
    ("integer", (0, "0", "-0", -0.0), 0, (0, -0.0)),
    ("integer", (30, "30"), 30, (30,)),  # a percentage, a score
    ("integer", (INTEGER_MAX, str(INTEGER_MAX)), INTEGER_MAX, (INTEGER_MAX, str(INTEGER_MAX))),
    ("decimal", (0.1, "0.1"), 0.1, (0.1, "0.1000000000")),
    ("decimal", (10.4, "10.40"), 10.4, (10.4,)),  # a currency
    ("decimal", (1234.5, "1234.5", "1.2345E3"), 1234.5, (1234.5, "1234.5000")),
    ("decimal", (1000, "1e3", "1000.00", 1000.0), 1000, (1000, 1000.0, "1000.0000000000")),
    ("decimal", (10_000_000, "1.0E7"), 10_000_000, (10_000_000,)),
    ("decimal", (0, -0.0, "-0.0", "0e5"), 0, (0, "0.0000")),
    ("decimal", (1e-10, "1.0E-10"), 1e-10, (1e-10, "0.0000000001")),
    ("decimal", (-922337203685477.5,), -922337203685477.5, (-922337203685477.5, "-922337203685477.5000")),
    ("boolean", (True, "true", "True", "1", 1), True, (True, 1)),
    ("boolean", (False, "false", "False", "0", 0), False, (False, 0)),
    ("date", ("2026-09-01",), "2026-09-01", ("2026-09-01",)),
    ("date", ("2028-02-29",), "2028-02-29", ("2028-02-29",)),
    ("date", ("1753-01-01",), "1753-01-01", ("1753-01-01",)),
    (
        "datetime",
        (
            "2026-09-01T09:14:07Z",
            "2026-09-01T09:14:07+0000",
            "2026-09-01T09:14:07Z+0000",
            "2026-09-01T09:14:07.000Z",
            "2026-09-01T04:14:07-05:00",
            "2026-09-01T04:14:07-0500",
        ),
        "2026-09-01T09:14:07Z",
        ("2026-09-01T09:14:07Z", "2026-09-01T09:14:07+00:00", "2026-09-01T09:14:07.0000000Z"),
    ),
    (
        "datetime",
        ("2026-08-31T23:14:00Z", "2026-09-01T01:14:00+02:00"),
        "2026-08-31T23:14:00Z",
        ("2026-08-31T23:14:00Z",),
    ),
    (
        "datetime",
        ("2026-09-01T09:14:07.5Z", "2026-09-01T09:14:07.500+0000"),
        "2026-09-01T09:14:07.5Z",
        ("2026-09-01T09:14:07.5Z",),
    ),
    (
        "datetime",
        ("2026-09-01T09:14:07.123456789Z",),
        "2026-09-01T09:14:07.123456789Z",
        ("2026-09-01T09:14:07.123456789Z",),
    ),
    ("option", ("Warm", 2, "2", 2.0), "Warm", (2, "2", 2.0, "Warm")),
    ("option", ("7", 7), "7", (70, "70")),
    ("option", ("70", 70), "70", (7, "7")),
    ("option", ("8", "80"), "8", (80, "8")),
    ("options", ("Hot;Cold", "Cold;Hot", "Cold; Hot", "3;1", "Hot;3;Hot"), ("Hot", "Cold"), ("1,3", "3,1", "1, 3")),
    ("options", ("Hot;Cold", ("Cold", "Hot")), ("Hot", "Cold"), ("1,3", ("3", "1"), ("Hot", "Cold"))),
    ("options", ("Warm", 2, "2"), ("Warm",), ("2", 2)),
    ("options", ("7;70",), ("7", "70"), ("70,7", "7,70")),
)


def spellings() -> Iterator[tuple[FieldType, System, Any, Any]]:
    for field_type, marketo, value, dynamics in PAIRS:
        yield from ((field_type, "marketo", spelt, value) for spelt in marketo)
        yield from ((field_type, "dynamics", spelt, value) for spelt in dynamics)


@pytest.mark.parametrize(("field_type", "system", "spelt", "value"), list(spellings()))
def test_a_value_becomes_its_canonical_form(field_type: FieldType, system: System, spelt: Any, value: Any) -> None:
    """Each spelling that says the same comes to the same value, of the same kind."""
    assert same(canonical(rule(field_type), system, spelt), value)


@pytest.mark.parametrize(("field_type", "marketo", "value", "dynamics"), PAIRS)
def test_each_system_is_written_its_own_spelling(
    field_type: FieldType, marketo: Any, value: Any, dynamics: Any
) -> None:
    """Options are words in Marketo and numbers in Dynamics; the rest is alike."""
    assert same(to_system(rule(field_type), "marketo", value), marketo[0])
    assert same(to_system(rule(field_type), "dynamics", value), dynamics[0])


def test_every_type_has_its_pairs() -> None:
    """A type without a row here would be a conversion that nobody tried."""
    assert {row[0] for row in PAIRS} == set(TYPES)


@pytest.mark.parametrize("field_type", TYPES)
@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize("empty", [None, "", (), []])
def test_empty_is_one_value(field_type: FieldType, system: System, empty: Any) -> None:
    """Null, the empty text and the empty list are null in every field, and null is written as null."""
    assert canonical(rule(field_type), system, empty) is None
    assert to_system(rule(field_type), system, None) is None


STAYS: tuple[tuple[FieldType, System, Any], ...] = (
    ("text", "marketo", ("a", "list")),
    *(
        ("integer", "marketo", spelt)
        for spelt in (
            "12.5",
            12.5,
            "012",
            " 12",
            "+12",
            "1_000",
            "1,000",
            "30%",
            "٣",
            "many",
            "9" * 30,
            INTEGER_MAX * 2.0,
        )
    ),
    ("integer", "marketo", str(INTEGER_MAX + 1)),
    ("integer", "dynamics", True),
    *(("decimal", "marketo", spelt) for spelt in ("1,5", "1.234,50", "€10.40", ".5", "5.", "NaN", "1e999", "1e-999")),
    ("decimal", "dynamics", "922337203685477.5807"),  # more digits than a number of ours keeps
    ("decimal", "dynamics", "0.10000000000000000000001"),
    ("decimal", "dynamics", "9007199254740993.0"),
    ("decimal", "dynamics", False),
    *(("boolean", "marketo", spelt) for spelt in ("yes", "No", "on", "T", " true", "1.0", "-1")),
    ("boolean", "dynamics", 2),
    ("date", "marketo", "2026-02-30"),
    ("date", "marketo", "01.09.2026"),
    ("date", "marketo", "9/1/2026"),
    ("date", "marketo", "2026-9-1"),
    ("date", "marketo", "2026-09-01T00:00:00Z"),  # midnight of which zone? Such a column's type is datetime
    ("date", "dynamics", "2026-09-01T00:00:00Z"),
    ("date", "dynamics", 20260901),
    *(
        ("datetime", "marketo", spelt)
        for spelt in (
            "2026-09-01",
            "2026-09-01T09:14:07",
            "2026-09-01 09:14:07Z",
            "2026-09-01T09:14Z",
            "2026-02-30T09:14:07Z",
            "2026-09-01T24:00:00Z",
            "2026-09-01T09:14:60Z",
            "2026-09-01T09:14:07+05:00+0000",
            "2026-09-01T09:14:07+24:00",
            "2026-09-01T09:14:07.000t+0000",
            "2026-09-01T09:14:07Z\n",
        )
    ),
    ("datetime", "dynamics", 1_788_254_047),
    ("datetime", "marketo", "0001-01-01T00:00:00+05:00"),  # the year 0 has no name in UTC
    *(("option", "dynamics", spelt) for spelt in (9, True, "warm", " 2", "02", 2.5, "8.0", ("Hot",))),
    ("option", "dynamics", 8),  # a number of no option, though a label is spelt so
    *(("option", "marketo", spelt) for spelt in ("Tepid", "warm", "Warm ", "9", 9, True, "Hot;Cold")),
    *(("options", "dynamics", spelt) for spelt in ("1,9", "1;2", "1,", True, "Hot; Cold")),
    *(
        ("options", "marketo", spelt)
        for spelt in ("Hot,Cold", "Hot;Tepid", "Hot;cold", "Hot;9", ";", "Hot;", "Hot;\nCold")
    ),
)


@pytest.mark.parametrize(("field_type", "system", "value"), STAYS)
def test_what_the_type_cannot_say_stays_as_it_came_and_is_not_written(
    field_type: FieldType, system: System, value: Any
) -> None:
    """Neither cut nor guessed: the value is kept, and each system is spared it."""
    found = canonical(rule(field_type), system, value)
    assert same(found, value)
    for receiver in SYSTEMS:
        with pytest.raises(Unconvertible):
            to_system(rule(field_type), receiver, found)


MANY = tuple(f"Option {number}" for number in range(151))

BEYOND: tuple[tuple[FieldType, Any, str], ...] = (
    ("datetime", "1752-12-31T23:59:59Z", "from 1753 on"),
    ("date", "0987-09-01", "from 1753 on"),
    ("decimal", 0.12345678901, "with at most 10 decimals"),
    ("decimal", 1e-11, "with at most 10 decimals"),
    ("options", MANY, "at most 150 at once"),
)


@pytest.mark.parametrize(("field_type", "value", "said"), BEYOND)
def test_what_dynamics_cannot_hold_exactly_is_written_to_marketo_only(
    field_type: FieldType, value: Any, said: str
) -> None:
    """Cut or rounded it would come back as something that nobody entered."""
    asked = FieldRule(name="field", type=field_type, options={label: number for number, label in enumerate(MANY)})
    with pytest.raises(Unconvertible, match=said):
        to_system(asked, "dynamics", value)
    assert same(canonical(asked, "marketo", to_system(asked, "marketo", value)), value)


def test_every_limit_is_tried() -> None:
    """A limit without a row above would be one that nobody has seen refuse."""
    assert {row[0] for row in BEYOND} == set(DYNAMICS_LIMITS)


NOT_OF_THE_TYPE: tuple[tuple[FieldType, Any], ...] = (
    ("text", 12),
    ("integer", INTEGER_MAX + 1),
    ("decimal", float("inf")),
    ("decimal", float("nan")),
    ("boolean", 1),
    ("datetime", "2026-09-01T09:14:07+02:00"),
    ("option", ("Hot",)),
    ("option", 1),
    ("options", "Hot"),
)


@pytest.mark.parametrize(("field_type", "value"), NOT_OF_THE_TYPE)
@pytest.mark.parametrize("system", SYSTEMS)
def test_what_is_not_canonical_is_refused(field_type: FieldType, value: Any, system: System) -> None:
    """A value of another type or spelling raises, whichever system it was meant for."""
    with pytest.raises(Unconvertible):
        to_system(rule(field_type), system, value)


def test_a_refusal_says_what_was_found_and_what_is_allowed() -> None:
    """The message is for the person who will correct the value."""
    with pytest.raises(Unconvertible) as caught:
        to_system(FieldRule(name="rating", type="option", options={"Hot": 1, "Cold": 3}), "dynamics", "Tepid")
    error = caught.value
    assert str(error) == 'rating holds "Tepid"; it takes one of the field\'s options: Hot, Cold'
    assert (error.field, error.type, error.value) == ("rating", "option", "Tepid")
    with pytest.raises(Unconvertible, match=r"it takes a date such as 2026-09-01, from 1753 on$"):
        to_system(rule("date"), "dynamics", "1066-10-14")


def test_a_long_value_is_shortened_in_messages_only() -> None:
    """30,000 characters are not for an activity log."""
    assert shown("x" * 30_000).endswith("… (30002 characters)")
    assert len(shown("x" * 30_000)) < 120
