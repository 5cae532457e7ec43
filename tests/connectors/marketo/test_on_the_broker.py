"""The connector as a process, on a real broker, killed and started again."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path
from typing import Any

import aiohttp
from aiokafka import AIOKafkaProducer

from schemas.identity import key_of
from schemas.vocabulary import MARKETO
from streams.codec import encode
from streams.settings import Settings
from tests.connectors.marketo.scene import SECRET, Scene, create, scene, update
from tests.connectors.marketo.test_activities import failure, logged, type_made
from tests.connectors.process import ConnectorProcess, changes, connector, results, send
from tests.simulators.marketo.served import CONNECTOR

WEBHOOK_SECRET = "another-secret-that-no-log-may-tell"
BEGINNING = ("--start-from", "beginning")


def environment_of(made: Scene) -> dict[str, str]:
    return {
        "LEADSYNC_MARKETO_URL": made.stage.url,
        "LEADSYNC_MARKETO_CLIENT_ID": CONNECTOR.client_id,
        "LEADSYNC_MARKETO_CLIENT_SECRET": SECRET,
        "LEADSYNC_MARKETO_WEBHOOK_SECRET": WEBHOOK_SECRET,
    }


async def test_a_killed_connector_neither_loses_nor_repeats(settings: Settings, tmp_path: Path) -> None:
    """Scenario 64: edits and commands go on while it is killed and started again; every change stands there once, in order.

    And no log, however talkative, tells a secret or a value.
    """
    options = (*BEGINNING, "--log-level", "DEBUG")
    async with scene() as made, connector(MARKETO, settings, tmp_path, environment_of(made), *options) as process:
        await process.ready()
        people = [made.person(jobTitle=f"CIO {n}") for n in range(40)]
        creates = [create(f"new-{n}") for n in range(40)]
        await send(settings, *[update(h, person=f"p-{n}", jobTitle="CTO") for n, h in enumerate(people)])
        await send(settings, *creates[:20])
        for _ in range(2):
            await asyncio.sleep(0.3)  # somewhere in the middle: where does not matter
            await process.end(signal.SIGKILL)
            await process.start("--log-level", "DEBUG")
        await send(settings, *creates[20:], lane="commands.background")
        made.delete(people[0])

        async def everything_is_told() -> bool:
            told = [change for _, change in await changes(settings, MARKETO)]
            landed = {change.person_key for change in told if change.revision == 1 and change.kind != "linked"}
            wanted = {f"p-{n}" for n in range(1, 40)} | {command.person_key for command in creates}
            return wanted <= landed and any(change.kind == "deleted" for change in told)

        await process.until(everything_is_told, "everything told")
        assert await process.end() == 0
        told = await changes(settings, MARKETO)
    ids = [change.change_id for _, change in told if change.kind != "linked"]
    assert len(ids) == len(set(ids))
    versions: dict[str, list[int]] = {}
    for _, change in told:
        if change.version is not None:
            versions.setdefault(change.record.id, []).append(change.version)
    assert all(each == sorted(set(each)) for each in versions.values())
    keys = [held.key for held in made.instance.records.values() if held.key]
    assert len(keys) == len(set(keys)) == 79
    assert {command.key for command in creates} <= set(keys)
    assert SECRET not in process.log and WEBHOOK_SECRET not in process.log and "CIO" not in process.log


async def test_a_sync_person_is_taken_once_it_is_on_kafka(settings: Settings, tmp_path: Path) -> None:
    """Called twice with one id, it is one change; without the secret it is none."""
    async with scene() as made, connector(MARKETO, settings, tmp_path, environment_of(made), *BEGINNING) as process:
        held = made.person()
        await process.ready()
        address = process.address("listening ")
        assert address is not None
        body = {"requestId": "run/1", "campaignId": 1021, "leadId": int(held.id), "syncAs": "Contact", "owner": ""}
        async with aiohttp.ClientSession() as session:
            for secret, status in (("wrong", 401), (WEBHOOK_SECRET, 200), (WEBHOOK_SECRET, 200)):
                headers = {"Authorization": f"Bearer {secret}"}
                async with session.post(
                    f"{address}/marketo/webhooks/sync-person", json=body, headers=headers
                ) as answer:
                    assert answer.status == status
                    assert await answer.read()
        told = [change for _, change in await changes(settings, MARKETO) if change.kind == "requested"]
    assert len(told) == 2 and told[0].change_id == told[1].change_id
    assert (told[0].sync_as, told[0].campaign, told[0].owner) == ("contact", "trigger", None)


async def test_a_connector_that_never_ran_says_how_to_begin(settings: Settings, tmp_path: Path) -> None:
    """It reads nothing on its own authority."""
    async with scene() as made, connector(MARKETO, settings, tmp_path, environment_of(made)) as process:
        assert await process.ended() != 0
        assert "leadsync bootstrap" in process.log and "--start-from" in process.log
        assert "Traceback" not in process.log


async def test_a_create_is_answered_and_announced(settings: Settings, tmp_path: Path) -> None:
    """Its stream says whose it is, before or after the feed shows it; the row then shows the landing."""
    async with scene() as made, connector(MARKETO, settings, tmp_path, environment_of(made), *BEGINNING) as process:
        await send(settings, create("p-9"))

        async def is_told() -> bool:
            return {change.kind for _, change in await changes(settings, MARKETO)} == {"linked", "created"}

        await process.until(is_told, "told")
        told = {change.kind: (stream, change) for stream, change in await changes(settings, MARKETO)}
        answers = await results(settings, MARKETO)
    [held] = made.of_key(key_of("p-9", 1))
    assert [each.answer for each in answers] == ["created"]
    assert all(stream == held.id and change.person_key == "p-9" for stream, change in told.values())
    assert told["created"][1].revision == told["linked"][1].revision == 1


async def test_failures_reach_the_persons_log_once(settings: Settings, tmp_path: Path) -> None:
    """Scenario 55, though the connector is killed while it writes them."""
    async with scene() as made, connector(MARKETO, settings, tmp_path, environment_of(made), *BEGINNING) as process:
        await type_made(made)
        held = made.person()
        await process.ready()
        await send(settings, update(held, 1))

        async def person_is_known() -> bool:
            return any(change.person_key == "p-1" for _, change in await changes(settings, MARKETO))

        await process.until(person_is_known, "told whose record it is")
        producer: Any = AIOKafkaProducer(**settings.client("test"))
        await producer.start()
        for n in range(200):
            await producer.send_and_wait(settings.topic("activity-log"), encode(failure(f"a-{n}")), b"p-1")
        await producer.stop()

        async def some_are_written() -> bool:
            return bool(logged(made))

        async def all_are_written() -> bool:
            return {told["activityId"] for _, _, told in logged(made)} == {f"a-{n}" for n in range(200)}

        await process.until(some_are_written, "writing")
        await process.end(signal.SIGKILL)
        await process.start()
        await process.until(all_are_written, "all written")
    assert len(logged(made)) == 200


async def test_a_connector_that_stood_still_writes_nothing_when_it_wakes(settings: Settings, tmp_path: Path) -> None:
    """Another one has carried out its command since, and a marketer has written over that."""
    (tmp_path / "next").mkdir()
    async with scene() as made, connector(MARKETO, settings, tmp_path, environment_of(made), *BEGINNING) as stopped:
        held = made.person(jobTitle="CIO")
        await stopped.ready()
        stopped.send(signal.SIGSTOP)
        following = await ConnectorProcess(MARKETO, settings, tmp_path / "next", environment_of(made)).start()
        try:
            await following.ready()
            await send(settings, update(held, 1, jobTitle="CTO"))

            async def has_landed() -> bool:
                return any(change.revision == 1 for _, change in await changes(settings, MARKETO))

            await following.until(has_landed, "landed")
            made.edit(held, jobTitle="CEO")
            stopped.send(signal.SIGCONT)
            assert await stopped.ended() != 0 and "another connector for marketo has started" in stopped.log
            assert (held.values["jobTitle"], held.revision) == ("CEO", 1)
        finally:
            await following.end(signal.SIGKILL)
