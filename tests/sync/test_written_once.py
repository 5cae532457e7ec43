"""Fields that are written once (`block_updates`): the systems may differ for good, and neither undoes the other."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from schemas.vocabulary import DYNAMICS, MARKETO, System
from streams.policy import default_policy
from streams.sync.policy import Policy, compiled
from tests.sync.playbook import Playbook


def written_once_in(system: System, **more: Any) -> Policy:
    """A job title that is there is never updated in this system."""
    policy = default_policy()
    once = msgspec.structs.replace(policy.fields["job_title"], block_updates=frozenset({system}), **more)
    return compiled("blocked", {**policy.fields, "job_title": once}, policy.rules, filter_column=policy.filter_column)


def test_a_late_repeat_is_written_over_where_the_other_system_is_not_updated_either() -> None:
    """There the systems may hold different values for good; but not a value of ours that is over."""
    book = Playbook(written_once_in(DYNAMICS)).linked_lead()
    old = book.dynamics(jobtitle="Cto", revision=1).command()
    book.lands(book.lands(old).dynamics(jobtitle="Ceo", revision=1).command())
    assert book.lands(old).command().fields == {"jobTitle": "Ceo"}  # carried out once more
    book.lands(book.command())
    assert (book.out, book.known.moving, book.known.at_rest["job_title"]) == ([], {}, "Ceo")


def test_an_edit_that_is_not_updated_in_marketo_is_not_undone_by_the_older_one_there() -> None:
    """It was made in sight of that; both are over, and the systems hold different values for good."""
    book = Playbook(written_once_in(MARKETO)).linked_lead()
    book.lands(book.dynamics(jobtitle="Clerk").command())
    sent = book.marketo(jobTitle="Cto").command()
    command = book.answers(sent, "conflict", row=book.row(jobtitle="Cfo")).command()
    assert (command.fields, len(book.of_kind("collision"))) == ({"jobtitle": "Cto"}, 1)
    book.dynamics(jobtitle="Ceo", lastname="Byron", revision=command.revision)
    assert book.command().fields == {"lastName": "Byron"}
    book.lands(book.command())
    assert book.out == []


def test_a_late_repeat_in_marketo_undoes_nothing_in_dynamics() -> None:
    """There somebody changed the value in sight of Marketo's, where it is not updated."""
    book = Playbook(written_once_in(MARKETO)).linked_lead()
    first = book.dynamics(jobtitle="Clerk", lastname="Lovelace", revision=1).command()
    sent = book.lands(first).marketo(jobTitle="Cto").command()
    book.lands(book.lands(sent, lastname="Lovelace").dynamics(jobtitle="Cfo", lastname="Byron", revision=2).command())
    assert book.lands(first).out == []


@pytest.mark.parametrize("winner", ["authority", DYNAMICS, "latest"])
@pytest.mark.parametrize("marketo_first", [True, False])
def test_of_two_edits_the_one_in_the_system_where_the_field_is_written_once_stands_in_whatever_order_they_are_read(
    winner: Any, marketo_first: bool
) -> None:
    """It never hears of the other one's edits: no other rule could be told apart from the order of reading."""
    book = Playbook(written_once_in(MARKETO, winner=winner)).linked_lead(jobTitle="Clerk")
    row = {"jobtitle": "Cfo", "lastname": "Lovelace"}
    if marketo_first:
        sent = book.marketo(jobTitle="Cto").command()
        sent = book.answers(sent, "conflict", row=book.row(**row, time="2030-01-01T00:00:00Z")).command()
        assert [each.winner for each in book.of_kind("collision")] == [MARKETO]
    else:
        assert book.dynamics(**row, time="2030-01-01T00:00:00Z").out == []
        sent = book.marketo(jobTitle="Cto").command()
    assert (sent.system, sent.fields, sent.expected) == (DYNAMICS, {"jobtitle": "Cto"}, {"jobtitle": "Cfo"})
    assert book.lands(sent, lastname="Lovelace").out == []


@pytest.mark.parametrize("marketo_first", [True, False])
def test_where_dynamics_is_not_updated_its_edit_stands_likewise(marketo_first: bool) -> None:
    book = Playbook(written_once_in(DYNAMICS)).linked_lead(jobTitle="Clerk")
    row = {"jobtitle": "Cfo", "lastname": "Lovelace", "revision": 1}
    if marketo_first:
        assert book.marketo(jobTitle="Cto").out == []
        told = book.dynamics(**row).command()
    else:
        told = book.dynamics(**row).command()
        assert book.marketo(jobTitle="Cto").out == []
        assert [each.winner for each in book.of_kind("collision")] == [DYNAMICS]
    assert told.fields == {"jobTitle": "Cfo"}
    assert book.lands(told).out == []
    assert book.known.at_rest["job_title"] == "Cfo"


