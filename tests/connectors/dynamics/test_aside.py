"""Rows that point to what can't be read now: they are told later, and nobody else is."""

from __future__ import annotations

import asyncio
import time

import pytest

from schemas.identity import person_key_of
from schemas.vocabulary import DYNAMICS
from streams.connectors.dynamics import aside
from streams.connectors.rest import Answer, CallFailed, OutcomeUnknown
from tests.connectors.dynamics.scene import SAM, Scene, scene
from tests.connectors.dynamics.test_waiting import BROKEN, FORBIDDEN, until

UNREADABLE = [BROKEN, OutcomeUnknown("timed out")]


def kinds(made: Scene, record_id: str) -> list[str]:
    """What was told of a record."""
    return [change.kind for _, change in made.journal.changes if change.record.id == record_id]


@pytest.mark.parametrize("answer", [*UNREADABLE, FORBIDDEN])
async def test_a_qualified_lead_whose_contact_cannot_be_found_now_holds_up_no_other(
    answer: Answer | CallFailed, caplog: pytest.LogCaptureFixture
) -> None:
    """What it became is never guessed; it is told by the connector's own loop as soon as it can be."""
    async with scene() as made:
        lead, other = made.lead(), made.lead()
        await made.start()
        await made.read()
        end = made.answer_instead(f"eq%20{lead.id}", answer, writes=False)
        contact = made.instance.qualify(lead.id, SAM, time.time())
        made.edit(other, jobtitle="CTO")
        assert [(c.kind, c.record.id) for c in await made.read()] == [("updated", other.id), ("created", contact.id)]
        assert "its contact cannot be read" in caplog.text
        end()
        task = asyncio.create_task(made.telling.run())
        await until(lambda: not made.telling.aside)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        converted = made.journal.changes[-1].change
        assert (converted.kind, converted.record.id, converted.contact) == ("converted", lead.id, contact.record)


@pytest.mark.parametrize("answer", UNREADABLE)
async def test_a_restart_reads_again_what_was_put_aside(answer: Answer | CallFailed) -> None:
    """How far was read is written down only when nothing is left behind; what was told meanwhile is told once."""
    async with scene() as made:
        loser, winner, other = made.lead(), made.lead(), made.lead()
        await made.start()
        await made.read()
        made.journal.known._by_id.pop(winner.id)
        made.instance.merge(loser.id, winner.id, SAM, time.time())
        end, written = made.answer_instead(f"({winner.id})", answer, writes=False), made.journal.checkpoint
        made.edit(other, jobtitle="CTO")
        await made.read()
        assert kinds(made, loser.id) == ["created"] and kinds(made, other.id) == ["created", "updated"]
        assert made.journal.checkpoint == written
        end()
        await made.restart()
        merged = await made.read()
        assert [(change.kind, change.winner) for change in merged] == [("merged", winner.record)]
        assert made.journal.checkpoint not in (written, None)


async def test_a_winner_that_leadsync_may_not_read_is_nobody_of_ours(caplog: pytest.LogCaptureFixture) -> None:
    """It belongs to another business unit, and never was in the feed: its loser is told as merged into it all the same."""
    async with scene() as made:
        loser, winner = made.lead(), made.lead()
        await made.start()
        await made.read()
        made.journal.known._by_id.pop(winner.id)
        made.instance.merge(loser.id, winner.id, SAM, time.time())
        made.answer_instead(f"({winner.id})", FORBIDDEN, writes=False)
        merged = (await made.read())[0]
        assert (merged.kind, merged.winner) == ("merged", winner.record)
        assert merged.winner_person_key == person_key_of(DYNAMICS, winner.id)
        assert f"was merged into {winner.id}, which leadsync may not read" in caplog.text


async def test_what_is_overtaken_is_not_told_any_more() -> None:
    """Somebody deletes the lead before its contact can be found."""
    async with scene() as made:
        lead = made.lead()
        await made.start()
        await made.read()
        made.answer_instead(f"eq%20{lead.id}", BROKEN, writes=False)
        made.instance.qualify(lead.id, SAM, time.time())
        await made.read()
        assert len(made.telling.aside) == 1
        made.delete(lead)
        await made.read()
        assert kinds(made, lead.id) == ["created", "deleted"] and not made.telling.aside


async def test_where_too_much_would_be_put_aside_the_feed_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is no matter of single records then; the connector says what it waits for."""
    monkeypatch.setattr(aside, "ASIDE_MAX", 1)
    async with scene() as made:
        leads = [made.lead() for _ in range(2)]
        await made.start()
        await made.read()
        end = made.answer_instead("originatingleadid_value%20eq", BROKEN, writes=False)
        for lead in leads:
            made.instance.qualify(lead.id, SAM, time.time())
        reading = asyncio.create_task(made.read())
        await until(lambda: "HTTP 500" in (made.clients[0].trouble or ""))
        await made.telling.tell(())  # somebody else, who need not wait
        assert made.clients[0].trouble is not None and not reading.done()
        end()
        assert [change.kind for change in await reading] == ["converted"] * 2 + ["created"] * 2
        assert made.clients[0].trouble is None


@pytest.mark.parametrize("answer", [*UNREADABLE, FORBIDDEN])
async def test_a_record_that_went_out_of_sight_is_not_deleted(
    answer: Answer | CallFailed, caplog: pytest.LogCaptureFixture
) -> None:
    """A comparison misses it, since it was given to another business unit perhaps: it is there, and holds up no other."""
    async with scene() as made:
        hidden, gone = made.lead(), made.lead()
        await made.start()
        await made.read()
        made.instance.logs["lead"].take_back(made.instance.version, {hidden.id: 0})  # change tracking shows it no more
        made.delete(gone)
        made.answer_instead(f"({hidden.id})", answer, writes=False)
        made.faults.plan.shares["expired_delta"] = 1.0
        assert [(change.kind, change.record.id) for change in await made.read()] == [("deleted", gone.id)]
        assert f"leads({hidden.id}) is out of sight, and not gone" in caplog.text
