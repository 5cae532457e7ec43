"""What reads well and may not come in: refused with what was found and what is allowed, before it can do harm."""

from __future__ import annotations

import re
from collections.abc import Callable

import msgspec
import pytest

from schemas.limits import ID_CHARACTERS_MAX, PERSON_KEY_CHARACTERS_MAX, REVISION_MAX
from streams.admission import key_of, of_its_command, of_its_person, of_its_stream
from streams.codec import Unreadable
from streams.sync.messages import ApplyResult, PersonChange, SourceChange
from tests.builders import (
    LEAD,
    PERSON,
    PERSON_KEY,
    apply_result,
    contact,
    converted,
    dynamics_row,
    lead,
    marketo,
    marketo_change,
    merged,
    person_change,
    retry,
    row,
    source_change,
    sync_person,
)

LONG_KEY = "p" * (PERSON_KEY_CHARACTERS_MAX + 1)

KEYS: dict[str, tuple[bytes | None, str]] = {
    "none": (None, "has no key"),
    "an empty one": (b"", "has no key"),
    "no UTF-8": (b"\xff\xfe", "not UTF-8"),
    "half a surrogate pair": (b"\xed\xa0\x80", "not UTF-8"),
    "a character too many": ("é".encode() * (ID_CHARACTERS_MAX + 1), f"allowed are {ID_CHARACTERS_MAX}"),
}


@pytest.mark.parametrize("story", KEYS)
def test_a_key_that_is_none(story: str) -> None:
    key, said = KEYS[story]
    with pytest.raises(Unreadable, match=said) as refused:
        key_of(key)
    assert refused.value.reason == "no_key"


def test_the_longest_key_is_one() -> None:
    assert key_of("é".encode() * ID_CHARACTERS_MAX) == "é" * ID_CHARACTERS_MAX


def with_key(person_key: str) -> SourceChange:
    return marketo_change(person_key=person_key)


OF_STREAMS: dict[str, tuple[SourceChange, str, str]] = {
    "of the other system": (dynamics_row(), "invalid", "on this topic it is 'marketo'"),
    "of another stream": (marketo_change("776"), "wrong_key", "the stream of person '776' is its id"),
    "a person key that leaves no room for its number": (with_key(LONG_KEY), "invalid", "allowed are 92"),
    "a revision that no field of ours holds": (
        marketo_change(revision=REVISION_MAX + 1),
        "invalid",
        f"at most {REVISION_MAX}",
    ),
    "converted, but no lead": (converted(marketo(), contact()), "invalid", "marketo person into a dynamics contact"),
    "merged into the other system": (merged(marketo(), lead(), PERSON_KEY), "invalid", "winner.system is 'dynamics'"),
}


@pytest.mark.parametrize("story", OF_STREAMS)
def test_a_change_that_is_not_of_its_stream(story: str) -> None:
    change, reason, said = OF_STREAMS[story]
    with pytest.raises(Unreadable, match=re.escape(said)) as refused:
        of_its_stream(change, PERSON, "marketo")
    assert refused.value.reason == reason


def test_what_only_some_records_can_be_in_the_other_system_too() -> None:
    """A lead becomes a contact, and nobody is synced to Dynamics from there."""
    for change in (
        converted(lead(), lead("another")),
        merged(lead(), marketo(), PERSON_KEY),
        source_change(lead(), None, "requested", action="sync_person"),
    ):
        with pytest.raises(Unreadable, match=r"it is a|it is the record's|it is for"):
            of_its_stream(change, LEAD, "dynamics")


GOOD: dict[str, tuple[SourceChange, str]] = {
    "a person's": (marketo_change(person_key="p" * PERSON_KEY_CHARACTERS_MAX, revision=REVISION_MAX), PERSON),
    "a contact's, in its lead's stream": (dynamics_row(contact()), LEAD),
    "converted": (converted(lead(), contact()), LEAD),
    "merged": (merged(marketo(), marketo("776"), PERSON_KEY), PERSON),
    "asked for": (sync_person(), PERSON),
    "tried again": (retry(lead()), LEAD),
}


@pytest.mark.parametrize("story", GOOD)
def test_a_change_of_its_stream_comes_in(story: str) -> None:
    change, stream = GOOD[story]
    assert of_its_stream(change, stream, change.record.system) is change


RESULTS: dict[str, tuple[ApplyResult, str, str]] = {
    "of another person": (apply_result(person_key="somebody else"), "wrong_key", "they are the same"),
    "of the other system": (apply_result(system="marketo"), "invalid", "everything is of 'dynamics'"),
    "of a record of the other system": (apply_result(record=marketo()), "invalid", "everything is of 'dynamics'"),
    "with a row of the other system": (apply_result(row=row(marketo())), "invalid", "everything is of 'dynamics'"),
    "with a revision that no field holds": (
        apply_result(row=msgspec.structs.replace(row(), revision=REVISION_MAX + 1)),
        "invalid",
        f"at most {REVISION_MAX}",
    ),
}


@pytest.mark.parametrize("story", RESULTS)
def test_a_result_that_is_not_of_its_command(story: str) -> None:
    result, reason, said = RESULTS[story]
    with pytest.raises(Unreadable, match=re.escape(said)) as refused:
        of_its_command(result, PERSON_KEY, "dynamics")
    assert refused.value.reason == reason


def test_a_result_of_its_command_comes_in() -> None:
    result = apply_result(record=lead(), row=row())
    assert of_its_command(result, PERSON_KEY, "dynamics") is result


PERSONS: dict[str, tuple[Callable[[], PersonChange], str, str]] = {
    "of another person": (lambda: person_change(person_key="somebody else"), "wrong_key", "'somebody else'"),
    "of two systems": (lambda: person_change(system="dynamics"), "invalid", "record.system is 'marketo'"),
    "with a revision that no field holds": (
        lambda: person_change(revision=REVISION_MAX + 1),
        "invalid",
        f"at most {REVISION_MAX}",
    ),
    "converted into a lead": (
        lambda: person_change("converted", record=lead(), contact=lead("another")),
        "invalid",
        "into a dynamics contact",
    ),
}


@pytest.mark.parametrize("story", PERSONS)
def test_a_change_that_is_not_of_its_person(story: str) -> None:
    """Intake writes none; who else writes to `person.changes` might."""
    make, reason, said = PERSONS[story]
    with pytest.raises(Unreadable, match=re.escape(said)) as refused:
        of_its_person(make(), PERSON_KEY.encode())
    assert refused.value.reason == reason


def test_a_change_of_its_person_comes_in() -> None:
    answered = person_change("answered", command_id="c", answer="gone")
    for change in (person_change(), answered, msgspec.structs.replace(answered, record=None)):
        assert of_its_person(change, PERSON_KEY.encode()) is change


def test_a_person_whose_key_is_too_long_is_refused_by_whichever_topic_names_it() -> None:
    key = LONG_KEY.encode()
    with pytest.raises(Unreadable, match="allowed are 92"):
        of_its_person(person_change(person_key=LONG_KEY), key)
    with pytest.raises(Unreadable, match="allowed are 92"):
        of_its_command(apply_result(person_key=LONG_KEY), LONG_KEY, "dynamics")
