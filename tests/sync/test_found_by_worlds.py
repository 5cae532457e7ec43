"""Stories that the seeded simulation found, told by hand: each broke a rule of the design before the core was mended."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.vocabulary import OURSELVES
from streams.policy import default_policy
from streams.sync.messages import Record
from streams.sync.policy import compiled
from tests.sync.playbook import COMPLETE, CONTACT_ID, MARKETO_ID, Playbook

CONTACT = Record("dynamics", "contact", CONTACT_ID)
OTHER_CONTACT = Record("dynamics", "contact", "another")


def created_and_qualified() -> Playbook:
    """Sync Person made a lead, and somebody qualified it before any row of it was read."""
    book = Playbook()
    fields = {"firstName": "Ada", "lastName": "Lovelace", "phone": "1"}
    book.sync_person(fields=fields, updated_at="2026-09-01T09:00:00Z")
    create = book.to("dynamics")
    assert create.record is not None
    book.lead_id = create.record.id
    return book.happens("converted", create.record, contact=CONTACT)


def test_what_was_emptied_in_a_lead_that_we_made_is_empty_in_both_though_only_the_contact_shows_it() -> None:
    """There was a lead, so it held what the create carried, and nobody but a person can have emptied it since."""
    book = created_and_qualified()
    told = book.to("marketo")
    book.contact(firstname="Ada", lastname="Lovelace", telephone1=None)
    assert all("telephone1" not in (command.fields or {}) for command in book.out)
    assert book.lands(told).to("marketo").fields == {"phone": None}


def test_an_edit_of_a_lead_that_we_made_was_made_in_sight_of_what_the_create_carried() -> None:
    """It collides with nothing: nobody enters anything in a lead that isn't there."""
    book = created_and_qualified()
    book.contact(firstname="Grace", lastname="Lovelace", telephone1="1")
    assert book.of_kind("collision") == []
    assert book.known.moving["first_name"].dynamics.in_sight


def test_a_field_emptied_soon_after_the_lead_was_made_is_no_value_that_the_lead_held_before() -> None:
    """Before the create there was no record that could have been empty."""
    book = Playbook().marketo(kind="created", lastName="Lovelace", phone="1")
    book.sync_person()
    create = book.to("dynamics")
    book.lead_id = create.record.id if create.record else ""
    book.lands(create)
    told = book.to("marketo")
    book.happens("converted", book.record("dynamics"), contact=CONTACT)
    book.contact(lastname="Lovelace", telephone1=None)
    assert book.lands(told).to("marketo").fields == {"microsoftType": "Contact", "phone": None}


def test_what_a_lead_was_settled_on_stays_settled_though_the_landing_shows_only_in_the_contact() -> None:
    """The void command landed on the lead, by the lead's rule; the contact's would have let Dynamics win."""
    book = Playbook().linked_lead(city="a")
    first = book.dynamics(address1_city="b", revision=1).to("marketo")
    settled = book.marketo(city="c").to("dynamics")
    assert [collision.winner for collision in book.of_kind("collision")] == ["marketo"]
    book.lands(book.lands(first).to("marketo"))
    assert settled.fields == {"address1_city": "c"}
    book.contact(address1_city="c")
    assert [command.fields for command in book.out if "city" in str(command.fields)] == []
    assert len(book.of_kind("collision")) == 1


def test_an_edit_read_when_the_contact_had_given_way_to_a_new_lead_collides_as_a_leads() -> None:
    """The type when it is settled: Dynamics' value was out before anybody had read Marketo's."""
    book = Playbook().linked_lead(city="a").qualified()
    book.lands(book.contact(address1_city="a").to("dynamics"))
    covering = book.contact(address1_city="b", revision=2).to("marketo")
    book.deleted("dynamics")
    create = book.sync_person().to("dynamics")
    book.lead_id = create.record.id if create.record else ""
    book.lands(create)
    correction = book.marketo(city="c").to("dynamics")
    assert [collision.winner for collision in book.of_kind("collision")] == ["marketo"]
    assert correction.fields == {"address1_city": "c"}
    back = book.lands(covering).to("marketo").fields
    assert back is not None and back["city"] == "c"


def test_an_edit_that_our_write_covered_waits_behind_an_error_though_the_other_record_is_gone() -> None:
    """One invalid field holds back all that is due in Marketo, what shall be written back there too."""
    book = Playbook().linked_lead(city="a", email="ada@example.com")
    covering = book.dynamics(address1_city="B", emailaddress1="ada@example.com", revision=1, who=OURSELVES).to(
        "marketo"
    )
    book.dynamics(address1_city="B", emailaddress1="not an address", revision=1)
    book.deleted("dynamics")
    book.marketo(city="c")
    assert book.lands(covering).out == [] and book.known.errors["marketo"].field == "email"
    corrected = book.marketo(email="ada@example.org").to("marketo").fields
    assert corrected is not None and corrected["city"] == "c"


