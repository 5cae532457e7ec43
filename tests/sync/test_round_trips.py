"""Values written, read and written again: the same canonical value for each type, whatever a system may say."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from schemas.limits import INTEGER_MAX
from schemas.vocabulary import SYSTEMS, System
from streams.sync.policy import TEXT_TYPES, FieldType
from streams.sync.values import Unconvertible, canonical, is_date, is_datetime, to_system
from tests.sync.test_values import OPTIONS, TYPES, rule, same

texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
whole = st.integers(-INTEGER_MAX, INTEGER_MAX)
money = st.integers(-(10**15), 10**15).filter(lambda number: number % 10_000).map(lambda number: number / 10_000)
HELD: dict[FieldType, st.SearchStrategy[Any]] = {
    "text": texts,
    "email": st.emails(),
    "phone": st.from_regex(r"\+[1-9][0-9 ()-]{5,15}", fullmatch=True),
    "url": texts.map("http://example.com/{}".format),
    "integer": whole,
    "decimal": whole | money,
    "boolean": st.booleans(),
    "date": st.dates(date(1753, 1, 1)).map(str),
    "datetime": st.tuples(st.dates(date(1753, 1, 1)), st.times()).map(lambda pair: f"{pair[0]}T{pair[1]:%H:%M:%S}Z"),
    "option": st.sampled_from(list(OPTIONS)),
    "options": st.sets(st.sampled_from(list(OPTIONS)), min_size=1).map(
        lambda some: tuple(o for o in OPTIONS if o in some)
    ),
}
"""For each type, the canonical values that both systems can hold."""


@pytest.mark.parametrize("field_type", TYPES)
@given(st.data())
def test_what_is_written_is_read_as_what_it_was(field_type: FieldType, draws: st.DataObject) -> None:
    """Written to either system, read there, written to the other and read again: the same canonical value each time."""
    value = draws.draw(HELD[field_type])
    for system in SYSTEMS:
        written = to_system(rule(field_type), system, value)
        assert same(canonical(rule(field_type), system, written), value)
        if field_type not in TEXT_TYPES:  # a list of changes reports as text what a row shows in JSON's types
            assert same(canonical(rule(field_type), system, str(written)), value)


times = st.datetimes(timezones=st.timezones()).map(lambda time: time.isoformat())
junk = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-INTEGER_MAX, INTEGER_MAX),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=20),
    st.from_regex(r"\A-?[0-9]{1,20}(\.[0-9]{1,20})?([eE][+-]?[0-9]{1,3})?\Z"),
    times,
    times.map(lambda time: time[:-3] + time[-2:]),
    st.dates().map(str),
    st.lists(st.sampled_from([*OPTIONS, "1", "2", "9"]), max_size=4).map(tuple),
    st.lists(st.sampled_from([*OPTIONS, "1", "3"]), max_size=4).map(";".join),
    st.lists(st.sampled_from("1239"), max_size=4).map(",".join),
)


@given(field_type=st.sampled_from(TYPES), system=st.sampled_from(SYSTEMS), value=junk)
@example(field_type="datetime", system="marketo", value="2026-09-01T23:59:59.10-23:59")
def test_what_can_be_written_comes_back_the_same(field_type: FieldType, system: System, value: Any) -> None:
    """Whatever came in: what a system is written and gives back is one value, so nothing travels for ever or is lost."""
    settled = canonical(rule(field_type), system, value)
    for receiver in SYSTEMS:
        try:
            written = to_system(rule(field_type), receiver, settled)
        except Unconvertible:
            assert settled is not None
            continue
        assert same(canonical(rule(field_type), receiver, written), settled)


@given(field_type=st.sampled_from(TYPES), system=st.sampled_from(SYSTEMS), value=junk)
def test_canonical_never_raises_and_keeps_what_it_cannot_say(field_type: FieldType, system: System, value: Any) -> None:
    """Whatever a producer sends: the value is the same if neither system could be written it."""
    settled = canonical(rule(field_type), system, value)
    try:
        for receiver in SYSTEMS:
            to_system(rule(field_type), receiver, settled)
    except Unconvertible as refused:
        assert same(settled, value) or refused.expected != Unconvertible(rule(field_type), settled).expected


@given(st.text(max_size=50))
def test_text_is_itself(text: str) -> None:
    """No character of a text is ever touched."""
    assert canonical(rule("text"), "marketo", text) == (text or None)


@given(st.dates())
def test_every_day_is_a_date_and_its_noon_a_time(day: Any) -> None:
    """The calendar is Python's, from year 1 to 9999."""
    assert is_date(day.isoformat())
    assert is_datetime(f"{day.isoformat()}T12:00:00Z")
