"""A sync error ends with what it was about: a record that is deleted, merged away, given away or converted."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.limits import CLOSED_RECORDS_MAX
from schemas.vocabulary import OURSELVES
from streams.sync.messages import Record
from tests.sync.playbook import LEAD_ID, MARKETO_ID, Playbook

LEAD = Record("dynamics", "lead", LEAD_ID)
PERSON = Record("marketo", "person", MARKETO_ID)
SECOND = Record("dynamics", "lead", "second")


def ends(book: Playbook, record: Record, how: str) -> Playbook:
    """The record is no more, or no more this person's."""
    if how == "let go":
        return book.let_go(record)
    winner = {"winner": Record(record.system, record.type, "winner")} if how == "merged" else {}
    return book.happens(how, record, **winner, **({"winner_person_key": "another"} if winner else {}))


@pytest.mark.parametrize("how", ["deleted", "merged", "let go"])
def test_nothing_is_made_any_more_of_a_record_that_is_gone_and_no_error_waits_for_it(how: str) -> None:
    """A junk lead whose address Marketo won't take; a person without a last name, for whom somebody ran Sync Person."""
    junk = Playbook().dynamics(kind="created", lastname="Junk", emailaddress1="not an address")
    nameless = Playbook().marketo(kind="created", firstName="Ada").sync_person()
    for book, record in ((junk, LEAD), (nameless, PERSON)):
        assert len(book.known.errors) == 1
        ends(book, record, how)
        assert (book.out, book.known.errors, book.kinds().count("closed")) == ([], {}, 1)
        assert (book.known.marketo.wish, book.known.dynamics.wish) == (None, None)


@pytest.mark.parametrize("how", ["deleted", "merged", "let go"])
def test_what_a_record_refused_is_no_error_when_it_is_gone(how: str) -> None:
    book = Playbook().linked_lead()
    book.answers(book.marketo(jobTitle="Cto").command(), "refused", code="0x80040333")
    assert ends(book, book.record("dynamics"), how).known.errors == {}


def test_an_error_about_a_record_waits_for_its_heir_where_a_merge_leaves_one_to_the_person() -> None:
    """The winner is this person's: the create in the other system is wanted still."""
    book = Playbook().marketo(kind="created", firstName="Ada").sync_person()
    winner = Record("marketo", "person", "winner")
    book.happens("merged", PERSON, winner=winner, winner_person_key=book.person_key)
    assert book.known.dynamics.wish is not None
    assert list(book.known.errors) == ["dynamics"]


def test_a_refused_create_of_somebody_who_was_deleted_meanwhile_is_told_and_not_waited_for() -> None:
    book = Playbook().marketo(kind="created", lastName="Lovelace")
    create = book.sync_person().command()
    book.deleted("marketo")
    book.answers(create, "refused", code="0x80040333")
    assert (book.kinds(), book.known.errors, book.known.dynamics.wish) == (
        ["deleted", "failed", "closed"],
        {},
        None,
    )


@pytest.mark.parametrize("refused_first", [True, False])
def test_nothing_waits_for_a_person_who_is_deleted_because_an_update_of_theirs_is_still_unanswered(
    refused_first: bool,
) -> None:
    """That update will make nobody: the lead whose create is refused has nothing left to be made of."""
    book = Playbook().linked_lead()
    book.dynamics(jobtitle="Cto", lastname="Lovelace").command()
    book.deleted("dynamics")
    create = book.sync_person().to("dynamics")
    if refused_first:
        book.answers(create, "refused", code="0x80040333").deleted("marketo")
    else:
        book.deleted("marketo").answers(create, "refused", code="0x80040333")
    assert book.known.marketo.flight is not None
    assert (book.out, book.known.errors, book.known.dynamics.wish) == ([], {}, None)


@pytest.mark.parametrize("refused_first", [True, False])
def test_an_edit_that_marketo_refused_makes_the_person_again_who_is_deleted_there(refused_first: bool) -> None:
    """Whichever is read first, the refusal or the deletion."""
    book = Playbook().linked_lead()
    command = book.dynamics(jobtitle="Cto", lastname="Lovelace").command()
    steps: list[Any] = [lambda: book.answers(command, "refused", code="1003"), lambda: book.deleted("marketo")]
    for step in steps if refused_first else reversed(steps):
        step()
    again = book.command()
    assert again.operation == "create"
    assert again.fields is not None
    assert again.fields["jobTitle"] == "Cto"


def test_what_a_lead_refused_is_sent_to_the_contact_that_it_became() -> None:
    book = Playbook().linked_lead()
    book.answers(book.marketo(jobTitle="Cto").command(), "refused", code="0x80040333")
    assert book.qualified().known.errors == {}
    assert book.contact(jobtitle=None, lastname="Lovelace").to("dynamics").fields == {"jobtitle": "Cto"}