def test_a_rewriting_that_somebodys_save_covered_makes_a_deleted_person_again() -> None:
    """The row names a person as its writer; that nobody entered this very value can't be seen in it."""
    book = Playbook().marketo(kind="created", lastName="Lovelace", jobTitle="cto")
    book.sync_person()
    create = book.to("dynamics")
    book.lead_id = create.record.id if create.record else ""
    told = book.lands(create).to("marketo")
    book.lands(told)
    book.marketo(jobTitle="ceo")
    book.happens("deleted", Record("marketo", "person", MARKETO_ID))
    book.happens("converted", book.record("dynamics"), contact=CONTACT)
    assert book.contact(lastname="Lovelace", jobtitle="Ceo").to("marketo").operation == "create"


def test_a_new_person_is_empty_where_the_field_was_emptied_and_an_edit_of_it_has_seen_that() -> None:
    """A create carries no empty value, and needs none: that nothing stands there is what it brought."""
    book = Playbook().contact(lastname="Lovelace", telephone1="1")
    linked = book.lands(book.to("marketo")).to("dynamics")
    book.lands(linked, lastname="Lovelace", telephone1="1")
    told = book.contact(lastname="Lovelace", telephone1=None, revision=1).to("marketo")
    book.answers(told, "gone")
    again = book.deleted("marketo").to("marketo")
    assert again.operation == "create" and again.fields is not None and "phone" not in again.fields
    book.lands(again, id="901")
    assert [command.fields for command in book.out if command.system == "marketo"] == []
    assert book.marketo(id="901", phone="2").to("dynamics").fields == {"telephone1": "2"}
    assert book.of_kind("collision") == []


def test_a_field_emptied_in_a_marketo_person_that_was_deleted_then_stays_empty() -> None:
    """It had come to Dynamics, and the new person is made without it: nothing brings the value before it back."""
    book = Playbook().linked_lead(city="a")
    told = book.dynamics(address1_city="a", telephone1="2", revision=1).to("marketo")
    emptied = book.marketo(city=None).to("dynamics")
    book.answers(told, "gone")
    create = book.deleted("marketo").to("marketo")
    book.lands(emptied, telephone1="2", lastname="Lovelace")
    assert create.fields is not None and "city" not in create.fields
    book.lands(create, id="901")
    assert [command.fields for command in book.out if command.fields] == [] and book.known.at_rest["city"] is None


@pytest.mark.parametrize(("kind", "members"), [("merged", {"winner": OTHER_CONTACT}), ("deleted", {})])
@pytest.mark.parametrize("is_linked", [True, False])
def test_a_contact_that_is_gone_before_the_lead_said_that_it_became_one_leaves_nothing_to_wait_for(
    kind: str, members: dict[str, Any], is_linked: bool
) -> None:
    """Leads and contacts are two feeds. Passed over, the person would wait for the first row of a contact that is no more."""
    book = Playbook()
    if is_linked:
        book.linked_lead(phone="1")
    else:
        book.marketo(kind="created", lastName="Lovelace", phone="1").sync_person()
        create = book.to("dynamics")
        book.lead_id = create.record.id if create.record else ""
    lead = Record("dynamics", "lead", book.lead_id)
    book.happens(kind, CONTACT, **members)
    assert [closure for _, closure in book.known.dynamics.closed] == ["converted", kind]
    book.happens("converted", lead, contact=CONTACT)
    assert book.out == []
    assert book.known.dynamics.link is None
    assert book.known.conversion is None


def test_what_marketo_keeps_though_it_was_sent_another_value_is_an_error_and_goes_nowhere() -> None:
    """A field that is blocked for updates there, or rewritten on save to what was there: the feed lists nothing of it.

    Taken for landed, both systems would differ for ever with nobody told; taken for an edit, it would undo somebody's.
    """
    book = Playbook().linked_lead(phone="1", city="a")
    command = book.dynamics(telephone1="2", address1_city="b", revision=1).to("marketo")
    assert command.fields == {"phone": "2", "city": "b"}
    book.marketo(who=OURSELVES, revision=command.revision, city="b")
    assert book.out == []
    assert list(book.known.errors) == ["rewriting/phone"]
    assert "kept its own" in book.known.errors["rewriting/phone"].message
    assert book.known.at_rest["city"] == "b"
    again = book.dynamics(telephone1="3", address1_city="b", revision=1).to("marketo")
    assert again.fields == {"phone": "3"}
    assert book.known.errors == {}


