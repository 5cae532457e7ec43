"""Fields of one direction: their source is right, once it has stated them; until then what the receiving record holds stands."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.vocabulary import OURSELVES
from streams.sync.messages import ApplyCommand, Record
from tests.simulation.small_policy import small_policy
from tests.sync.playbook import COMPLETE, MARKETO_ID, Playbook

PERSON = Record("marketo", "person", MARKETO_ID)
SECOND = "902"


def scored(score: int | None) -> Playbook:
    """A linked pair under a policy by which scores go to Dynamics; Marketo may have stated one."""
    book = Playbook(small_policy())
    return book.linked_lead() if score is None else book.linked_lead(leadScore=score)


def lead_scores(book: Playbook, score: int | None, **more: Any) -> Playbook:
    """A row of the lead shows this score."""
    return book.dynamics(lastname="Lovelace", mkt_score=score, **more)


def made_again(book: Playbook) -> Playbook:
    """The Marketo person is deleted, somebody edits the lead, and a new person is made and linked."""
    if book.known.marketo.link is not None:
        book.deleted("marketo")
    create = book.dynamics(lastname="Lovelace", jobtitle="Cto", mkt_score=book.known.at_rest["score"]).to("marketo")
    book.lands(create, id=SECOND)
    for command in list(book.out):
        book.lands(command)
    return book


@pytest.mark.parametrize("first", [None, 10])
def test_what_is_edited_on_the_receiving_side_stands_each_time_while_the_source_has_stated_nothing(
    first: int | None,
) -> None:
    """Taken for the source's, the first of these values would undo the second one."""
    book = lead_scores(scored(None), first)
    for score in (11, 12, None, 13):
        lead_scores(book, score)
        assert (book.out, book.known.moving, book.of_kind("overwritten")) == ([], {}, [])
    assert book.marketo(leadScore=5).command().fields == {"mkt_score": 5}
    assert book.command().expected == {"mkt_score": 13}


def test_somebody_created_on_the_receiving_side_likewise() -> None:
    book = Playbook(small_policy()).dynamics(kind="created", **COMPLETE, mkt_score=10)
    book.lands(book.lands(book.command()).command())
    assert book.dynamics(**COMPLETE, mkt_score=11).out == []
    book.marketo(leadScore=11)
    assert book.dynamics(**COMPLETE, mkt_score=12).command().fields == {"mkt_score": 11}


def test_what_a_deleted_source_stated_undoes_nothing_when_it_was_made_again() -> None:
    """The new person holds no score: nobody would be left who had entered the one that is written back."""
    book = made_again(scored(10))
    assert lead_scores(book, 11, jobtitle="Cto").out == []
    assert book.marketo(id=SECOND, leadScore=5).command().fields == {"mkt_score": 5}


def test_what_was_on_its_way_from_a_source_that_is_deleted_arrives_and_undoes_nothing_afterwards() -> None:
    book = scored(10)
    update = book.marketo(leadScore=20).command()
    book.deleted("marketo")
    book.lands(update, lastname="Lovelace", who=OURSELVES)
    assert book.known.at_rest["score"] == 20
    made_again(book)
    assert lead_scores(book, 11, jobtitle="Cto").out == []


def test_a_second_source_that_states_nothing_of_a_field_clears_nothing() -> None:
    """A value that it states is right again."""
    book = scored(10)
    book.deleted("marketo")
    book.marketo(kind="created", id=SECOND, firstName="Ada", lastName="Lovelace")
    assert all("mkt_score" not in (command.fields or {}) for command in book.out)
    for command in list(book.out):
        book.lands(command)
    assert lead_scores(book, 11).out == []
    assert book.marketo(id=SECOND, leadScore=12).command().fields == {"mkt_score": 12}


def test_a_source_that_states_what_the_receiving_record_holds_is_right_from_then_on() -> None:
    book = lead_scores(scored(None), 10)
    assert book.marketo(leadScore=10).out == []
    assert lead_scores(book, 11).command().fields == {"mkt_score": 10}


def test_the_default_that_a_new_lead_got_does_not_undo_what_is_entered_there() -> None:
    """It was filled in because the source holds nothing: only a value that is stated there is right."""
    book = Playbook(small_policy("one-way", {"topic": {"direction": "to_dynamics"}})).linked_lead()
    row = {"firstname": "Ada", "lastname": "Lovelace", "revision": 1}
    for topic in ("Engines", None, "Looms"):
        assert book.dynamics(**row, subject=topic).out == []
    assert book.of_kind("overwritten") == []
    sent = book.marketo(topic="Weaving").to("dynamics")
    assert (sent.fields, sent.expected) == ({"subject": "Weaving"}, {"subject": "Looms"})


@pytest.mark.parametrize("score", [12, None])
def test_what_a_contacts_first_row_shows_on_the_receiving_side_stands_while_the_source_has_stated_nothing(
    score: int | None,
) -> None:
    """It was entered in the lead just before that was qualified; what the lead held until then is not the source's word."""
    book = lead_scores(scored(None), 10, firstname="Ada", revision=1).qualified()
    book.contact(firstname="Ada", lastname="Lovelace", mkt_score=score)
    assert (book.to("dynamics").fields, book.of_kind("overwritten")) == ({}, [])
    assert book.known.at_rest["score"] == score


