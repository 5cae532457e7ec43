"""Rules that hardly any history needs: each told by the one that does."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from schemas.vocabulary import DYNAMICS, MARKETO, OURSELVES
from streams.policy import default_policy
from streams.sync.messages import Record
from streams.sync.person import Wish
from streams.sync.policy import FieldRule, compiled
from tests.sync.playbook import CONTACT_ID, LEAD_ID, MARKETO_ID, Playbook

PERSON = Record("marketo", "person", MARKETO_ID)
LEAD = Record("dynamics", "lead", LEAD_ID)


def test_another_record_that_shows_while_the_firsts_create_is_in_flight_does_not_hold_what_that_carried() -> None:
    """What it holds is no agreement: it goes to the new person when that has landed."""
    shipped = default_policy()
    plain = {name: rule for name, rule in shipped.fields.items() if rule.computed is None}
    book = Playbook(compiled("plain", plain, shipped.rules)).dynamics(
        kind="created", lastname="Lovelace", telephone1="1"
    )
    create = book.command()
    book.let_go(LEAD)
    book.dynamics(kind="created", id="second", lastname="Lovelace", telephone1="2")
    told = book.lands(create).to("marketo").fields
    assert told is not None
    assert told["phone"] == "2"


def test_another_person_who_shows_while_the_leads_create_is_in_flight_does_not_hold_what_that_carried() -> None:
    book = Playbook().marketo(kind="created", lastName="Lovelace", phone="1")
    create = book.sync_person().command()
    assert create.record is not None
    book.let_go(PERSON)
    book.marketo(kind="created", id="901", lastName="Lovelace", phone="2")
    book.lead_id = create.record.id
    assert book.lands(create).to("dynamics").fields == {"telephone1": "2"}


def test_what_a_record_shows_when_all_others_are_gone_ends_what_they_left_in_motion() -> None:
    book = Playbook().linked_lead()
    book.dynamics(lastname="Lovelace", emailaddress1="not an address", revision=1)
    book.deleted("marketo")
    book.deleted("dynamics")
    book.dynamics(kind="created", id="second", lastname="Lovelace", emailaddress1="ada@example.com")
    create = book.command().fields
    assert create is not None
    assert create["email"] == "ada@example.com"


def test_a_lead_that_was_merged_away_before_it_showed_has_used_its_number_up() -> None:
    book = Playbook().marketo(kind="created", lastName="Lovelace")
    create = book.sync_person().command()
    assert create.record is not None
    book.happens("merged", create.record, winner=Record("dynamics", "lead", "winner"), winner_person_key="another")
    assert book.sync_person().command().creation == 2


def test_a_twin_that_an_answer_does_not_name_is_waited_for() -> None:
    """The create stays in flight: whoever found the twin will say which it is."""
    book = Playbook(msgspec.structs.replace(default_policy(), dedupe="email"))
    create = book.marketo(kind="created", lastName="Lovelace", email="ada@example.com").sync_person().command()
    assert book.answers(create, "linked").out == []
    assert book.known.dynamics.flight is not None


def test_a_refused_deletion_stays_due() -> None:
    book = Playbook(msgspec.structs.replace(default_policy(), propagate_deletes_to=frozenset({DYNAMICS})))
    deletion = book.linked_lead().deleted("marketo").command()
    assert book.answers(deletion, "refused", code="0x80040265").out == []
    retry = book.happens("requested", LEAD, action="retry").command()
    assert (retry.operation, retry.record) == ("delete", deletion.record)


@pytest.mark.parametrize("refused_first", [True, False])
def test_a_deletion_that_is_due_waits_for_no_update_that_was_refused(refused_first: bool) -> None:
    """Whichever is read first, the refusal or the deletion: nobody is left who could edit what was refused."""
    book = Playbook(msgspec.structs.replace(default_policy(), propagate_deletes_to=frozenset({DYNAMICS})))
    update = book.linked_lead().marketo(jobTitle="Cto").command()
    if refused_first:
        book.answers(update, "refused", code="0x80040333").deleted("marketo")
    else:
        book.deleted("marketo").answers(update, "refused", code="0x80040333")
    assert (book.command().operation, book.known.errors) == ("delete", {})


def test_a_wish_that_an_older_state_keeps_beside_a_linked_record_ends_with_that_record() -> None:
    """Nobody asked for a lead since the linked one was made."""
    winner = {"winner": Record("dynamics", "lead", "winner"), "winner_person_key": "another"}
    for how, members in (("deleted", {}), ("merged", winner)):
        book = Playbook().linked_lead()
        book.known.dynamics.wish = Wish("change-0")
        book.happens(how, book.record("dynamics"), **members)
        assert [command.system for command in book.out] == ([MARKETO] if how == "deleted" else [])
        assert book.known.dynamics.wish is None


@pytest.mark.parametrize("edited", [{"jobTitle": "Cto"}, {"jobTitle": None}])
@pytest.mark.parametrize("edited_first", [True, False])
def test_what_a_create_wrote_that_was_said_to_be_refused_undoes_no_edit_made_since(
    edited: dict[str, Any], edited_first: bool
) -> None:
    """A second create of the same number is on its way when the first one's row shows: nobody entered what that holds."""
    book = Playbook().marketo(kind="created", lastName="Lovelace", jobTitle="Clerk")
    first = book.sync_person().command()
    if edited_first:
        book.marketo(**edited)
    book.answers(first, "refused", code="0x80040237", record=first.record)
    if not edited_first:
        book.marketo(**edited)
    second = book.command()
    assert (second.creation, second.revision) == (first.creation, 2)
    assert first.record is not None
    book.lead_id = first.record.id
    told = book.lands(first).command()
    assert told.system == MARKETO
    assert "jobTitle" not in (told.fields or {})
    row = {**(first.fields or {}), "revision": first.revision}
    again = book.answers(second, "conflict", record=first.record, row=book.row(version=1, **row)).command()
    assert again.fields == {"jobtitle": edited["jobTitle"]}
    book.lands(again)
    book.lands(told)
    assert (book.known.at_rest["job_title"], book.of_kind("collision")) == (edited["jobTitle"], [])


