"""`dedupe: email`: one person typed in on both sides. The record in Dynamics stays whose it is, and its person gets the one in Marketo."""

from __future__ import annotations

import msgspec

from schemas.identity import person_key_of
from streams.policy import default_policy
from streams.sync.messages import ApplyCommand, Record
from streams.sync.policy import Policy
from tests.sync.playbook import COMPLETE, CONTACT_ID, LEAD_ID, MARKETO_ID, Playbook

LEAD = Record("dynamics", "lead", LEAD_ID)
PERSON = Record("marketo", "person", MARKETO_ID)
HEIR = person_key_of("dynamics", LEAD_ID)
ROW = {"firstName": "Ada", "lastName": "Lovelace", "phone": None, "jobTitle": "CTO"}


def deduping() -> Policy:
    """As shipped, but for that."""
    return msgspec.structs.replace(default_policy(), dedupe="email")


def alone_in_marketo() -> tuple[Playbook, ApplyCommand]:
    """Sync Person was asked for, and the create is on its way."""
    book = Playbook(deduping()).marketo(kind="created", lastName="Lovelace", email="ada@example.com")
    create = book.sync_person().to("dynamics")
    assert create.dedupe == "email"
    return book, create


def alone_in_dynamics() -> tuple[Playbook, ApplyCommand]:
    """A lead was typed in, and the create of its person in Marketo is on its way."""
    book = Playbook(deduping())
    create = book.dynamics(kind="created", **COMPLETE, telephone1="2").to("marketo")
    return book, create


def found(book: Playbook, create: ApplyCommand) -> Playbook:
    """The applier found somebody else's lead."""
    return book.answers(create, "linked", record=LEAD, row=book.row(**COMPLETE), twin_person_key=HEIR)


def test_who_has_a_twin_in_dynamics_is_given_to_the_twins_person() -> None:
    """By that person's key, and nothing else is written."""
    book, create = alone_in_marketo()
    given = found(book, create).command()
    assert (given.system, given.operation, given.record, given.fields) == ("marketo", "update", PERSON, {})
    assert given.key == f"{HEIR}#0"
    assert book.known.dynamics.link is None and book.known.marketo.link.heir == HEIR
    assert book.let_go(PERSON).out == []
    assert book.known.marketo.link is None and book.known.marketo.flight is None


def test_a_person_whose_lead_was_deleted_is_given_away_likewise() -> None:
    """Marketo knows them by another key and a revision already."""
    book = Playbook(deduping()).linked_lead().deleted("dynamics")
    book.lands(book.command())
    given = found(book, book.sync_person().command()).command()
    assert (given.key, given.fields) == (f"{HEIR}#0", {}) and given.revision > 1


def test_nothing_more_is_written_to_who_is_given_away() -> None:
    """A person's edits come to the heir in the record's row; a late answer says nothing new."""
    book, create = alone_in_marketo()
    given = found(book, create).command()
    assert book.marketo(phone="9").out == []
    assert book.answers(given, "superseded").out == []
    assert found(book, create).out == []


def test_a_twin_that_is_the_persons_own_is_linked() -> None:
    """So is one of which an applier does not say whose it is."""
    for theirs in (None, person_key_of("marketo", MARKETO_ID)):
        book, create = alone_in_marketo()
        book.answers(create, "linked", record=LEAD, row=book.row(**COMPLETE), twin_person_key=theirs)
        assert book.record("dynamics") == LEAD and book.known.marketo.link.heir is None


def test_a_person_gets_the_twin_with_all_that_it_holds() -> None:
    """As any two records that are linked: they collide where both hold something, and a value beats an empty field."""
    book = Playbook(deduping()).dynamics(kind="created", new_synctomkto=False, **COMPLETE, telephone1="2")
    book.dynamics(new_synctomkto=True, **COMPLETE, telephone1="2")
    create = book.to("marketo")
    book.answers(create, "refused", code="x")
    book.marketo(scope="row", creation=0, revision=3, who="leadsync", **ROW)
    out = {command.system: command for command in book.out}
    assert book.record("marketo") == PERSON
    assert out["dynamics"].fields == {"firstname": "Ada", "jobtitle": "CTO"}
    assert out["marketo"].revision > 3 and (out["marketo"].fields or {})["phone"] == "2"


