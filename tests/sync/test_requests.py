"""Sync Person asked for again: one create, whatever lane it is in (design, "Sync Person to Microsoft")."""

from __future__ import annotations

from typing import Any

from streams.policy import default_policy
from streams.sync.messages import ApplyCommand, Record
from streams.sync.policy import compiled
from tests.sync.playbook import CONTACT_ID, LEAD_ID, Playbook


def test_a_create_that_is_put_on_the_first_lane_carries_what_it_carried_a_value_that_nobody_can_spell_too() -> None:
    """The rest of it would be missing from the new lead, and be cleared in Marketo then."""
    book = Playbook().linked_lead(company="Engines", jobTitle="Countess")
    book.dynamics(revision=1, leadqualitycode=99, companyname="Engines", jobtitle="Countess")
    book.deleted("dynamics")
    background = book.sync_person(campaign="batch").to("dynamics")
    first = book.sync_person().to("dynamics")
    assert background.fields is not None
    assert background.fields["leadqualitycode"] == 99
    assert (first.command_id, first.revision, first.fields) == (
        background.command_id,
        background.revision,
        background.fields,
    )


def test_a_create_that_is_put_on_the_first_lane_leaves_out_what_the_policy_no_longer_sends() -> None:
    book = Playbook().marketo(kind="created", lastName="Lovelace", jobTitle="Countess")
    background = book.sync_person(campaign="batch").command()
    shipped = default_policy()
    book.policy = compiled("fewer", {n: r for n, r in shipped.fields.items() if n != "job_title"}, shipped.rules)
    first = book.sync_person().command()
    assert first.command_id == background.command_id
    assert background.fields is not None
    assert first.fields == {name: value for name, value in background.fields.items() if name != "jobtitle"}


def refused_though_made(**request: Any) -> tuple[Playbook, ApplyCommand]:
    """The create was carried out, and the answer said that it was refused."""
    book = Playbook().marketo(kind="created", firstName="Ada", lastName="Lovelace")
    create = book.sync_person(**request).command()
    assert create.record is not None
    book.lead_id = create.record.id
    assert book.answers(create, "refused", code="0x80040237", record=create.record).out == []
    return book, create


def test_a_refused_create_whose_record_shows_all_the_same_is_wanted_no_longer_and_no_error_is_left() -> None:
    """Its number is used up: after a deletion nothing is made by itself, and a Sync Person makes the next one."""
    book, create = refused_though_made()
    book.lands(create)
    assert (book.kinds(), book.known.errors) == (["failed", "closed", "created"], {})
    book.lands(book.to("marketo"))
    assert [command.operation for command in book.deleted("dynamics").out] == ["update"]
    assert book.sync_person().to("dynamics").creation == 2


def test_a_refused_create_whose_lead_shows_all_the_same_is_qualified_if_a_contact_was_asked_for() -> None:
    book, create = refused_though_made(sync_as="contact")
    assert book.lands(create).to("dynamics").operation == "qualify"


def test_a_refused_create_whose_lead_was_qualified_before_it_showed_is_wanted_no_longer() -> None:
    book, create = refused_though_made()
    assert create.record is not None
    contact = Record("dynamics", "contact", CONTACT_ID)
    book.happens("converted", create.record, contact=contact, creation=create.creation)
    assert (book.known.dynamics.wish, book.known.dynamics.creations, book.known.errors) == (None, 1, {})


def test_a_refused_create_in_marketo_whose_person_shows_all_the_same_makes_no_second_one_of_its_number() -> None:
    book = Playbook().dynamics(kind="created", firstname="Ada", lastname="Lovelace")
    create = book.command()
    book.answers(create, "refused", code="1007")
    book.lands(create)
    assert (book.known.marketo.wish, book.known.marketo.creations, book.known.errors) == (None, 1, {})
    assert book.deleted("marketo").out == []


def test_a_record_that_is_linked_ends_the_error_of_a_create() -> None:
    """The linking command goes out at once, and waits for nobody's edit."""
    book, _ = refused_though_made()
    lead = Record("dynamics", "lead", LEAD_ID)
    book.happens("linked", lead, person_key=book.person_key, fields={"firstname": "Ada", "lastname": "Lovelace"})
    assert (book.known.dynamics.wish, book.known.errors) == (None, {})
    assert book.to("dynamics").record == lead
