"""The load: people, policies and what the systems show, without a broker."""

from __future__ import annotations

import pytest

from streams.bench.load import Load
from streams.bench.systems import Systems
from streams.sync.messages import ApplyCommand


@pytest.mark.parametrize("fields", [3, 25, 100])
def test_people_have_as_many_fields_as_asked(fields: int) -> None:
    """Fields beyond the shipped policy's are added to it; each is synced both ways."""
    load = Load(people=1, edits=1, fields=fields)
    (first,) = Systems(load).new_leads()
    assert len(first.change.fields or {}) == len(load.rules()) == fields
    assert set(first.change.fields or {}) <= set(load.policy().inbound["lead"])


def test_a_lead_has_what_dynamics_requires() -> None:
    """However few the fields: without these nobody would come to rest."""
    required = {column for column, _ in Load().policy().required["lead"]}
    (first,) = Systems(Load(people=1, edits=1, fields=3)).new_leads()
    assert required <= set(first.change.fields or {})


def test_everyone_is_edited_once_in_a_round_at_most() -> None:
    """By turns in Marketo, where the feed shows the field alone, and in Dynamics, where the whole row is read."""
    load = Load(people=10, edits=10, fields=5)
    shown = list(Systems(load).edits(1))
    assert [each.system for each in shown] == ["marketo", "dynamics"] * 5
    assert [len(each.change.fields or {}) for each in shown] == [1, 5] * 5
    assert len({each.stream for each in shown}) == 10


def test_a_landing_shows_the_commands_revision_and_our_key() -> None:
    """In Marketo with the fields that were written, in Dynamics with the whole row."""
    systems = Systems(Load(people=1, edits=1, fields=3))
    (first,) = systems.new_leads()
    lead = first.change.record
    command = ApplyCommand(
        command_id="c", person_key=_key(lead.id), system="dynamics", operation="update", revision=4,
        record=lead, fields={"lastname": "Byron"}, key="k",
    )  # fmt: skip
    landing = systems.landing(command).change
    assert (landing.revision, landing.person_key, landing.who) == (4, command.person_key, "leadsync")
    assert landing.fields == {**(first.change.fields or {}), "lastname": "Byron"}


def _key(lead_id: str) -> str:
    from schemas.identity import person_key_of

    return person_key_of("dynamics", lead_id)
