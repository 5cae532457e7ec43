"""What is known of records is the published contract, and is found by id, key and person."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from schemas.export import HERE
from schemas.identity import person_key_of
from streams.codec import encode
from streams.connectors.known import KnownRecord, KnownRecords
from streams.sync.messages import Record

EXAMPLES = sorted((HERE / "examples" / "known-record" / "v1").glob("*.json"))


def person(record_id: str, key: str | None = None, **more: object) -> KnownRecord:
    return KnownRecord(record=Record("marketo", "person", record_id), stream=record_id, key=key, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_what_is_kept_is_the_published_contract(path: Path) -> None:
    """Read and written without a difference."""
    known = msgspec.json.decode(path.read_bytes(), type=KnownRecord)
    assert json.loads(encode(known)) == json.loads(path.read_bytes())


def test_a_record_is_found_by_its_id_its_key_and_its_person() -> None:
    """A person without a key is the one that follows from the stream."""
    known = KnownRecords("marketo")
    known.learn(person("775"))
    known.learn(person("776", "p-1#1"))
    assert known.of_person(person_key_of("marketo", "775")) == known.get("775")
    assert known.of_person("p-1") == known.of_key("p-1#1") == known.get("776")


def test_a_key_that_is_written_later_moves_the_record_to_its_person() -> None:
    """It was linked to somebody."""
    known = KnownRecords("marketo")
    known.learn(person("775"))
    known.learn(person("775", "p-9#0", version=2))
    assert known.of_person(person_key_of("marketo", "775")) is None
    assert known.of_person("p-9") == known.get("775")


def test_a_record_that_is_gone_is_still_found_by_its_key() -> None:
    """A create that is repeated must learn that its record was there; its person has no living one."""
    known = KnownRecords("marketo")
    known.learn(person("776", "p-1#1"))
    known.learn(person("776", "p-1#1", state="deleted"))
    found = known.of_key("p-1#1")
    assert found is not None and found.state == "deleted"
    assert known.of_person("p-1") is None


def test_an_older_word_of_a_record_adds_a_key_at_the_most() -> None:
    """An applier's entry may be written after the feed has told more."""
    known = KnownRecords("marketo")
    known.learn(person("776", version=7, state="deleted"))
    assert known.newest(person("776", "p-1#1")) == person("776", "p-1#1", version=7, state="deleted")
    assert known.newest(person("776", "p-1#1", version=7)) == person("776", "p-1#1", version=7)
    assert known.newest(person("777", "p-2#1")) == person("777", "p-2#1")


def test_a_key_that_a_merge_handed_on_finds_the_record_that_lives() -> None:
    """In whatever order both become known."""
    for order in (0, 1):
        known = KnownRecords("marketo")
        both = [person("775", "p-1#1", version=2), person("776", "p-1#1", version=3, state="closed")]
        for each in (both[order], both[1 - order]):
            known.learn(each)
        assert known.of_key("p-1#1") == both[0]
