"""Values between their three spellings: as pairs, and for whatever a system may say."""

from __future__ import annotations

from typing import Any, get_args

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from schemas.vocabulary import INTEGER_MAX, SYSTEMS, System
from streams.sync.policy import FieldRule, FieldType
from streams.sync.values import Unconvertible, canonical, is_date, is_datetime, shown, to_system

OPTIONS = {"Hot": 1, "Warm": 2, "Cold": 3}
TYPES: tuple[FieldType, ...] = get_args(FieldType)
LONG_AGO = "0001-01-01T00:00:00+05:00"


def rule(field_type: FieldType) -> FieldRule:
    options = OPTIONS if field_type in ("option", "options") else None
    return FieldRule(name="field", type=field_type, marketo="field", lead="field", options=options)


PAIRS: tuple[tuple[FieldType, System, Any, Any], ...] = (
    ("text", "marketo", "CTO", "CTO"),
    ("text", "dynamics", "  kept as typed ", "  kept as typed "),
    ("text", "marketo", 12, "12"),
    ("text", "marketo", 12.5, "12.5"),
    ("text", "dynamics", True, "true"),
    ("email", "marketo", "ada@example.com", "ada@example.com"),
    ("phone", "dynamics", 5551, "5551"),
    ("url", "dynamics", "example.com", "example.com"),
    ("integer", "marketo", "12", 12),
    ("integer", "marketo", 12.0, 12),
    ("integer", "marketo", "12.0", 12),
    ("integer", "dynamics", 12, 12),
    ("integer", "marketo", "-7", -7),
    ("decimal", "marketo", "0.1", 0.1),
    ("decimal", "marketo", "1e3", 1000),
    ("decimal", "dynamics", 12.5, 12.5),
    ("decimal", "dynamics", -0.0, 0),
    ("boolean", "marketo", "true", True),
    ("boolean", "marketo", "False", False),
    ("boolean", "marketo", "1", True),
    ("boolean", "dynamics", 0, False),
    ("boolean", "dynamics", True, True),
    ("date", "marketo", "2026-09-01", "2026-09-01"),
    ("datetime", "marketo", "2026-09-01T09:14:07Z", "2026-09-01T09:14:07Z"),
    ("datetime", "dynamics", "2026-09-01T01:14:07.500+02:00", "2026-08-31T23:14:07.5Z"),
    ("datetime", "dynamics", "2026-09-01T09:14:07.000Z", "2026-09-01T09:14:07Z"),
    ("datetime", "dynamics", "2026-09-01T09:14:07.123456789Z", "2026-09-01T09:14:07.123456789Z"),
    ("datetime", "dynamics", "0987-09-01T09:14:07Z", "0987-09-01T09:14:07Z"),
    ("option", "dynamics", 2, "Warm"),
    ("option", "dynamics", "2", "Warm"),
    ("option", "marketo", "Warm", "Warm"),
    ("options", "dynamics", "3,1", ("Hot", "Cold")),
    ("options", "dynamics", ("3", "1"), ("Hot", "Cold")),
    ("options", "dynamics", 2, ("Warm",)),
    ("options", "marketo", "Cold;Hot", ("Hot", "Cold")),
    ("options", "marketo", "Cold; Hot", ("Hot", "Cold")),
    ("options", "marketo", ("Cold",), ("Cold",)),
)


@pytest.mark.parametrize(("field_type", "system", "value", "expected"), PAIRS)
def test_a_value_becomes_its_canonical_form(field_type: FieldType, system: System, value: Any, expected: Any) -> None:
    """Each spelling that says the same comes to the same value, of the same kind."""
    found = canonical(rule(field_type), system, value)
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize("field_type", TYPES)
@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize("empty", [None, "", (), []])
def test_empty_is_one_value(field_type: FieldType, system: System, empty: Any) -> None:
    """Null, the empty text and the empty list are null in every field, and null is written as null."""
    assert canonical(rule(field_type), system, empty) is None
    assert to_system(rule(field_type), system, None) is None


STAYS: tuple[tuple[FieldType, System, Any], ...] = (
    ("text", "marketo", ("a", "list")),
    ("integer", "marketo", "12.5"),
    ("integer", "marketo", 12.5),
    ("integer", "marketo", "012"),
    ("integer", "marketo", " 12"),
    ("integer", "marketo", "1_000"),
    ("integer", "marketo", "٣"),
    ("integer", "marketo", "9" * 30),
    ("integer", "marketo", "many"),
    ("integer", "dynamics", True),
    ("decimal", "marketo", "0.10000000000000000000001"),
    ("decimal", "marketo", "9007199254740993.0"),
    ("decimal", "marketo", "1e999"),
    ("decimal", "marketo", "1e-999"),
    ("decimal", "marketo", "NaN"),
    ("decimal", "marketo", "1,5"),
    ("boolean", "marketo", "yes"),
    ("boolean", "dynamics", 2),
    ("date", "marketo", "2026-02-30"),
    ("date", "marketo", "01.09.2026"),
    ("date", "marketo", "2026-09-01T00:00:00Z"),
    ("date", "dynamics", 20260901),
    ("datetime", "marketo", "2026-09-01"),
    ("datetime", "marketo", "2026-09-01T09:14:07"),
    ("datetime", "marketo", "2026-02-30T09:14:07Z"),
    ("datetime", "marketo", "2026-09-01T24:00:00Z"),
    ("datetime", "marketo", "2026-09-01 09:14:07Z"),
    ("option", "dynamics", 9),
    ("option", "dynamics", True),
    ("option", "marketo", "Tepid"),
    ("option", "marketo", "warm"),
    ("options", "dynamics", "1,9"),
    ("options", "dynamics", "1;2"),
    ("options", "marketo", "Hot,Cold"),
    ("options", "marketo", "Hot;Tepid"),
    ("options", "marketo", ";"),
)


