"""Creation, links, conversion, merges, deletion, Sync Person: one test for each sentence that a plainer rule broke."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from schemas.identity import dynamics_id_of, key_of
from streams.policy import default_policy
from streams.sync.messages import Record
from streams.sync.policy import compiled
from tests.sync.playbook import COMPLETE, CONTACT_ID, LEAD_ID, MARKETO_ID, Playbook

WINNER = Record("marketo", "person", "900")


def dynamics_born() -> Playbook:
    """Somebody created in Dynamics; their create in Marketo is in flight."""
    return Playbook().dynamics(kind="created", firstname="Ada", telephone1="1", **COMPLETE)


def in_marketo(book: Playbook) -> Playbook:
    """The create landed, and the linking command to Dynamics too."""
    link = book.lands(book.command()).command()
    return book.lands(link)


def test_a_lead_created_in_dynamics_becomes_a_person_in_marketo_with_the_key_of_its_creation() -> None:
    create = dynamics_born().command()
    assert (create.system, create.operation, create.creation) == ("marketo", "create", 1)
    assert create.fields and create.fields["firstName"] == "Ada" and create.fields["microsoftType"] == "Lead"


def test_linking_sends_the_record_that_we_did_not_create_a_command_with_its_key() -> None:
    book = dynamics_born()
    link = book.lands(book.command()).command()
    assert (link.system, link.fields, link.key) == ("dynamics", {}, f"{book.person_key}#0")
    assert book.lands(link).out == []


def test_while_a_create_is_in_flight_nothing_else_goes_to_that_system() -> None:
    book = dynamics_born()
    create = book.command()
    assert book.dynamics(telephone1="2").out == []
    assert {c.system: c.fields for c in book.lands(create).out} == {"marketo": {"phone": "2"}, "dynamics": {}}


def test_sync_person_creates_once_however_often_it_is_asked_for() -> None:
    book = Playbook().marketo(kind="created", lastName="Lovelace")
    create = book.sync_person().command()
    assert create.record == Record("dynamics", "lead", dynamics_id_of(key_of(book.person_key, 1)))
    assert book.sync_person().out == [] and book.kinds() == ["skipped"]
    book.lead_id = create.record.id
    book.lands(create)
    assert book.sync_person().out == [] and book.kinds() == ["skipped", "created", "skipped"]


def test_a_trigger_request_puts_the_same_background_create_on_the_first_lane() -> None:
    book = Playbook().marketo(kind="created", lastName="Lovelace")
    background = book.sync_person(campaign="batch").command()
    first = book.sync_person(campaign="trigger").command()
    assert (background.lane, first.lane) == ("background", "first")
    assert (first.command_id, first.revision, first.fields) == (
        background.command_id,
        background.revision,
        background.fields,
    )


def test_an_unknown_owner_fails_the_action_for_good() -> None:
    book = Playbook().marketo(kind="created", lastName="Lovelace")
    create = book.sync_person(owner="nobody").command()
    assert create.owner == "nobody"
    book.answers(create, "refused", code="owner_unknown", field="ownerid")
    assert book.out == [] and book.kinds() == ["failed"] and book.known.errors == {}
    assert book.marketo(lastName="King").out == []


def test_a_view_stands_for_the_feeds_created_and_older_entries_are_repeats() -> None:
    book = Playbook()
    book.sync_person(fields={"lastName": "Lovelace", "phone": "2"}, updated_at="2026-09-01T09:00:00Z")
    assert book.command().fields and book.command().fields["telephone1"] == "2"
    book.marketo(kind="created", lastName="Lovelace", phone="1", time="2026-09-01T08:00:00Z")
    assert book.outcome and book.outcome.effect == "repeat" and book.known.moving["phone"].marketo.held == "2"
    assert book.marketo(phone="3", time="2026-09-01T09:30:00Z").known.moving["phone"].marketo.held == "3"


def test_a_view_is_not_folded_where_anything_of_the_record_was() -> None:
    book = Playbook().marketo(kind="created", lastName="Lovelace", phone="1")
    book.sync_person(fields={"lastName": "X", "phone": "9"}, updated_at="2026-09-01T09:00:00Z")
    assert book.command().fields and book.command().fields["telephone1"] == "1"


def test_sync_as_contact_creates_a_lead_then_qualifies_it() -> None:
    book = Playbook().marketo(kind="created", lastName="Lovelace")
    create = book.sync_person(sync_as="contact").command()
    book.lead_id = create.record.id if create.record else ""
    qualify = book.lands(create).to("dynamics")
    assert (qualify.operation, qualify.fields) == ("qualify", None)
    book.happens(
        "converted", Record("dynamics", "lead", book.lead_id), contact=Record("dynamics", "contact", CONTACT_ID)
    )
    assert book.known.record_type == "contact" and book.known.dynamics.flight is None


def test_sync_as_contact_fails_where_the_person_has_a_record_type() -> None:
    book = Playbook().linked_lead().deleted("dynamics")
    book.lands(book.command())
    assert book.sync_person(sync_as="contact").out == [] and book.kinds()[-1] == "failed"


def test_deleted_in_dynamics_keeps_the_person_and_tells_marketo() -> None:
    book = Playbook().linked_lead()
    told = book.deleted("dynamics").command()
    assert (told.system, told.fields) == ("marketo", {"microsoftIsDeleted": True})
    book.lands(told)
    assert book.marketo(phone="2").out == []


def test_sync_person_after_a_deletion_makes_a_new_lead_with_a_new_id() -> None:
    book = Playbook().linked_lead()
    book.lands(book.deleted("dynamics").command())
    create = book.sync_person().to("dynamics")
    assert create.creation == 2 and create.record and create.record.id != book.lead_id
    book.lead_id = create.record.id
    assert book.lands(create).to("marketo").fields == {"microsoftIsDeleted": False}


def test_deleted_in_marketo_leaves_dynamics_alone_until_somebody_edits_it_there() -> None:
    book = in_marketo(dynamics_born())
    assert book.deleted("marketo").out == []
    create = book.dynamics(telephone1="2", revision=1).command()
    assert (create.system, create.operation, create.creation) == ("marketo", "create", 2)
    assert create.fields and create.fields["phone"] == "2" and create.fields["firstName"] == "Ada"


def test_our_own_landing_never_makes_a_deleted_person_again() -> None:
    book = in_marketo(dynamics_born())
    command = book.marketo(phone="2").command()
    book.deleted("marketo")
    assert book.lands(command).out == [] and book.known.marketo.wish is None


def test_gone_from_marketo_waits_for_the_feed_and_then_a_carried_dynamics_edit_makes_a_new_person() -> None:
    book = in_marketo(dynamics_born())
    command = book.dynamics(telephone1="2", revision=1).command()
    assert book.answers(command, "gone").out == []
    create = book.deleted("marketo").command()
    assert create.operation == "create" and create.fields and create.fields["phone"] == "2"


def test_a_landing_that_stands_before_the_deletion_makes_no_new_person() -> None:
    book = in_marketo(dynamics_born())
    command = book.dynamics(telephone1="2", revision=1).command()
    book.lands(command)
    assert book.deleted("marketo").out == [] and book.answers(command, "gone").out == []


def test_edits_pending_at_a_marketo_deletion_wait_for_the_answer_to_what_is_in_flight() -> None:
    book = in_marketo(dynamics_born())
    command = book.dynamics(telephone1="2", revision=1).command()
    assert book.deleted("marketo").out == []
    assert book.answers(command, "gone").command().operation == "create"


def test_created_and_deleted_before_anything_was_seen_is_nothing() -> None:
    book = Playbook()
    assert book.happens("deleted", Record("dynamics", "lead", LEAD_ID)).state is None and book.log == []


def test_a_create_in_flight_is_answered_by_its_records_deletion() -> None:
    book = Playbook().marketo(kind="created", lastName="Lovelace")
    create = book.sync_person().command()
    assert create.record
    assert book.happens("deleted", create.record).out == [] and book.known.dynamics.flight is None
    again = book.sync_person().command()
    assert again.creation == 2


def test_gone_from_dynamics_is_a_deletion_and_the_tombstone_then_a_repeat() -> None:
    book = Playbook().linked_lead()
    command = book.marketo(phone="2").command()
    told = book.answers(command, "gone").command()
    assert told.fields == {"microsoftIsDeleted": True}
    assert book.happens("deleted", Record("dynamics", "lead", book.lead_id)).out == []
    assert book.kinds().count("deleted") == 1


def test_what_was_in_flight_to_a_lead_is_sent_to_the_contact_that_it_becomes() -> None:
    book = Playbook().linked_lead(phone="1")
    void = book.marketo(phone="2").command()
    book.answers(void, "gone", gone="closed")
    assert book.known.dynamics.flight is not None  # waits for the conversion
    contact = Record("dynamics", "contact", CONTACT_ID)
    assert {c.system for c in book.happens("converted", book.record("dynamics"), contact=contact).out} == {"marketo"}
    again = book.contact(telephone1="1").to("dynamics")  # its first row says whether the filter lets it through
    assert again.record == contact and again.fields == {"telephone1": "2"} and again.expected == {"telephone1": "1"}


def test_in_a_contacts_first_row_what_the_lead_held_is_no_edit() -> None:
    book = Playbook().linked_lead(phone="1", city="a")
    book.dynamics(telephone1="2", revision=1)
    book.dynamics(telephone1="3", revision=1)
    book.contact(telephone1="2", address1_city="a")
    assert book.of_kind("collision") == [] and book.known.moving["phone"].dynamics.edit is not None
    assert book.known.moving["phone"].dynamics.edit.value == "3"


def test_what_dynamics_fills_in_when_we_qualify_makes_no_deleted_person_again() -> None:
    """The contact's status and owner are nobody's edits; somebody's who qualified it by hand are."""
    made = {}
    for who in ("leadsync", "sam"):
        book = Playbook().marketo(kind="created", lastName="Lovelace")
        book.sync_person(sync_as="contact")
        create = book.to("dynamics")
        book.lead_id = create.record.id if create.record else ""
        book.lands(create)
        told = book.to("marketo")
        book.happens("converted", book.record("dynamics"), contact=Record("dynamics", "contact", CONTACT_ID), who=who)
        book.contact(who=who, lastname="Lovelace", statecode=0, ownerid="sync-user")
        book.deleted("marketo").answers(told, "gone")
        made[who] = [command.operation for command in book.out if command.system == "marketo"]
    assert made == {"leadsync": [], "sam": ["create"]}