@pytest.mark.parametrize("blocked", [{MARKETO}, {MARKETO, DYNAMICS}])
def test_what_the_first_write_covered_in_marketo_is_written_back_though_it_is_not_updated_there(
    blocked: set[System],
) -> None:
    """The field was empty when the command was sent; what somebody entered meanwhile is no later write of ours."""
    policy = written_once_in(MARKETO)
    once = msgspec.structs.replace(policy.fields["job_title"], block_updates=frozenset(blocked))
    fields = {**policy.fields, "job_title": once}
    book = Playbook(compiled("blocked", fields, policy.rules, filter_column=policy.filter_column)).linked_lead()
    told = book.dynamics(jobtitle="Cfo", lastname="Lovelace", revision=1).command()
    out = list(book.marketo(jobTitle="Cto").out)
    out += book.lands(told).out
    assert {command.system: command.fields for command in out} == {
        MARKETO: {"jobTitle": "Cto"},
        **({} if DYNAMICS in blocked else {DYNAMICS: {"jobtitle": "Cto"}}),
    }


def test_a_winner_that_our_write_covers_is_written_back_though_the_other_system_never_gets_it() -> None:
    """What a lead was filled in with when it was made loses to it: it must not be lost, whatever holds the write back for a while."""
    book = Playbook(written_once_in(DYNAMICS)).marketo(
        kind="created", firstName="Ada", lastName="Lovelace", email="ada@example.com"
    )
    create = book.sync_person().command()
    book.lead_id = create.record.id if create.record else ""
    told = book.lands(create, jobtitle="Unknown").to("marketo")
    assert book.marketo(jobTitle="Cto").out == []
    book.dynamics(jobtitle="Unknown", emailaddress1="not an address", lastname="Lovelace", firstname="Ada", revision=1)
    assert book.lands(told).out == []  # the e-mail address stands in the way of all that is due in Marketo
    back = book.marketo(email="ada@example.org").to("marketo")
    assert back.fields == {"jobTitle": "Cto"}
    book.lands(back)
    assert (book.out, book.known.moving["job_title"].marketo.held) == ([], "Cto")


@pytest.mark.parametrize(
    ("blocked", "edited"), [(DYNAMICS, {"jobTitle": "Cto"}), (MARKETO, {"jobtitle": "Cto", "lastname": "Lovelace"})]
)
def test_what_stands_where_a_field_is_not_blocked_goes_out_when_it_is_not_blocked_elsewhere_either(
    blocked: System, edited: dict[str, str]
) -> None:
    """And not the value before it, which nobody wants any more."""
    book = Playbook(written_once_in(blocked)).linked_lead(jobTitle="Clerk")
    assert (book.marketo(**edited) if blocked == DYNAMICS else book.dynamics(**edited)).out == []
    book.policy = default_policy()
    book.marketo(city="London")
    assert {command.system: command.fields for command in book.out} == (
        {DYNAMICS: {"jobtitle": "Cto", "address1_city": "London"}}
        if blocked == DYNAMICS
        else {DYNAMICS: {"address1_city": "London"}, MARKETO: {"jobTitle": "Cto"}}
    )


def test_a_new_record_gets_what_stood_where_a_field_is_not_blocked() -> None:
    """The deleted one held an older value, that could not be written over."""
    book = Playbook(written_once_in(DYNAMICS)).linked_lead(jobTitle="Clerk")
    book.marketo(jobTitle="Cto")
    book.lands(book.deleted("dynamics").command())
    create = book.sync_person().command()
    assert create.fields is not None
    assert create.fields["jobtitle"] == "Cto"


def test_what_the_filter_holds_back_is_not_what_stands_where_marketo_is_not_updated() -> None:
    """When its record is deleted, a new lead gets what Marketo holds."""
    book = Playbook(written_once_in(MARKETO)).linked_lead(jobTitle="Clerk")
    book.dynamics(jobtitle="Secret", lastname="Lovelace", new_synctomkto=False)
    book.lands(book.deleted("dynamics").command())
    create = book.sync_person().command()
    assert create.fields is not None
    assert create.fields["jobtitle"] == "Clerk"


def test_an_edit_on_the_receiving_side_of_a_field_that_is_written_once_is_not_said_to_be_overwritten() -> None:
    """For it is not: it stays."""
    book = Playbook(written_once_in(DYNAMICS, direction="to_dynamics")).linked_lead(jobTitle="Clerk")
    book.dynamics(jobtitle="Cto", lastname="Lovelace")
    assert (book.out, book.of_kind("overwritten")) == ([], [])
