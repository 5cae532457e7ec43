"""What breaks a receiver's rules, and what a system refuses (design, "Validation")."""

from __future__ import annotations

from streams.sync.messages import Record
from tests.sync.playbook import MARKETO_ID, Playbook

LONG = "x" * 120


def test_one_invalid_field_holds_back_the_whole_command_and_nothing_is_cut() -> None:
    book = Playbook().linked_lead()
    assert book.marketo(jobTitle=LONG, city="London").out == []
    [failure] = book.of_kind("failed")
    assert (failure.system, failure.operation, failure.field, failure.value) == (
        "dynamics",
        "update",
        "job_title",
        LONG,
    )
    assert failure.code == "0x80044331"


def test_a_correction_sends_everything_pending_and_closes_the_error() -> None:
    book = Playbook().linked_lead()
    book.marketo(jobTitle=LONG, city="London")
    assert book.marketo(jobTitle="CTO").command().fields == {"jobtitle": "CTO", "address1_city": "London"}
    assert book.known.errors == {} and book.kinds()[-1] == "closed"


def test_an_error_that_stays_is_no_news() -> None:
    book = Playbook().linked_lead()
    book.marketo(jobTitle=LONG)
    book.marketo(city="London")
    assert len(book.of_kind("failed")) == 1


def test_the_other_direction_is_not_held_up() -> None:
    book = Playbook().linked_lead()
    book.marketo(jobTitle=LONG)
    assert book.dynamics(telephone1="2", revision=1).command().system == "marketo"


def test_a_refusal_waits_for_something_new_and_then_everything_pending_goes_out() -> None:
    book = Playbook().linked_lead()
    command = book.marketo(phone="2").command()
    assert book.answers(command, "refused", code="0x80040333", message="a duplicate exists").out == []
    assert book.known.errors["dynamics"].refused
    assert book.dynamics(telephone1=None, revision=1).out == []  # a row without news is no reason to try again
    again = book.marketo(city="London").command()
    assert again.fields == {"telephone1": "2", "address1_city": "London"} and book.known.errors == {}


def test_a_refusal_that_names_a_column_tells_the_value_that_was_sent() -> None:
    book = Playbook().linked_lead()
    command = book.marketo(phone="2", city="London").command()
    book.answers(command, "refused", code="0x80044331", field="telephone1", message="too long")
    [failure] = book.of_kind("failed")
    error = book.known.errors["dynamics"]
    assert (failure.field, failure.value) == (error.field, error.value) == ("phone", "2")


def test_a_retry_sends_what_was_refused_again() -> None:
    book = Playbook().linked_lead()
    book.answers(book.marketo(phone="2").command(), "refused", code="0x80040265")
    retry = book.happens("requested", Record("marketo", "person", MARKETO_ID), action="retry")
    assert retry.command().fields == {"telephone1": "2"}


def test_a_refused_create_stays_wanted() -> None:
    book = Playbook().marketo(kind="created", lastName="Lovelace")
    create = book.sync_person().command()
    assert book.answers(create, "refused", code="0x80040333").out == []
    again = book.marketo(phone="2").command()
    assert (again.operation, again.creation, again.record) == ("create", 1, create.record)


def test_a_create_without_a_required_field_fails_and_a_default_fills_another() -> None:
    book = Playbook().marketo(kind="created", firstName="Ada")
    assert book.sync_person().out == []
    assert book.of_kind("failed")[0].field == "last_name"
    create = book.marketo(lastName="Lovelace").command()
    assert create.operation == "create" and create.fields and create.fields["subject"]


def test_a_default_that_a_new_record_gets_is_sent_to_the_other_side_as_well() -> None:
    book = Playbook().marketo(kind="created", lastName="Lovelace")
    create = book.sync_person().command()
    assert create.fields
    to_marketo = book.lands(create).to("marketo")
    assert to_marketo.fields and to_marketo.fields["topic"] == create.fields["subject"]


def test_an_edit_on_the_receiving_side_of_a_one_way_field_is_overwritten_with_an_activity() -> None:
    book = Playbook().linked_lead()
    book.lands(book.dynamics(statecode=0, revision=1).command())
    column = book.policy.fields["lead_status"].marketo
    assert column is not None
    back = book.marketo(**{column: "Sold"}).command()
    assert back.system == "marketo" and book.kinds()[-1] == "overwritten"


def test_what_changed_while_a_refused_command_flew_is_sent_at_once() -> None:
    book = Playbook().linked_lead()
    command = book.marketo(jobTitle="X").command()
    book.marketo(jobTitle="Y")
    again = book.answers(command, "refused", code="0x80040333").command()
    assert again.fields == {"jobtitle": "Y"} and book.known.errors == {}


def test_an_edit_of_the_only_living_record_ends_an_error_that_nobody_else_can_correct() -> None:
    book = Playbook().linked_lead(email="ada@example.com").qualified()
    book.lands(book.contact(emailaddress1="ada@example.com").to("dynamics"))
    assert book.contact(emailaddress1="not an address", revision=2).out == []
    book.deleted("dynamics")
    assert "marketo" in book.known.errors
    told = book.marketo(email="ada@example.org").to("marketo")
    assert told.fields == {"microsoftIsDeleted": True} and book.known.errors == {}