def test_in_a_contacts_first_row_what_the_void_command_carried_has_landed() -> None:
    book = Playbook().linked_lead(phone="1")
    book.marketo(phone="2")
    book.contact(telephone1="2")
    assert book.known.moving.get("phone") is None or book.known.moving["phone"].dynamics.held == "2"
    assert book.of_kind("collision") == []


@pytest.mark.parametrize("winner", ["authority", "marketo"])
@pytest.mark.parametrize("entered", ["Contact", "Lovelace"])
def test_an_edit_of_a_contact_has_seen_what_its_lead_shows_to_have_landed(winner: Any, entered: str) -> None:
    """The lead's last row bears the revision: the contact was made with the value, and whatever else it shows came later."""
    policy = default_policy()
    name = msgspec.structs.replace(policy.fields["last_name"], winner=winner)
    book = Playbook(compiled("winner", {**policy.fields, "last_name": name}, policy.rules)).linked_lead()
    sent = book.marketo(lastName="Marketo").command()
    contact = Record("dynamics", "contact", CONTACT_ID)
    book.happens("converted", book.record("dynamics"), contact=contact, revision=sent.revision)
    for told in list(book.out):
        book.lands(told)
    book.contact(firstname="Ada", lastname=entered)
    assert {command.system: command.fields for command in book.out} == {
        "dynamics": {},
        "marketo": {"lastName": entered},
    }
    assert book.of_kind("collision") == []


