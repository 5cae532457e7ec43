"""Sync Person asked for again: one create, whatever lane it is in (design, "Sync Person to Microsoft")."""

from __future__ import annotations

from streams.policy import default_policy
from streams.sync.policy import compiled
from tests.sync.playbook import Playbook


def test_a_create_that_is_put_on_the_first_lane_carries_what_it_carried_a_value_that_nobody_can_spell_too() -> None:
    """The rest of it would be missing from the new lead, and be cleared in Marketo then."""
    book = Playbook().linked_lead(company="Engines", jobTitle="Countess")
    book.dynamics(revision=1, leadqualitycode=99, **{"companyname": "Engines", "jobtitle": "Countess"})
    book.deleted("dynamics")
    background = book.sync_person(campaign="batch").to("dynamics")
    first = book.sync_person().to("dynamics")
    assert background.fields is not None
    assert background.fields["leadqualitycode"] == 99
    assert (first.command_id, first.revision, first.fields) == (
        background.command_id,
        background.revision,
        background.fields,
    )


def test_a_create_that_is_put_on_the_first_lane_leaves_out_what_the_policy_no_longer_sends() -> None:
    book = Playbook().marketo(kind="created", lastName="Lovelace", jobTitle="Countess")
    background = book.sync_person(campaign="batch").command()
    shipped = default_policy()
    book.policy = compiled("fewer", {n: r for n, r in shipped.fields.items() if n != "job_title"}, shipped.rules)
    first = book.sync_person().command()
    assert first.command_id == background.command_id
    assert background.fields is not None
    assert first.fields == {name: value for name, value in background.fields.items() if name != "jobtitle"}