def test_a_twin_that_comes_while_a_create_is_on_its_way_is_what_that_create_found() -> None:
    """Its stream may show our key before the answer does; the answer then says nothing new."""
    book, create = alone_in_dynamics()
    book.marketo(scope="row", creation=0, revision=create.revision, who="leadsync", **ROW)
    assert book.record("marketo") == PERSON and book.of_kind("linked") and not book.of_kind("created")
    flight = book.known.marketo.flight
    assert flight is not None and flight.operation == "update"
    assert book.answers(create, "linked", record=PERSON).out == []
    assert book.known.marketo.flight == flight


def test_who_was_made_by_somebody_while_a_create_is_on_its_way_is_not_what_it_made() -> None:
    """A request may bring a twin's key before the feed has told the twin."""
    book, _ = alone_in_dynamics()
    book.marketo(kind="created", who="mia", firstName="Ada", lastName="Lovelace")
    assert book.record("marketo") == PERSON and book.of_kind("linked") and not book.of_kind("created")


def test_a_twin_beside_a_linked_record_opens_an_error_until_it_takes_its_place() -> None:
    """Two in Marketo for one in Dynamics: people must merge or delete one."""
    book, create = alone_in_dynamics()
    book.lands(create, id="77")
    book.marketo(scope="row", creation=0, revision=1, who="leadsync", **ROW)
    assert book.known.errors["duplicate/marketo"].value == MARKETO_ID
    book.happens("deleted", Record("marketo", "person", "77"))
    book.happens("linked", PERSON, person_key=book.person_key, fields=ROW)
    assert book.record("marketo") == PERSON and "duplicate/marketo" not in book.known.errors


def test_whose_twin_was_taken_by_another_looks_again() -> None:
    """Somebody in Dynamics is never left without a person in Marketo; a wish for one in Dynamics goes with the twin."""
    book, create = alone_in_dynamics()
    book.answers(create, "linked", record=PERSON)
    again = book.let_go(PERSON).to("marketo")
    assert (again.operation, again.dedupe) == ("create", "email")
    book, create = alone_in_marketo()
    book.answers(create, "refused", code="x")
    assert book.let_go(PERSON).out == [] and book.known.dynamics.wish is None


def test_a_lead_that_was_made_after_all_for_a_twin_that_is_gone_gets_a_person() -> None:
    """The create was on its way when the Marketo person was given away, and the twin has another address by then."""
    book, create = alone_in_marketo()
    book.let_go(PERSON)
    book.lead_id = create.record.id if create.record else ""
    assert book.lands(create).to("marketo").operation == "create"


def test_another_contact_of_the_person_is_not_what_its_new_lead_became() -> None:
    """It stands in another lead's stream."""
    book, create = alone_in_marketo()
    book.contact(id=CONTACT_ID, lastname="Lovelace")
    assert book.known.dynamics.creating() is not None and "converted" not in book.kinds()
    book.lead_id = create.record.id if create.record else ""
    book.contact(id=CONTACT_ID, lastname="Lovelace")
    assert book.known.dynamics.link is not None and "converted" in book.kinds()


def test_a_command_to_a_deleted_person_ends_though_another_is_linked_by_then() -> None:
    """What is due is the other one's."""
    book = Playbook().linked_lead()
    update = book.dynamics(telephone1="2", revision=2).to("marketo")
    book.happens("deleted", PERSON)
    book.marketo(kind="created", id="77", firstName="Ada", lastName="Lovelace")
    book.answers(update, "gone", gone="deleted")
    flight = book.known.marketo.flight
    assert flight is not None and flight.record == Record("marketo", "person", "77")


def test_a_second_marketo_person_holds_nothing_that_its_created_does_not_state() -> None:
    """What the first one held is not at rest there: it is sent."""
    book = Playbook().linked_lead(phone="1")
    book.happens("deleted", PERSON)
    book.marketo(kind="created", id="77", firstName="Ada", lastName="Lovelace")
    assert (book.to("marketo").fields or {})["phone"] == "1"