@pytest.mark.parametrize("direction", ["to_dynamics", "to_marketo"])
def test_what_the_receiving_system_rewrites_on_save_is_not_sent_again_and_again(direction: str) -> None:
    """Its source is right, and the receiver keeps its own: an error says so, until somebody edits the source, or a retry."""
    book = Playbook(small_policy("one-way", {"job_title": {"direction": direction}})).linked_lead()

    def entered(value: str) -> ApplyCommand:
        if direction == "to_dynamics":
            return book.marketo(jobTitle=value).command()
        return book.dynamics(jobtitle=value, lastname="Lovelace", revision=1).command()

    def landed_as(sent: ApplyCommand, value: str) -> list[ApplyCommand]:
        return book.lands(sent, **({"jobtitle": value} if direction == "to_dynamics" else {"jobTitle": value})).out

    assert landed_as(entered(" Cto "), "Cto") == []
    assert list(book.known.errors) == ["rewriting/job_title"]
    assert landed_as(entered("Ceo"), "Ceo") == []
    assert (book.known.errors, book.known.at_rest["job_title"]) == ({}, "Ceo")


@pytest.mark.parametrize("direction", ["to_dynamics", "to_marketo"])
def test_an_edit_that_waits_when_the_policy_makes_its_side_the_receiving_one_is_written_over(direction: str) -> None:
    """Taken for settled, it stood for what the source holds: the systems differed, and nobody was told."""
    book = Playbook(small_policy()).linked_lead(jobTitle="Old", email="ada@example.com")
    row = {"lastname": "Lovelace", "emailaddress1": "ada@example.com", "revision": 1}
    if direction == "to_dynamics":
        book.dynamics(**{**row, "jobtitle": "New", "emailaddress1": "bad"})
    else:
        book.marketo(jobTitle="New", email="bad")
    assert book.out == []
    book.policy = small_policy("one-way", {"job_title": {"direction": direction}})
    if direction == "to_dynamics":
        assert book.marketo(phone="3").command().fields == {"jobtitle": "Old", "telephone1": "3"}
    else:
        told = book.dynamics(**row, jobtitle="Old", telephone1="3").command().fields
        assert told == {"jobTitle": "Old", "phone": "3"}


def test_what_has_landed_in_the_source_all_the_same_is_what_the_source_holds() -> None:
    """It was in flight when the policy made its side the receiving one: both systems hold it."""
    book = Playbook(small_policy()).linked_lead(jobTitle="Old")
    told = book.dynamics(jobtitle="New", lastname="Lovelace", revision=1).command()
    book.policy = small_policy("one-way", {"job_title": {"direction": "to_dynamics"}})
    assert book.lands(told).out == []
    assert (book.known.moving, book.known.at_rest["job_title"]) == ({}, "New")


def lands_as_row(book: Playbook, create: ApplyCommand, **more: Any) -> Playbook:
    """A new Marketo person of ours comes with its whole row, the empty fields too."""
    fields = {"leadScore": None, **(create.fields or {}), **more}
    return book.happens(
        "created", PERSON, fields=fields, scope="row", revision=create.revision, creation=1, who=OURSELVES
    )


@pytest.mark.parametrize("is_refused", [False, True])
def test_an_empty_field_of_a_new_source_of_ours_states_nothing(is_refused: bool) -> None:
    """Nobody has left it empty; a value that it comes to hold is right, and so is its being emptied then."""
    book = Playbook(small_policy()).dynamics(kind="created", **COMPLETE, mkt_score=10)
    create = book.command()
    if is_refused:  # and carried out all the same
        book.answers(create, "refused", code="1003", message="no")
    lands_as_row(book, create)
    assert [command.fields for command in book.out] == [{}]
    book.lands(book.command(), **COMPLETE, mkt_score=10)
    for score in (11, 12):
        assert book.dynamics(**COMPLETE, mkt_score=score).out == []
    book.lands(book.marketo(leadScore=5).command(), **COMPLETE)
    assert book.marketo(leadScore=None).command().fields == {"mkt_score": None}


def test_nor_does_that_of_a_new_lead_in_whatever_row_it_shows_and_of_the_contact_made_of_it() -> None:
    """Marketo keeps what it holds, and what is entered there stands."""
    policy = small_policy("one-way", {"job_title": {"direction": "to_marketo"}})
    book = Playbook(policy).linked_lead(jobTitle="Clerk")
    row = {"firstname": "Ada", "lastname": "Lovelace", "jobtitle": None}
    assert book.dynamics(**row, telephone1="1", revision=1).command().fields == {"phone": "1"}
    book.lands(book.command())
    assert book.marketo(jobTitle="Cto").out == []
    book.qualified().contact(**row, telephone1="1")
    assert all("jobTitle" not in (command.fields or {}) for command in book.out)
    assert book.known.at_rest["job_title"] == "Cto"