def test_what_marketo_kept_is_no_error_where_somebody_has_edited_the_field_since() -> None:
    """The later value is due, and goes out."""
    book = Playbook().linked_lead(phone="1")
    command = book.dynamics(telephone1="2", revision=1).to("marketo")
    book.dynamics(telephone1="3", revision=1)
    again = book.marketo(who=OURSELVES, revision=command.revision).to("marketo")
    assert again.fields == {"phone": "3"}
    assert book.known.errors == {}


def test_a_conflict_says_what_a_lead_holds_in_a_field_that_the_policy_is_new_to() -> None:
    """Its row was folded before there was the field; passed over as a repeat, each conflict would lead to the next one."""
    shipped = default_policy()
    fewer = {name: rule for name, rule in shipped.fields.items() if name != "phone"}
    book = Playbook(compiled("fewer", fewer, shipped.rules)).linked_lead(city="a")
    row = {"telephone1": "1", "address1_city": "a", "lastname": "Lovelace", "revision": 1}
    book.dynamics(**row, version=7)
    book.policy = shipped
    sent = book.answers(book.marketo(phone="2").command(), "conflict", row=book.row(**row, version=7)).command()
    assert (sent.fields, sent.expected) == ({"telephone1": "2"}, {"telephone1": "1"})
    assert [(each.winner, each.dynamics.value) for each in book.of_kind("collision") if each.dynamics] == [
        ("marketo", "1")
    ]


def test_what_marketo_may_have_held_all_along_is_no_error_in_a_field_that_the_policy_is_new_to() -> None:
    """Nobody had told its value: the feed lists nothing of a write of what was there. From then on it is known."""
    shipped = default_policy()
    fewer = {name: rule for name, rule in shipped.fields.items() if name != "phone"}
    book = Playbook(compiled("fewer", fewer, shipped.rules)).linked_lead(city="a")
    book.policy = shipped
    command = book.dynamics(telephone1="1", address1_city="a", lastname="Lovelace", revision=1).to("marketo")
    assert command.fields == {"phone": "1"}
    book.marketo(who=OURSELVES, revision=command.revision)
    assert (book.out, book.known.errors, book.known.moving, book.known.at_rest["phone"]) == ([], {}, {}, "1")
    command = book.dynamics(telephone1="2", address1_city="a", lastname="Lovelace", revision=1).to("marketo")
    book.marketo(who=OURSELVES, revision=command.revision)
    assert list(book.known.errors) == ["rewriting/phone"]


def test_what_a_person_that_we_created_keeps_empty_is_an_error_in_a_field_that_its_first_row_showed_empty() -> None:
    """Only contacts have an account, so the create carried none; that Marketo held none was told all the same."""
    book = Playbook().dynamics(kind="created", **COMPLETE)
    create = book.command()
    book.lands(book.lands(create, microsoftAccount=None).command()).qualified()
    update = book.contact(lastname="Lovelace", parentcustomerid="Acme").to("marketo")
    assert update.fields == {"microsoftAccount": "Acme"}
    book.marketo(who=OURSELVES, revision=update.revision)
    assert list(book.known.errors) == ["rewriting/account"]


@pytest.mark.parametrize("answer", ["conflict", "superseded", "created"])
@pytest.mark.parametrize("has_another", [False, True])
def test_the_row_of_a_late_answer_does_not_bring_back_a_record_that_was_let_go_of(
    answer: str, has_another: bool
) -> None:
    """It is somebody else's now; linked again by an answer it would be two persons' record, each undoing the other."""
    book = Playbook().linked_lead(phone="1")
    command = book.marketo(phone="2").to("dynamics")
    former = book.record("dynamics")
    book.let_go(former)
    if has_another:
        book.happens("created", Record("dynamics", "lead", "another"), fields={"telephone1": "2"}, scope="row")
    linked = book.known.dynamics.link
    book.answers(command, answer, record=former, row=book.row(telephone1="9", lastname="Lovelace"))
    assert book.known.dynamics.link == linked
    assert (book.out, book.known.errors, book.outcome.effect) == ([], {}, "no_effect")


@pytest.mark.parametrize("was_read", [True, False])
def test_what_shows_first_in_the_contact_of_a_lead_that_we_qualified_was_entered_if_the_lead_held_nothing_there(
    was_read: bool,
) -> None:
    """So it makes the person again whom somebody deleted in Marketo; of a lead that nobody read, it may be a default."""
    book = Playbook()
    book.marketo(kind="created", firstName="Ada", lastName="Lovelace").sync_person(sync_as="contact")
    create = book.to("dynamics")
    assert create.record is not None
    if was_read:
        book.lands(book.lands(create).to("marketo"))
    book.deleted("marketo")
    book.happens("converted", create.record, contact=CONTACT)
    book.contact(who=OURSELVES, firstname="Ada", lastname="Lovelace", jobtitle="Ceo")
    again = [command.fields for command in book.out if command.operation == "create"]
    assert [fields and fields["jobTitle"] for fields in again] == (["Ceo"] if was_read else [])
