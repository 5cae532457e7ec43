"""The sync filter's No, and what becomes of what it holds back (domain, table 1.5, scenario 42)."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from schemas.vocabulary import DYNAMICS, MARKETO
from streams.policy import default_policy
from streams.sync.messages import Record
from tests.sync.playbook import Playbook

NO: dict[str, Any] = {"new_synctomkto": False, "lastname": "Lovelace"}


def ended(book: Playbook, how: str) -> Playbook:
    """The Dynamics record is no more, or no more this person's."""
    record = book.record("dynamics")
    if how == "let go":
        return book.let_go(record)
    if how == "merged":
        return book.happens(how, record, winner=Record("dynamics", "lead", "winner"), winner_person_key="another")
    return book.happens(how, record)


def test_a_policy_without_the_filter_holds_nobody_back() -> None:
    """The record's last word was No; nobody asks for it any more."""
    book = Playbook().linked_lead()
    assert book.dynamics(jobtitle="Cto", **NO).out == []
    book.policy = msgspec.structs.replace(default_policy(), filter_column=None)
    out = {command.system: command.fields for command in book.marketo(city="London").out}
    assert out == {MARKETO: {"jobTitle": "Cto"}, DYNAMICS: {"address1_city": "London"}}


@pytest.mark.parametrize("how", ["deleted", "merged", "let go"])
def test_what_the_filter_holds_back_stays_back_when_its_record_is_gone(how: str) -> None:
    """It was ignored, and nothing that was due there only is carried over; of the deletion Marketo is told."""
    book = Playbook().linked_lead(jobTitle="Clerk")
    assert book.dynamics(jobtitle="Secret", **NO).out == []
    out = [command.fields for command in ended(book, how).out]
    assert out == ([{"microsoftIsDeleted": True}] if how == "deleted" else [])
    assert book.known.moving.keys() <= {"microsoft_is_deleted"}
    assert book.known.at_rest["job_title"] == "Clerk"


def test_what_marketo_entered_while_the_filter_held_it_back_stands_there_when_the_record_is_gone() -> None:
    book = Playbook().linked_lead(jobTitle="Clerk")
    book.marketo(jobTitle="Cto")
    book.dynamics(jobtitle="Secret", revision=2, **NO)
    assert [command.fields for command in book.deleted("dynamics").out] == [{"microsoftIsDeleted": True}]
    assert book.known.at_rest["job_title"] == "Cto"


def test_what_was_on_its_way_before_the_filters_no_is_what_marketo_holds_in_the_end() -> None:
    book = Playbook().linked_lead(jobTitle="Clerk")
    told = book.dynamics(jobtitle="Cto", lastname="Lovelace").command()
    book.dynamics(jobtitle="Secret", **NO)
    assert book.deleted("dynamics").out == []
    assert book.lands(told).command().fields == {"microsoftIsDeleted": True}
    assert book.known.at_rest["job_title"] == "Cto"


def test_what_corrects_a_late_repeat_is_what_marketo_holds_in_the_end_though_the_filter_says_no_meanwhile() -> None:
    """And not what the late repeat had brought back, which Marketo held only until then."""
    book = Playbook().linked_lead()
    old = book.dynamics(jobtitle="Cto", lastname="Lovelace", revision=1).command()
    book.lands(book.lands(old).dynamics(jobtitle="Ceo", lastname="Lovelace", revision=1).command())
    back = book.lands(old).command()
    assert back.fields == {"jobTitle": "Ceo"}
    book.dynamics(jobtitle="Secret", revision=1, **NO)
    book.deleted("dynamics")
    assert book.lands(back).command().fields == {"microsoftIsDeleted": True}
    assert book.known.at_rest["job_title"] == "Ceo"


def test_what_a_create_in_flight_does_not_carry_stays_back_too() -> None:
    book = Playbook().dynamics(kind="created", lastname="Lovelace", jobtitle="Clerk")
    create = book.command()
    book.dynamics(jobtitle="Secret", telephone1="1", **NO)
    book.deleted("dynamics")
    sent = book.lands(create).out
    assert all(not {"jobTitle", "phone"} & set(command.fields or {}) for command in sent)


def test_the_delete_policy_does_not_follow_a_record_that_the_filter_holds_back() -> None:
    policy = msgspec.structs.replace(default_policy(), propagate_deletes_to=frozenset({MARKETO}))
    book = Playbook(policy).linked_lead().dynamics(**NO)
    assert [command.operation for command in book.deleted("dynamics").out] == ["update"]