def test_a_lead_of_ours_that_shows_while_its_person_was_known_before_one_way_fields_were_told_apart() -> None:
    """A state from before that names none of them; the new lead has stated nothing all the same."""
    policy = small_policy("one-way", {"job_title": {"direction": "to_marketo"}})
    book = Playbook(policy).marketo(kind="created", firstName="Ada", lastName="Lovelace", jobTitle="Clerk")
    book.known.unstated = ()
    create = book.sync_person().command()
    book.lead_id = create.record.id if create.record else ""
    book.lands(book.lands(create, jobtitle=None).command())
    assert book.marketo(jobTitle="Cto").out == []


def test_an_edit_on_the_receiving_side_of_what_was_rewritten_there_is_written_over_as_its_activity_says() -> None:
    """The source's value had stopped; somebody's edit starts it again, and what is refused likewise."""
    book = Playbook(small_policy("one-way", {"job_title": {"direction": "to_dynamics"}})).linked_lead()
    book.lands(book.marketo(jobTitle=" Cto ").command(), jobtitle="Cto")
    sent = book.dynamics(jobtitle="Cfo", lastname="Lovelace", revision=2).command()
    assert (sent.fields, sent.expected) == ({"jobtitle": " Cto "}, {"jobtitle": "Cfo"})
    assert [each.value for each in book.of_kind("overwritten")] == ["Cfo"]
    assert book.lands(sent, jobtitle="Cto").out == []
    assert list(book.known.errors) == ["rewriting/job_title"]


def test_what_a_view_of_the_source_states_is_right_from_then_on() -> None:
    """The request overtakes the feed's word of the person."""
    book = Playbook(small_policy()).dynamics(kind="created", **COMPLETE, mkt_score=10)
    book.answers(book.command(), "refused", code="1003", message="no").deleted("dynamics")
    create = book.sync_person(fields={"firstName": "Ada", "lastName": "Lovelace", "leadScore": 5}).command()
    book.lead_id = create.record.id if create.record else ""
    book.lands(book.lands(create).command())
    row = {**COMPLETE, "firstname": "Ada", "telephone1": None}
    assert book.dynamics(**row, mkt_score=11, revision=1).command().fields == {"mkt_score": 5}


@pytest.mark.parametrize("direction", ["both", "to_dynamics"])
def test_a_source_that_has_stated_nothing_empties_nothing_when_the_policy_changes_the_direction(direction: str) -> None:
    """A value beats an empty field."""
    book = Playbook(small_policy("one-way", {"job_title": {"direction": "to_marketo"}})).linked_lead(jobTitle="Clerk")
    book.policy = small_policy("changed", {"job_title": {"direction": direction}})
    row = {"firstname": "Ada", "lastname": "Lovelace", "revision": 1}
    book.dynamics(**row, jobtitle=None, telephone1="1")
    assert book.to("marketo").fields == {"phone": "1"}
    if direction == "both":
        for command in list(book.out):
            book.lands(command)
        assert book.dynamics(**row, jobtitle=None, telephone1="1").command().fields == {"jobTitle": None}
    else:
        assert book.dynamics(**row, jobtitle=None, telephone1="2").out == []


def test_a_source_that_has_stated_nothing_is_known_to_be_empty_when_the_policy_makes_it_the_receiving_side() -> None:
    """Expected to hold the other one's value, it answered each command with the same conflict, without end."""
    book = Playbook(small_policy("one-way", {"job_title": {"direction": "to_marketo"}})).linked_lead(jobTitle="Clerk")
    book.policy = small_policy("changed", {"job_title": {"direction": "to_dynamics"}})
    row = book.row(firstname="Ada", lastname="Lovelace", jobtitle=None, revision=1)
    sent = book.answers(book.marketo(jobTitle="Cto").command(), "conflict", row=row).command()
    assert (sent.fields, sent.expected) == ({"jobtitle": "Cto"}, {"jobtitle": None})
    assert (book.lands(sent).out, book.known.at_rest["job_title"]) == ([], "Cto")


def test_a_field_that_marketo_never_stated_is_cleared_without_an_error_when_the_policy_makes_it_go_both_ways() -> None:
    """It was empty there all along: the feed lists nothing of the write."""
    book = lead_scores(scored(None), 10)
    book.policy = small_policy("changed", {"score": {"direction": "both"}})
    sent = lead_scores(book, None).command()
    assert sent.fields == {"leadScore": None}
    book.marketo(who=OURSELVES, revision=sent.revision)
    assert (book.out, book.known.errors, book.known.at_rest["score"]) == ([], {}, None)


def test_what_marketo_keeps_is_an_error_once_it_was_sent_a_value_in_a_field_that_the_policy_makes_go_both_ways() -> (
    None
):
    """It may have held the first one all along, of which it had stated nothing; after that it is known what it holds."""
    book = lead_scores(scored(None), 10)
    book.policy = small_policy("changed", {"score": {"direction": "both"}})
    for score, errors in ((20, []), (30, ["rewriting/score"])):
        sent = lead_scores(book, score, revision=1).command()
        book.marketo(who=OURSELVES, revision=sent.revision)
        assert (book.out, list(book.known.errors)) == ([], errors)
