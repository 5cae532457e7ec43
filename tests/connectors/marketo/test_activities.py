"""Failures in the log of the person, where a marketer looks: each once, however often it has to be tried."""

from __future__ import annotations

import asyncio
import random
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import TopicPartition

from schemas.vocabulary import MARKETO
from streams.codec import encode
from streams.connectors.journal import Entry, TakenOver
from streams.connectors.marketo.activities import ActivityLane, kinds_of
from streams.connectors.marketo.activity_entries import sentence_of
from streams.connectors.marketo.names import ACTIVITY_API_NAME, ACTIVITY_ATTRIBUTES, ACTIVITY_PRIMARY
from streams.connectors.marketo.patience import Patience
from streams.connectors.metrics import ConnectorMetrics
from streams.connectors.rest import OutcomeUnknown, Refused
from streams.settings import Security, Settings, SettingsError
from streams.simulators.faults import POISON_MARK, FaultPlan
from streams.sync.messages import Activity
from tests.connectors.marketo.scene import QUICK, Scene, scene, update


def failure(name: str, person_key: str = "p-1", **members: Any) -> Activity:
    members = {"kind": "failed", "system": "dynamics", "operation": "update", "field": "job_title", **members}
    return Activity(
        activity_id=name,
        person_key=person_key,
        cause="m-1",
        time="2026-09-01T09:20:00Z",
        code="0x80044331",
        message="The length of the 'jobtitle' attribute exceeded the maximum allowed length of '100'.",
        **members,
    )


async def type_made(made: Scene) -> None:
    """What `leadsync setup` makes."""
    client = made.client()
    shape = {"apiName": ACTIVITY_API_NAME, "name": "leadsync", "triggerName": "t", "filterName": "f"}
    primary = {"apiName": ACTIVITY_PRIMARY, "name": "Event", "dataType": "string"}
    await client.create_custom_activity_type({**shape, "primaryAttribute": primary})
    attributes = [{"apiName": each, "name": each, "dataType": "string"} for each in ACTIVITY_ATTRIBUTES]
    await client.create_custom_activity_attributes(ACTIVITY_API_NAME, attributes)
    await client.approve_custom_activity_type(ACTIVITY_API_NAME)


def lane(made: Scene, kinds: str = "failed,closed") -> ActivityLane:
    made.journal.settings, made.journal.group = Settings("nowhere:9092", security=Security()), "group"
    patience = Patience(random.Random(1), backoff=QUICK)
    environment = {"LEADSYNC_MARKETO_ACTIVITIES": kinds}
    return ActivityLane(
        made.journal, made.client(), ConnectorMetrics(MARKETO), patience, kinds_of(environment), made.clock
    )


def logged(made: Scene) -> list[tuple[int, str | None, dict[str, Any]]]:
    """Custom activities of the instance: whose, the sentence, and what it tells."""
    return [(each.lead_id, each.primary, dict(each.attributes)) for each in made.instance.log if each.type_id > 100_000]


async def somebody(made: Scene) -> int:
    """A person who stands for p-1, and whom the feed has told."""
    held = made.person()
    await made.start()
    await made.apply(update(held, 1))
    await made.read()
    return int(held.id)


async def test_a_failure_is_written_into_the_persons_log() -> None:
    """A sentence, and what a smart list can filter by."""
    async with scene() as made:
        lead_id = await somebody(made)
        await type_made(made)
        await lane(made).write([failure("a-1")])
        [(who, sentence, told)] = logged(made)
        assert (who, sentence) == (lead_id, "Sync to Dynamics failed")
        assert told["direction"] == "Marketo to Dynamics" and told["code"] == "0x80044331"
        assert told["field"] == "job_title" and "exceeded the maximum" in told["message"]


@pytest.mark.parametrize("fault", ["timeout_604_after", "dropped_after", "dropped_before", "rate_606"])
async def test_an_entry_is_written_until_it_is_written_and_once(fault: str) -> None:
    """Scenario 55: it can neither be changed nor taken back, so it is looked for before it is repeated."""
    async with scene() as made:
        await somebody(made)
        await type_made(made)
        writing = lane(made)
        made.faults.plan = FaultPlan({fault: 0.5})
        for turn in range(10):
            await writing.write([failure(f"a-{turn}-{n}") for n in range(40)])
        names = [told["activityId"] for _, _, told in logged(made)]
        assert len(names) == len(set(names)) == 400 and made.faults.counts[fault]


async def test_what_a_connector_before_us_may_have_written_is_looked_for() -> None:
    """It died before it could say so."""
    async with scene() as made:
        await somebody(made)
        await type_made(made)
        await lane(made).write([failure("a-1"), failure("a-2")])
        made.clock.now += 60
        await lane(made).write([failure("a-1"), failure("a-2"), failure("a-3")], maybe_done=True)
        assert [told["activityId"] for _, _, told in logged(made)] == ["a-1", "a-2", "a-3"]


