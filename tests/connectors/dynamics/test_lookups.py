"""Many reads at once: one that is never answered takes nobody's answer away."""

from __future__ import annotations

import asyncio

import pytest

from streams.connectors.dynamics.client import Wanted
from streams.connectors.dynamics.lookups import Unread, read_all, read_each
from streams.connectors.rest import OutcomeUnknown, Refused
from tests.connectors.dynamics.scene import scene
from tests.connectors.dynamics.test_client import until


def part(record_id: str, column: str = "jobtitle") -> object:
    return Wanted("leads", record_id, (column,)).part


async def test_a_read_that_outlasts_our_patience_every_time_is_given_up_and_the_others_are_answered() -> None:
    """Each goes alone by then; what is not there is none."""
    async with scene() as made:
        bad, good, gone = (made.lead(jobtitle="CTO") for _ in range(3))
        made.delete(gone)
        client = made.client()
        end = made.answer_instead(bad.id, OutcomeUnknown("timed out"), writes=False)
        unread, found, none = await read_each(client, [part(held.id) for held in (bad, good, gone)])
        assert isinstance(unread, Unread) and found["jobtitle"] == "CTO" and none is None
        assert client.trouble is None
        end()
        [found] = await read_each(client, [part(bad.id)])
        assert found["jobtitle"] == "CTO"


async def test_in_an_outage_no_read_is_given_up() -> None:
    """It is no matter of a record: everything is read when it is over."""
    async with scene() as made:
        leads = [made.lead(jobtitle="CTO") for _ in range(3)]
        client = made.client()
        await client.who_am_i()
        made.faults.plan.shares["dropped_before"] = 1.0
        reading = asyncio.create_task(read_each(client, [part(held.id) for held in leads]))
        await until(lambda: [outcome for _, outcome in made.calls].count("no_answer") > 10)
        assert not reading.done() and client.trouble is not None
        made.faults.plan.shares.clear()
        assert [row["jobtitle"] for row in await reading] == ["CTO"] * 3 and client.trouble is None


async def test_a_column_that_is_no_more_is_refused_at_once() -> None:
    """It is no matter of a record either."""
    async with scene() as made:
        held, client = made.lead(), made.client()
        with pytest.raises(Refused) as refusal:
            await read_each(client, [part(held.id), part(held.id, "no_such_column")])
        assert refusal.value.status == 400


async def test_an_impatient_client_says_what_it_may_not_read() -> None:
    """`leadsync bootstrap` wants to know."""
    async with scene() as made:
        held, client = made.lead(), made.client(patient=False)
        made.instance.privileges = frozenset()
        with pytest.raises(Refused) as refusal:
            await read_all(client, [part(held.id)])
        assert refusal.value.status == 403