def test_a_merged_losers_link_closes_and_its_later_changes_have_no_effect() -> None:
    book = Playbook().linked_lead()
    book.marketo(phone="2")
    book.happens("merged", Record("marketo", "person", MARKETO_ID), winner=WINNER, winner_person_key="someone-else")
    assert book.known.marketo.link is None and book.kinds()[-1] == "merged"
    assert book.marketo(phone="3").outcome.effect == "closed"  # type: ignore[union-attr]
    assert book.dynamics(telephone1="4", revision=2).out == []


def test_an_unlinked_record_is_let_go_with_what_was_in_flight_to_it() -> None:
    from tests.builders import person_change

    book = Playbook().linked_lead()
    book.marketo(phone="2")
    book._step(person_change("unlinked", person_key=book.person_key, record=book.record("dynamics")))
    assert book.known.dynamics.link is None and book.known.dynamics.flight is None and book.out == []


def test_a_record_that_is_let_go_while_it_is_created_has_used_up_its_number() -> None:
    """Under its id it is another person's from then on: a next lead gets an id of its own."""
    book = Playbook().marketo(kind="created", lastName="Lovelace")
    first = book.sync_person().command()
    assert first.record
    book.let_go(first.record)
    assert book.known.dynamics.flight is None
    second = book.sync_person().command()
    assert (second.operation, second.creation) == ("create", 2) and second.record != first.record