@pytest.mark.parametrize(("field_type", "system", "value"), STAYS)
def test_what_the_type_cannot_say_stays_as_it_came_and_is_not_written(
    field_type: FieldType, system: System, value: Any
) -> None:
    """Neither cut nor guessed: the value is kept, and each system is spared it."""
    found = canonical(rule(field_type), system, value)
    assert found == value
    assert type(found) is type(value)
    for receiver in SYSTEMS:
        with pytest.raises(Unconvertible):
            to_system(rule(field_type), receiver, found)


def test_an_instant_outside_the_calendar_of_utc_stays() -> None:
    """The year 0 has no name in UTC; the text with its own zone is still a time and can be written."""
    assert canonical(rule("datetime"), "marketo", LONG_AGO) == LONG_AGO
    assert to_system(rule("datetime"), "dynamics", LONG_AGO) == LONG_AGO


WRITTEN: tuple[tuple[FieldType, Any, Any, Any], ...] = (
    ("text", "CTO", "CTO", "CTO"),
    ("integer", 12, 12, 12),
    ("decimal", 12.5, 12.5, 12.5),
    ("boolean", True, True, True),
    ("date", "2026-09-01", "2026-09-01", "2026-09-01"),
    ("option", "Warm", "Warm", 2),
    ("options", ("Hot", "Cold"), "Hot;Cold", "1,3"),
)


@pytest.mark.parametrize(("field_type", "value", "marketo", "dynamics"), WRITTEN)
def test_each_system_is_written_its_own_spelling(
    field_type: FieldType, value: Any, marketo: Any, dynamics: Any
) -> None:
    """Options are words in Marketo and numbers in Dynamics; the rest is alike."""
    assert to_system(rule(field_type), "marketo", value) == marketo
    assert to_system(rule(field_type), "dynamics", value) == dynamics


REFUSED: tuple[tuple[FieldType, Any], ...] = (
    ("text", 12),
    ("integer", INTEGER_MAX + 1),
    ("decimal", float("inf")),
    ("decimal", float("nan")),
    ("boolean", 1),
    ("option", ("Hot",)),
    ("option", 1),
    ("options", "Hot"),
)


@pytest.mark.parametrize(("field_type", "value"), REFUSED)
@pytest.mark.parametrize("system", SYSTEMS)
def test_what_is_not_of_the_type_is_refused(field_type: FieldType, value: Any, system: System) -> None:
    """A canonical value of another type raises, whichever system it was meant for."""
    with pytest.raises(Unconvertible):
        to_system(rule(field_type), system, value)


def test_a_refusal_says_what_was_found_and_what_is_allowed() -> None:
    """The message is for the person who will correct the value."""
    with pytest.raises(Unconvertible) as caught:
        to_system(rule("option"), "dynamics", "Tepid")
    error = caught.value
    assert str(error) == 'field holds "Tepid"; it takes one of the field\'s options: Hot, Warm, Cold'
    assert (error.field, error.type, error.value) == ("field", "option", "Tepid")


def test_a_long_value_is_shortened_in_messages_only() -> None:
    """30,000 characters are not for an activity log."""
    assert shown("x" * 30_000).endswith("… (30002 characters)")
    assert len(shown("x" * 30_000)) < 120


values = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-INTEGER_MAX, INTEGER_MAX),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=20),
    st.from_regex(r"\A-?[0-9]{1,20}(\.[0-9]{1,20})?([eE][+-]?[0-9]{1,3})?\Z"),
    st.datetimes(timezones=st.timezones()).map(lambda time: time.isoformat()),
    st.dates().map(str),
    st.lists(st.sampled_from([*OPTIONS, "1", "2", "9"]), max_size=4).map(tuple),
    st.lists(st.sampled_from([*OPTIONS, "1", "3"]), max_size=4).map(";".join),
    st.lists(st.sampled_from("1239"), max_size=4).map(",".join),
)


@given(field_type=st.sampled_from(TYPES), system=st.sampled_from(SYSTEMS), value=values)
@example(field_type="datetime", system="marketo", value="2026-09-01T23:59:59.10-23:59")
def test_what_can_be_written_comes_back_the_same(field_type: FieldType, system: System, value: Any) -> None:
    """Written to either system and read again, a canonical value is itself: nothing travels for ever, nothing is lost."""
    settled = canonical(rule(field_type), system, value)
    for receiver in SYSTEMS:
        try:
            written = to_system(rule(field_type), receiver, settled)
        except Unconvertible:
            assert settled is not None
            continue
        returned = canonical(rule(field_type), receiver, written)
        assert returned == settled
        assert type(returned) is type(settled)


@given(field_type=st.sampled_from(TYPES), system=st.sampled_from(SYSTEMS), value=values)
def test_canonical_never_raises_and_keeps_what_it_cannot_say(field_type: FieldType, system: System, value: Any) -> None:
    """Whatever a producer sends: the value is the same if neither system could be written it."""
    settled = canonical(rule(field_type), system, value)
    try:
        to_system(rule(field_type), "marketo", settled)
    except Unconvertible:
        assert settled == value
        assert type(settled) is type(value)


@given(st.text(max_size=50))
def test_text_is_itself(text: str) -> None:
    """No character of a text is ever touched."""
    assert canonical(rule("text"), "marketo", text) == (text or None)


@given(st.dates())
def test_every_day_is_a_date_and_its_noon_a_time(day: Any) -> None:
    """The calendar is Python's, from year 1 to 9999."""
    assert is_date(day.isoformat())
    assert is_datetime(f"{day.isoformat()}T12:00:00Z")