def test_what_somebody_entered_in_a_record_that_was_said_to_be_refused_is_an_edit() -> None:
    book = Playbook().marketo(kind="created", lastName="Lovelace", jobTitle="Clerk", phone="1")
    first = book.sync_person().command()
    book.answers(first, "refused", code="0x80040237", record=first.record).marketo(phone="2")
    second = book.command()
    told = book.lands(first, who="sam", jobtitle="Cfo").command()
    assert told.fields is not None
    assert (told.system, told.fields["jobTitle"]) == (MARKETO, "Cfo")
    assert book.answers(second, "conflict").command().fields == {"telephone1": "2"}


def test_what_a_create_wrote_that_was_said_to_be_refused_is_no_edit_while_an_error_holds_the_next_one_back() -> None:
    """Its row shows before a second create could go out."""
    book = Playbook().marketo(kind="created", lastName="Lovelace", jobTitle="Clerk", email="ada@example.com")
    first = book.sync_person().command()
    assert first.record is not None
    book.answers(first, "refused", code="0x80040237", record=first.record)
    book.lead_id = first.record.id
    book.marketo(jobTitle="Cto", email="not an address")
    assert (book.out, list(book.known.errors)) == ([], [DYNAMICS])
    told = book.lands(first).command()
    assert told.system == MARKETO
    assert not {"jobTitle", "email"} & set(told.fields or {})
    assert book.marketo(email="ada@example.org").to("dynamics").fields == {
        "jobtitle": "Cto",
        "emailaddress1": "ada@example.org",
    }


def test_what_somebody_entered_in_a_record_that_was_said_to_be_refused_stands_against_what_was_there_before() -> None:
    book = Playbook().marketo(kind="created", lastName="Lovelace", jobTitle="Clerk")
    first = book.sync_person().command()
    book.answers(first, "refused", code="0x80040237", record=first.record)
    told = book.lands(first, who="sam", jobtitle="Cfo").to("marketo").fields
    assert told is not None
    assert (told["jobTitle"], book.of_kind("collision")) == ("Cfo", [])