def test_a_creation_that_was_said_to_be_refused_and_is_gone_when_nobody_waits_for_it_has_used_up_its_number() -> None:
    """The wish for it went with the Marketo person; who comes next gets a lead with another id."""
    book = Playbook().marketo(kind="created", lastName="Lovelace")
    first = book.sync_person().command()
    assert first.record
    book.answers(first, "refused", code="0x80040333")
    book.deleted("marketo")
    book.happens("deleted", first.record, creation=first.creation)
    book.marketo(kind="created", id="776", lastName="Lovelace", person_key=book.person_key)
    person = Record("marketo", "person", "776")
    second = book.happens("requested", person, action="sync_person", person_key=book.person_key).command()
    assert (second.operation, second.creation) == ("create", 2) and second.record != first.record


def test_linking_two_records_that_differ_is_a_collision_and_a_value_beats_an_empty_field() -> None:
    book = Playbook().marketo(kind="created", lastName="Lovelace", phone="1", city="London")
    lead = Record("dynamics", "lead", LEAD_ID)
    fields = {**COMPLETE, "telephone1": "2", "jobtitle": "CTO", "address1_city": None}
    out = {c.system: c.fields for c in book.happens("linked", lead, person_key=book.person_key, fields=fields).out}
    assert out["dynamics"] == {"telephone1": "1", "address1_city": "London"}
    assert out["marketo"] and out["marketo"]["jobTitle"] == "CTO" and "phone" not in out["marketo"]
    assert [c.field for c in book.of_kind("collision")] == ["phone"]


def test_a_second_living_record_of_a_person_opens_an_error() -> None:
    book = Playbook().linked_lead()
    book.dynamics(id=LEAD_ID, telephone1="9")
    assert "duplicate/dynamics" in book.known.errors and book.out == []


def test_the_filters_no_holds_everything_back_and_its_yes_catches_up() -> None:
    book = Playbook().linked_lead()
    assert book.dynamics(new_synctomkto=False, telephone1="2", revision=1).out == []
    assert book.marketo(city="London").out == []
    out = {c.system: c.fields for c in book.dynamics(new_synctomkto=True, telephone1="2", revision=1).out}
    assert out == {"marketo": {"phone": "2"}, "dynamics": {"address1_city": "London"}}