def test_a_value_that_was_rewritten_is_no_error_when_both_records_are_gone() -> None:
    book = Playbook().linked_lead(jobTitle="Clerk")
    update = book.dynamics(jobtitle="Cto", lastname="Lovelace").command()
    book.marketo(who=OURSELVES, revision=update.revision, firstName="Ada")
    book.lands(book.deleted("dynamics").command())
    assert list(book.known.errors) == ["rewriting/job_title"]
    assert book.deleted("marketo").known.errors == {}
    assert book.kinds()[-1] == "closed"


@pytest.mark.parametrize("how", ["deleted", "merged", "let go"])
def test_a_duplicate_that_is_gone_is_no_error_any_more(how: str) -> None:
    book = Playbook().linked_lead().dynamics(kind="created", id=SECOND.id, lastname="Lovelace")
    assert list(book.known.errors) == ["duplicate/dynamics"]
    ends(book, Record("dynamics", "lead", "third"), how)
    assert list(book.known.errors) == ["duplicate/dynamics"]
    ends(book, SECOND, how)
    assert book.known.errors == {}
    assert book.outcome is not None
    assert book.outcome.effect == "folded"
    assert book.record("dynamics").id == book.lead_id


def test_a_duplicate_that_takes_the_place_of_a_deleted_record_is_no_error_any_more() -> None:
    book = Playbook().linked_lead().dynamics(kind="created", id=SECOND.id, lastname="Lovelace")
    book.deleted("dynamics")
    book.dynamics(id=SECOND.id, lastname="Lovelace", jobtitle="Cto")
    assert (book.record("dynamics"), book.known.errors) == (SECOND, {})


@pytest.mark.parametrize("is_alone", [True, False])
@pytest.mark.parametrize("how", ["deleted", "merged"])
def test_a_late_repeat_of_a_duplicates_row_neither_opens_its_error_again_nor_links_it(how: str, is_alone: bool) -> None:
    """It is no more, and nothing would be left to close that error; so too where the linked record has gone before it."""
    book = Playbook().linked_lead().dynamics(kind="created", id=SECOND.id, lastname="Lovelace")
    if is_alone:
        book.deleted("dynamics")
    linked = book.known.dynamics.link
    ends(book, SECOND, how)
    said = len(book.log)
    book.dynamics(kind="created", id=SECOND.id, lastname="Lovelace", version=1)
    assert book.outcome is not None
    assert (book.outcome.effect, book.known.errors, book.known.dynamics.link) == ("closed", {}, linked)
    assert len(book.log) == said


def test_a_duplicate_that_is_gone_says_nothing_of_who_may_be_made_again() -> None:
    """The person was merged away in Marketo: later edits in Dynamics make no new one, whatever became of a duplicate."""
    book = Playbook().linked_lead().marketo(kind="created", id="77", lastName="Lovelace")
    ends(book, PERSON, "merged")
    ends(book, Record("marketo", "person", "77"), "deleted")
    assert book.dynamics(jobtitle="Cto", lastname="Lovelace", firstname="Ada").out == []
    assert book.known.marketo.last_closure() == "merged"


@pytest.mark.parametrize("first", ["dynamics", "marketo"])
def test_a_person_whose_lead_is_gone_too_is_not_wanted_again(first: Any) -> None:
    """What was on its way to them was edited in Dynamics, but nothing is left there to make a new person of."""
    book = Playbook().linked_lead()
    told = book.dynamics(jobtitle="Cto", lastname="Lovelace", revision=1).command()
    book.deleted(first).deleted("marketo" if first == "dynamics" else "dynamics")
    book.answers(told, "gone")
    assert (book.out, book.known.marketo.wish) == ([], None)


@pytest.mark.parametrize("how", ["deleted", "merged"])
def test_a_lead_that_was_said_to_be_refused_and_is_gone_before_it_showed_has_used_up_its_number(how: str) -> None:
    """It was made all the same: Sync Person is fulfilled. Under its id another one would pass for a late repeat, for ever."""
    book = Playbook().marketo(kind="created", firstName="Ada", lastName="Lovelace")
    create = book.sync_person().command()
    book.answers(create, "refused", code="0x80040237")
    assert create.record is not None
    winner = {"winner": LEAD, "winner_person_key": "another"} if how == "merged" else {}
    book.happens(how, create.record, creation=1, **winner)
    assert (book.known.errors, book.known.dynamics.wish, book.marketo(firstName="Augusta").out) == ({}, None, [])
    again = book.sync_person().command()
    assert again.creation == 2
    assert book.lands(again).known.dynamics.link is not None


def test_of_more_strays_than_are_remembered_the_oldest_is_forgotten_and_no_linked_record() -> None:
    """Its late repeats open an error again; those of the others say nothing."""
    book = Playbook().linked_lead().deleted("dynamics").dynamics(kind="created", id="linked", lastname="Lovelace")
    strays = [Record("dynamics", "lead", f"stray-{n}") for n in range(CLOSED_RECORDS_MAX)]
    for stray in strays:
        ends(book, stray, "deleted")
    for record_id, effect in ((book.lead_id, "closed"), (strays[-1].id, "closed"), (strays[0].id, "folded")):
        book.dynamics(kind="created", id=record_id, lastname="Lovelace", version=1)
        assert book.outcome is not None and book.outcome.effect == effect
