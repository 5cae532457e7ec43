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


def test_an_edit_that_lost_to_one_that_is_not_updated_in_marketo_undoes_nothing() -> None:
    """What won stands in Dynamics, though it cannot be written to Marketo."""
    book = Playbook(written_once_in(MARKETO, winner=DYNAMICS)).linked_lead()
    book.lands(book.dynamics(jobtitle="Clerk").command())
    sent = book.marketo(jobTitle="Cto").command()
    book.answers(sent, "conflict", row=book.row(jobtitle="Cfo"))
    assert (book.out, [each.winner for each in book.of_kind("collision")]) == ([], ["dynamics"])
    book.lands(book.dynamics(jobtitle="Cfo", lastname="Byron").command())
    assert book.out == []


def test_a_winner_that_our_write_covers_is_written_back_though_the_other_system_never_gets_it() -> None:
    """Its record says that it won: it must not be lost from both systems, whatever holds the write back for a while."""
    book = Playbook(written_once_in(DYNAMICS)).linked_lead(jobTitle="Clerk", email="ada@example.com")
    told = book.dynamics(jobtitle="Cfo", emailaddress1="ada@example.com", lastname="Lovelace", revision=1).command()
    assert book.marketo(jobTitle="Cto").out == []
    assert [each.winner for each in book.of_kind("collision")] == ["marketo"]
    book.dynamics(jobtitle="Cfo", emailaddress1="not an address", lastname="Lovelace", revision=1)
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
