"""Commands that are out of the ordinary: none of them ends the connector, or holds up the others."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from schemas.vocabulary import DYNAMICS
from streams.connectors.rest import Refused
from streams.policy.files import default_policy_text, default_rule_texts
from streams.policy.reading import read_policy
from streams.sync.messages import Record
from tests.connectors.dynamics.scene import SAM, create, delete, qualify, scene, update


@pytest.mark.parametrize("record_id", ["lead-1", "775", "1)/jobtitle", "x HTTP/1.1\r\nIf-Match: *", "ü"])
async def test_a_command_for_a_record_that_dynamics_cannot_have_is_refused(record_id: str) -> None:
    """Its id came from some producer's change; the commands beside it are carried out."""
    async with scene() as made:
        held = made.lead(jobtitle="CIO")
        await made.start()
        record = Record(DYNAMICS, "lead", record_id)
        good = update(held, jobtitle=("CIO", "CTO"))
        commands = [
            msgspec.structs.replace(update(held, person="p-2", jobtitle=("CIO", "CTO")), record=record),
            qualify(record, person="p-3"),
            delete(record, person="p-4"),
            msgspec.structs.replace(create("p-5"), record=record),
        ]
        answers = await made.apply(good, *commands)
        assert {each.person_key: (each.answer, each.code) for each in answers} == {
            f"p-{n}": ("refused", "no_such_record") for n in (2, 3, 4, 5)
        }
        assert held.values["jobtitle"] == "CTO"


async def test_a_create_that_names_no_record_is_refused() -> None:
    """Its contract lets it through, since Marketo's creates name none."""
    async with scene() as made:
        await made.start()
        [answer] = await made.apply(msgspec.structs.replace(create(), record=None))
        assert (answer.answer, answer.code) == ("refused", "no_such_record") and not made.instance.records


def without_job_title() -> Any:
    """A policy that does not name one column of the shipped one."""
    text = default_policy_text().replace("  job_title:      {marketo: jobTitle, dynamics: jobtitle}\n", "")
    return read_policy(text, default_rule_texts())


async def test_a_command_may_be_ahead_of_the_policy_that_it_was_made_under() -> None:
    """The worker read the new policy first: its column is compared and written all the same."""
    async with scene() as made:
        held, other = made.lead(jobtitle="CIO"), made.lead(jobtitle="CFO")
        made.policies.in_force = without_job_title()
        await made.start()
        answers = await made.apply(
            update(held, jobtitle=("CIO", "CTO")), update(other, person="p-2", jobtitle=("CIO", "CTO")), create("p-3")
        )
        assert {each.person_key: each.answer for each in answers} == {"p-2": "conflict", "p-3": "created"}
        assert next(each.row for each in answers if each.person_key == "p-2").fields["jobtitle"] == "CFO"
        assert held.values["jobtitle"] == "CTO" and other.values["jobtitle"] == "CFO"
        assert made.held(create("p-3").record.id).values["jobtitle"] == "CTO"


async def test_a_column_that_is_deleted_in_dynamics_ends_no_lane() -> None:
    """Scenario 24, milder: the next command asks which columns there are; one for that column is refused, by name."""
    async with scene() as made:
        held, other = made.lead(jobtitle="CIO"), made.lead()
        await made.start()
        await made.read()
        made.instance.schema.tables["lead"].remove("jobtitle")
        answers = await made.apply(
            update(held, jobtitle=("CIO", "CTO")), update(other, person="p-2", mobilephone=(None, "1"))
        )
        assert [(each.person_key, each.code, each.field) for each in answers] == [("p-1", "no_such_column", "jobtitle")]
        assert other.values["mobilephone"] == "1"


async def test_a_lead_that_is_qualified_by_hand_meanwhile_has_been_qualified() -> None:
    """Whatever code Dataverse refuses the second one with: the lead's state is what counts."""
    async with scene() as made:
        held = made.lead()
        await made.start()
        post = made.clients[0].post

        async def somebody_is_quicker(*arguments: Any, **members: Any) -> Any:
            made.clients[0].post = post
            made.instance.qualify(held.id, SAM, time.time())
            raise Refused("0x80040265", "The lead is closed.", 400)

        made.clients[0].post = somebody_is_quicker
        [answer] = await made.apply(qualify(held.record))
        assert answer.answer == "superseded" and answer.record.type == "contact"
        assert len(made.instance.records) == 2


async def test_what_was_written_before_a_crash_lands_although_the_first_reading_only_learns() -> None:
    """Scenario 64, with a connector that begins now: something of that record stands in its stream, so its row must."""
    async with scene() as made:
        made.options = replace(made.options, start_from="now")
        await made.start()
        stranger, command = made.lead(), create()
        tell, made.telling.tell = made.telling.tell, None
        with pytest.raises(TypeError):
            await made.apply(command)
        made.telling.tell = tell
        await made.restart()
        await made.read()
        [answer] = await made.apply(command, maybe_done=True)
        assert answer.answer == "superseded"
        told = [(change.kind, change.record.id) for change in [each.change for each in made.journal.changes]]
        assert told == [("created", command.record.id)] and made.journal.known.get(stranger.id) is not None
