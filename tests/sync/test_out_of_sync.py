"""Fields without a name for the person's record type: out of sync, neither sent nor cleared (design, "Policy")."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.vocabulary import DYNAMICS, MARKETO, OURSELVES
from streams.policy import default_policy
from streams.sync.messages import Record
from streams.sync.policy import FieldRule, compiled
from tests.sync.playbook import CONTACT_ID, Playbook

SCORE = FieldRule("lead_score", "integer", marketo="leadScore", contact="mkt_leadscore")
CONTACT = Record("dynamics", "contact", CONTACT_ID)


def converted(**marketo: Any) -> Playbook:
    """A lead became a contact, whose first row is yet to come; only contacts have a score."""
    shipped = default_policy()
    policy = compiled("contact-only", {**shipped.fields, SCORE.name: SCORE}, shipped.rules, shipped.authority)
    return Playbook(policy).linked_lead(**marketo).qualified()


def test_a_field_that_only_contacts_have_is_not_cleared_by_a_contacts_first_row() -> None:
    """The contact has lost nothing: a value beats an empty field, as where two records become one person."""
    book = converted(leadScore=50)
    assert book.contact(mkt_leadscore=None, lastname="Lovelace").command().fields == {"mkt_leadscore": 50}


def test_what_marketo_entered_before_a_contacts_first_row_goes_to_the_contact() -> None:
    book = converted(leadScore=50)
    assert book.marketo(leadScore=80).out == []
    assert book.contact(mkt_leadscore=None, lastname="Lovelace").command().fields == {"mkt_leadscore": 80}


def test_a_value_that_a_contact_shows_first_goes_to_marketo_where_nothing_stands() -> None:
    """Also where somebody emptied the field before that row."""
    assert converted().contact(mkt_leadscore=7, lastname="Lovelace").to(MARKETO).fields == {"leadScore": 7}
    emptied = converted(leadScore=7).marketo(leadScore=None)
    assert emptied.contact(mkt_leadscore=7, lastname="Lovelace").to(MARKETO).fields == {"leadScore": 7}


@pytest.mark.parametrize(("who", "winner"), [("sam", DYNAMICS), (OURSELVES, MARKETO)])
def test_where_both_hold_something_they_collide_unless_dynamics_filled_it_in(who: str, winner: str) -> None:
    """What a contact that we made by qualifying holds there, nobody has entered."""
    book = converted(leadScore=50).contact(who=who, mkt_leadscore=7, lastname="Lovelace")
    sent = {command.system: command.fields for command in book.out if command.fields}
    assert sent == ({MARKETO: {"leadScore": 7}} if winner == DYNAMICS else {DYNAMICS: {"mkt_leadscore": 50}})
    assert [each.winner for each in book.of_kind("collision")] == ([DYNAMICS] if winner == DYNAMICS else [])