def test_a_lead_that_the_filter_holds_back_is_created_when_it_lets_it_through() -> None:
    book = Playbook()
    assert book.dynamics(kind="created", new_synctomkto=False, **COMPLETE).out == []
    assert book.dynamics(new_synctomkto=True, **COMPLETE).command().operation == "create"


def test_an_appliers_word_before_a_create_links_nothing_by_itself() -> None:
    book = Playbook().marketo(kind="created", lastName="Lovelace")
    create = book.sync_person().command()
    assert create.record
    book.answers(create, "refused", code="0x80040333")
    book.happens("linked", create.record, person_key=book.person_key, revision=create.revision, creation=1)
    assert book.known.dynamics.link is None and book.out == []


def test_a_linked_that_names_both_records_creates_nothing_whatever_the_order_of_the_streams() -> None:
    book = Playbook()
    lead, person = Record("dynamics", "lead", LEAD_ID), Record("marketo", "person", MARKETO_ID)
    book.happens("linked", lead, person_key=book.person_key, other=person, fields={**COMPLETE, "telephone1": "2"})
    assert {c.operation for c in book.out} == {"update"} and all(not c.fields for c in book.out)
    out = {c.system: c.fields for c in book.marketo(kind="created", lastName="Lovelace", phone="1").out}
    assert [c.winner for c in book.of_kind("collision")] == ["marketo"] and "marketo" not in out


def test_a_sync_person_that_overtakes_the_feed_waits_for_the_person() -> None:
    book = Playbook().sync_person()
    assert book.out == []
    assert book.marketo(kind="created", lastName="Lovelace").command().operation == "create"


def test_a_new_marketo_person_gets_no_field_that_the_contact_has_no_name_for() -> None:
    create = Playbook().contact(lastname="Lovelace").command()
    assert create.fields and "topic" not in create.fields and create.fields["microsoftType"] == "Contact"


def test_gone_to_a_create_in_marketo_waits_for_the_feed_that_may_show_it_landed() -> None:
    book = dynamics_born()
    create = book.command()
    assert book.answers(create, "gone").out == []
    book.lands(create)
    assert book.known.marketo.link is not None and book.known.marketo.creations == 1


def test_a_lead_found_closed_before_its_row_was_seen_is_no_reason_for_a_second_one() -> None:
    book = Playbook().marketo(kind="created", lastName="Lovelace")
    create = book.sync_person().command()
    book.lead_id = create.record.id if create.record else ""
    book.answers(create, "gone", gone="closed")
    assert book.sync_person().out == []
    book.lands(create)
    assert book.known.dynamics.link is not None and book.known.dynamics.link.id == book.lead_id


def test_a_repeat_of_a_conversion_does_not_bring_a_deleted_contact_back() -> None:
    book = Playbook().contact(lastname="Lovelace")
    lead, contact = Record("dynamics", "lead", LEAD_ID), Record("dynamics", "contact", CONTACT_ID)
    book.happens("converted", lead, contact=contact)
    book.happens("deleted", contact)
    book.happens("converted", lead, contact=contact)
    assert book.known.dynamics.link is None


def test_a_new_lead_does_not_reopen_what_was_settled_while_the_person_was_a_contact() -> None:
    book = Playbook().linked_lead(city="a").qualified()
    book.lands(book.contact(address1_city="a").to("dynamics"))
    book.marketo(city="b")
    book.contact(address1_city="c", revision=2)
    assert [c.winner for c in book.of_kind("collision")] == ["dynamics"]
    book.deleted("dynamics")
    create = book.sync_person().to("dynamics")
    assert create.fields and create.fields["address1_city"] == "c"
    book.lead_id = create.record.id if create.record else ""
    book.lands(create)
    assert [c.winner for c in book.of_kind("collision")] == ["dynamics"]