def test_a_record_with_a_number_of_ours_is_folded_like_any_other_where_nothing_was_ever_sent() -> None:
    """As when all is read anew: what both hold was there, and differs."""
    book = Playbook().marketo(kind="created", lastName="Lovelace", jobTitle="Clerk", creation=0)
    book.dynamics(kind="created", lastname="Lovelace", jobtitle="Cfo", creation=1, revision=3)
    assert [each.winner for each in book.of_kind("collision")] == [MARKETO]


def test_a_second_create_that_covers_an_edit_of_the_person_whom_the_first_one_made_all_the_same_is_undone() -> None:
    """Marketo's create finds the person by the key, and writes: it stays in flight as an update."""
    book = Playbook().dynamics(kind="created", lastname="Lovelace", jobtitle="Clerk")
    first = book.command()
    book.answers(first, "refused", code="1003")
    second = book.dynamics(lastname="Lovelace", jobtitle="Cto").command()
    assert (second.operation, second.creation, second.revision) == ("create", first.creation, 2)
    told = book.lands(first).command()
    assert (told.system, told.fields) == (DYNAMICS, {"subject": "(no topic)"})
    book.marketo(jobTitle="Cfo")
    assert [each.winner for each in book.of_kind("collision")] == ["marketo"]
    book.marketo(who=OURSELVES, revision=2, jobTitle="Cto")
    assert book.to("marketo").fields == {"jobTitle": "Cfo"}


def test_what_lands_in_marketo_before_a_contacts_first_row_settles_nothing_that_that_row_will_tell() -> None:
    """The command to the lead is void, but had landed: Marketo's edit won as a lead's, and is written back."""
    book = Playbook().linked_lead(city="a")
    covering = book.dynamics(address1_city="b", lastname="Lovelace", revision=1).to("marketo")
    assert book.marketo(city="c").to("dynamics").fields == {"address1_city": "c"}
    book.happens("converted", book.record("dynamics"), contact=Record("dynamics", "contact", CONTACT_ID))
    told = book.lands(covering).to("marketo")
    assert "city" not in (told.fields or {})
    book.contact(address1_city="c", lastname="Lovelace")
    assert book.lands(told).to("marketo").fields == {"city": "c"}
    assert [each.winner for each in book.of_kind("collision")] == ["marketo"]


def test_a_late_repeat_of_a_write_to_a_field_that_nobody_knows_any_more_is_no_news() -> None:
    """What it held before cannot be told, so nothing is written over."""
    book = Playbook().linked_lead()
    assert book.marketo(who=OURSELVES, revision=1, middleName="King").out == []
    assert "middle_name" not in book.known.moving | book.known.at_rest


@pytest.mark.parametrize(
    ("updated_at", "time"), [("2026-02-30T09:00:00Z", "2026-09-01T09:00:00Z"), ("2026-09-01T09:00:00Z", None)]
)
def test_a_view_or_an_entry_without_a_time_that_any_calendar_has_hides_nothing(updated_at: str, time: Any) -> None:
    book = Playbook().sync_person(fields={"lastName": "Lovelace"}, updated_at=updated_at)
    assert book.marketo(phone="1", time=time).outcome is not None
    assert book.known.moving["phone"].marketo.held == "1"


def test_a_field_that_the_policy_gives_another_type_is_no_edit_where_its_value_is_the_same() -> None:
    """It was known as text; the next row says a number, and nobody entered that."""
    shipped, staff = default_policy(), FieldRule("staff", "text", marketo="numberOfEmployees", lead="new_staff")
    texts, numbers = (
        compiled(name, {**shipped.fields, "staff": msgspec.structs.replace(staff, type=name)}, shipped.rules)
        for name in ("text", "integer")
    )
    book = Playbook(texts).linked_lead(numberOfEmployees="50")
    book.policy = numbers
    told = book.dynamics(lastname="Lovelace", jobtitle="Cto", new_staff=50).command()
    assert told.fields == {"jobTitle": "Cto"}
    assert book.known.at_rest["staff"] == 50
    assert book.lands(told).dynamics(lastname="Lovelace", jobtitle="Cto", new_staff=60).command().fields == {
        "numberOfEmployees": 60
    }
