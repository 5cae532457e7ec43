"""Who is one person: by key, by address, and who is left alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from schemas.identity import person_key_of
from schemas.vocabulary import DYNAMICS, MARKETO
from streams.instances.bootstrapping.dynamics_reading import close_what_ended
from streams.instances.bootstrapping.matching import match
from streams.instances.bootstrapping.store import Pair, ReadRecord, Store
from streams.settings import SettingsError

ADA, BEN = "11111111-1111-5111-8111-111111111111", "22222222-2222-5222-8222-222222222222"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """An empty store."""
    store = Store.at(tmp_path / "state")
    yield store
    store.close()


def person(record_id: str, **more: Any) -> ReadRecord:
    """A Marketo person."""
    return ReadRecord(MARKETO, "person", record_id, record_id, {}, **more)


def lead(record_id: str, **more: Any) -> ReadRecord:
    """A Dynamics lead."""
    return ReadRecord(DYNAMICS, "lead", record_id, record_id, {}, **more)


def contact(record_id: str, origin: str | None = None, **more: Any) -> ReadRecord:
    """A Dynamics contact, perhaps of a lead."""
    return ReadRecord(DYNAMICS, "contact", record_id, origin or record_id, {}, **more)


def matched(store: Store, *records: ReadRecord, by_email: bool = True) -> list[Pair]:
    """The pairs that are found among these records."""
    store.put(records)
    close_what_ended(store)
    match(store, by_email=by_email)
    pairs = (store.pair_of(MARKETO, each.id) for each in records if each.system == MARKETO)
    return [pair for pair in pairs if pair is not None]


def aside(store: Store, record: ReadRecord) -> tuple[str, tuple[str, ...]] | None:
    """Why a record is left alone."""
    return store.aside_of(record.system, record.id)


def test_records_that_hold_one_persons_key_are_a_pair_whatever_its_numbers(store: Store) -> None:
    pairs = matched(store, person("1", key=f"{ADA}#2"), lead("d1", key=f"{ADA}#0"), lead("d2", key=f"{BEN}#0"))
    assert pairs == [Pair("1", "d1", ADA, "key")]


def test_an_address_pairs_only_where_it_is_asked_to(store: Store) -> None:
    records = (person("1", email="Ada@Example.com"), lead("d1", email=" ada@example.COM"))
    assert matched(store, *records, by_email=False) == []
    assert matched(store, *records) == [Pair("1", "d1", person_key_of(MARKETO, "1"), "email")]


def test_a_key_comes_before_an_address(store: Store) -> None:
    pairs = matched(
        store,
        person("1", key=f"{ADA}#0", email="a@example.com"),
        lead("d1", key=f"{ADA}#1", email="other@example.com"),
        lead("d2", email="a@example.com"),
    )
    assert pairs == [Pair("1", "d1", ADA, "key")]
    assert aside(store, lead("d2")) is None


@pytest.mark.parametrize(
    "marketo,dynamics", [(("1", "2"), ("d1",)), (("1",), ("d1", "d2")), (("1", "2"), ("d1", "d2"))]
)
def test_an_address_that_several_records_have_pairs_none_of_them(
    store: Store, marketo: tuple[str, ...], dynamics: tuple[str, ...]
) -> None:
    people = [person(each, email="info@example.com") for each in marketo]
    leads = [lead(each, email="INFO@example.com") for each in dynamics]
    assert matched(store, *people, *leads) == []
    found = aside(store, people[0])
    assert found is not None
    assert found[0] == "email"
    assert set(found[1]) == {f"dynamics/{each}" for each in dynamics} | {f"marketo/{each}" for each in marketo[1:]}


def test_an_address_that_one_system_alone_has_twice_is_nobodys_matter(store: Store) -> None:
    people = [person("1", email="a@example.com"), person("2", email="a@example.com")]
    assert matched(store, *people) == []
    assert aside(store, people[0]) is None


def test_keys_of_different_persons_forbid_a_pair_by_address(store: Store) -> None:
    records = (person("1", key=f"{ADA}#0", email="a@example.com"), lead("d1", key=f"{BEN}#0", email="a@example.com"))
    assert matched(store, *records) == []
    assert aside(store, records[0]) == ("email", ("dynamics/d1",))


def test_a_key_on_one_side_gives_the_pair_by_address_its_person(store: Store) -> None:
    pairs = matched(store, person("1", email="a@example.com"), lead("d1", key=f"{BEN}#1", email="a@example.com"))
    assert pairs == [Pair("1", "d1", BEN, "email")]


def test_two_living_records_of_one_system_with_one_persons_key_are_left_alone(store: Store) -> None:
    records = (person("1", key=f"{ADA}#0"), person("2", key=f"{ADA}#0"), lead("d1", key=f"{ADA}#1"))
    assert matched(store, *records) == []
    assert aside(store, records[2]) == ("key", ("marketo/1", "marketo/2"))


def test_a_contact_stands_for_the_lead_that_it_was_with_that_leads_key(store: Store) -> None:
    pairs = matched(
        store,
        person("1", key=f"{ADA}#0", email="a@example.com"),
        lead("d1", key=f"{ADA}#1", email="a@example.com"),
        contact("c1", "d1", email="a@example.com"),
    )
    assert pairs == [Pair("1", "c1", ADA, "key")]
    assert store.get(DYNAMICS, "d1").state == "closed"
    assert store.get(DYNAMICS, "c1").person == ADA
    assert [each.id for each in store.records(DYNAMICS)] == ["c1", "d1"]


def test_two_contacts_of_one_lead_are_left_alone(store: Store) -> None:
    records = (
        person("1", email="a@example.com"),
        lead("d1"),
        contact("c1", "d1", email="a@example.com"),
        contact("c2", "d1"),
    )
    assert matched(store, *records) == []
    assert aside(store, records[2]) == ("origin", ("dynamics/c2",))


def test_a_record_that_was_merged_away_is_paired_with_nobody(store: Store) -> None:
    records = (person("1", key=f"{ADA}#0"), lead("d1", key=f"{ADA}#1", state="closed", master="d2"))
    assert matched(store, *records) == []


def test_a_second_bootstrap_does_not_work_on_the_same_folder(store: Store) -> None:
    store.put([person("1")])
    with pytest.raises(SettingsError, match="another bootstrap"):
        Store.at(store.folder)


def test_only_the_owner_can_read_what_was_read(store: Store) -> None:
    assert (store.folder / "bootstrap.sqlite").stat().st_mode & 0o077 == 0
    assert store.folder.stat().st_mode & 0o077 == 0