async def test_a_user_who_may_not_read_or_write_activities_holds_up_nothing_else(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It is said, and tried again: somebody may give the permission."""
    async with scene() as made:
        await somebody(made)
        await type_made(made)
        writing, refusals = lane(made), ["types", "add"]
        types, add = writing._client.custom_activity_types, writing._client.add_custom_activities

        async def refusing(name: str, call: Any, *arguments: Any) -> Any:
            if name in refusals:
                refusals.remove(name)
                raise Refused("603", "Access denied")
            return await call(*arguments)

        writing._client.custom_activity_types = partial(refusing, "types", types)  # type: ignore[method-assign]
        writing._client.add_custom_activities = partial(refusing, "add", add)  # type: ignore[method-assign]
        assert await writing.known_type() is None
        await writing.write([failure("a-1")])
        assert len(logged(made)) == 1 and caplog.text.count("603: Access denied") == 2


async def test_entries_are_looked_for_from_the_time_that_they_tell_of() -> None:
    """The log is in that order, and what they tell of may be long ago."""
    async with scene() as made:
        await somebody(made)
        await type_made(made)
        writing, asked = lane(made), []
        paging_token = writing._client.paging_token

        async def noting(since: str, *arguments: Any) -> str:
            asked.append(since)
            return await paging_token(since, *arguments)

        writing._client.paging_token = noting  # type: ignore[method-assign]
        await writing.write([failure("a-1")], maybe_done=True)
        assert asked == ["2026-09-01T09:20:00Z"]


async def test_who_has_no_living_record_is_passed_over() -> None:
    """Counted, and nobody else waits."""
    async with scene() as made:
        await somebody(made)
        await type_made(made)
        writing = lane(made)
        await writing.write([failure("a-1", "nobody"), failure("a-2")])
        assert [told["activityId"] for _, _, told in logged(made)] == ["a-2"] and writing.skipped == 1


async def test_one_entry_that_marketo_will_not_have_holds_up_no_other(caplog: pytest.LogCaptureFixture) -> None:
    """Its person was deleted meanwhile."""
    async with scene() as made:
        await somebody(made)
        await type_made(made)
        writing = lane(made)
        gone = made.person()
        await made.apply(update(gone, 1, person="p-2"))
        await made.read()
        made.delete(gone)
        await writing.write([failure("a-1", "p-2"), failure("a-2")])
        assert [told["activityId"] for _, _, told in logged(made)] == ["a-2"]
        assert "activity a-1 is not taken: 1004" in caplog.text


async def test_one_entry_on_which_marketo_fails_each_time_holds_up_no_other(caplog: pytest.LogCaptureFixture) -> None:
    """It is passed over, counted, and said."""
    async with scene() as made:
        await somebody(made)
        await type_made(made)
        writing = lane(made)
        await writing.write([failure(f"a-{n}", field=POISON_MARK if n == 3 else "job_title") for n in range(20)])
        assert {told["activityId"] for _, _, told in logged(made)} == {f"a-{n}" for n in range(20) if n != 3}
        assert len(logged(made)) == 19 and writing.skipped == 1 and "activity a-3 is not taken: 611" in caplog.text


async def test_while_no_entries_are_taken_they_wait_though_persons_are_written() -> None:
    """An hour of trouble with the one call loses nobody's entry."""
    async with scene() as made:
        await somebody(made)
        await type_made(made)
        writing, slept = lane(made), 0.0

        async def sleep(seconds: float) -> None:
            nonlocal slept
            slept += seconds

        add = writing._client.add_custom_activities

        async def down(entries: Any, priority: Any) -> Any:
            if slept < 3_600:
                raise OutcomeUnknown("activities/external: 611: System error", "611")
            return await add(entries, priority)

        writing._patience = Patience(random.Random(3), sleep=sleep)
        writing._client.add_custom_activities = down  # type: ignore[method-assign]
        await writing.write([failure(f"a-{n}") for n in range(20)])
        assert len(logged(made)) == 20 and writing.skipped == 0


async def test_without_the_type_nothing_is_written_and_it_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    """Until somebody has made and approved it."""
    async with scene() as made:
        await somebody(made)
        writing = lane(made)
        for _ in range(3):
            await writing.write([failure("a-1")])
        assert [record.levelname for record in caplog.records] == ["WARNING"] and "leadsync setup" in caplog.text
        await type_made(made)
        await writing.write([failure("a-1")])
        assert len(logged(made)) == 1


def test_which_kinds_are_written_is_chosen() -> None:
    """Failures and their ends, unless somebody wants more; a kind that there is not is named."""
    assert kinds_of({}) == {"failed", "closed"}
    assert kinds_of({"LEADSYNC_MARKETO_ACTIVITIES": "failed, collision,"}) == {"failed", "collision"}
    with pytest.raises(SettingsError, match="LEADSYNC_MARKETO_ACTIVITIES names broken; there are collision"):
        kinds_of({"LEADSYNC_MARKETO_ACTIVITIES": "broken"})


async def test_what_cannot_be_read_or_is_not_wanted_is_passed_over() -> None:
    """It stands in the topic for others."""

    class Message:
        topic, partition, offset = "activity-log", 0, 7

        def __init__(self, value: bytes) -> None:
            self.value = value

    async with scene() as made:
        collision = failure("a-2", kind="collision", winner="marketo")
        found = lane(made)._wanted([Message(b"{"), Message(encode(failure("a-1"))), Message(encode(collision))])
        assert [each.activity_id for each in found] == ["a-1"]
        assert sentence_of(collision) == "Edits in both systems: Marketo won"


class Topic:
    """A consumer of the activity log, with these entries."""

    def __init__(self, *activities: Activity) -> None:
        self._records = [
            SimpleNamespace(
                topic="activity-log", partition=0, offset=n, value=encode(each), key=each.person_key.encode()
            )
            for n, each in enumerate(activities)
        ]

    async def getmany(self, **_: Any) -> dict[str, list[Any]]:
        return {"": self._records}


async def test_a_connector_that_was_replaced_writes_no_entry() -> None:
    """It may have stood still for long, and the one after it has written them."""
    async with scene() as made:
        await somebody(made)
        await type_made(made)
        writing = lane(made)
        writing._consumer = Topic(failure("a-1"), failure("a-2"))
        said: list[Entry] = []

        async def taken_over(entry: Entry) -> None:
            said.append(entry)
            raise TakenOver

        made.journal.write = taken_over
        with pytest.raises(TakenOver):
            async with asyncio.timeout(10):
                await writing.run()
        assert logged(made) == [] and said == [Entry(offsets={TopicPartition("activity-log", 0): 0})]
