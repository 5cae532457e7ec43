"""The connector as a process, on a real broker, killed and started again."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from itertools import count
from pathlib import Path

import aiohttp
from aiohttp.web import Application

from schemas.identity import key_of
from schemas.topics import PARTITIONS
from schemas.vocabulary import DYNAMICS
from streams.demo.record import HeldRecord
from streams.lane.partitions import murmur2
from streams.settings import Settings
from streams.simulators.dynamics.app import build_dynamics_app
from streams.simulators.dynamics.tokens import DynamicsCredentials
from streams.simulators.serving import serving
from tests.connectors.dynamics.scene import SAM, SECRET, TENANT, Scene, create, qualify, scene, update
from tests.connectors.process import changes, connector, results, send

WEBHOOK_SECRET = "another-secret-that-no-log-may-tell"


def environment_of(made: Scene) -> dict[str, str]:
    return {
        "LEADSYNC_DYNAMICS_URL": made.address,
        "LEADSYNC_DYNAMICS_AUTHORITY": made.address,
        "LEADSYNC_DYNAMICS_TENANT": TENANT,
        "LEADSYNC_DYNAMICS_CLIENT_ID": "leadsync",
        "LEADSYNC_DYNAMICS_CLIENT_SECRET": SECRET,
        "LEADSYNC_DYNAMICS_WEBHOOK_SECRET": WEBHOOK_SECRET,
    }


async def test_a_killed_connector_neither_loses_nor_repeats(settings: Settings, tmp_path: Path) -> None:
    """Scenario 64: edits and commands go on while it is killed and started again; every row stands there once, in order."""
    async with (
        scene() as made,
        connector(DYNAMICS, settings, tmp_path, environment_of(made), "--start-from", "beginning") as process,
    ):
        await process.ready()
        leads = [made.lead(jobtitle=f"CIO {n}") for n in range(40)]
        creates = [create(f"new-{n}") for n in range(40)]
        await send(settings, *[update(h, person=f"p-{n}", jobtitle=(f"CIO {n}", "CTO")) for n, h in enumerate(leads)])
        await send(settings, *creates[:20])
        for _ in range(2):
            await asyncio.sleep(0.3)  # somewhere in the middle: where does not matter
            await process.end(signal.SIGKILL)
            await process.start()
        await send(settings, *creates[20:], lane="commands.background")
        made.delete(leads[0])

        async def everything_is_told() -> bool:
            told = [change for _, change in await changes(settings, DYNAMICS)]
            landed = {change.record.id for change in told if change.revision == 1 and change.kind != "linked"}
            wanted = {held.id for held in leads[1:]} | {command.record.id for command in creates}
            return wanted <= landed and any(change.kind == "deleted" for change in told)

        await process.until(everything_is_told, "everything told")
        assert await process.end() == 0
        told = await changes(settings, DYNAMICS)
    ids = [change.change_id for _, change in told if change.kind != "linked"]
    assert len(ids) == len(set(ids))
    versions: dict[str, list[int]] = {}
    for _, change in told:
        if change.version is not None:
            versions.setdefault(change.record.id, []).append(change.version)
    assert all(each == sorted(set(each)) for each in versions.values())
    assert sum(1 for held in made.instance.records.values() if held.key) == 79
    assert SECRET not in process.log and WEBHOOK_SECRET not in process.log and "CIO" not in process.log


async def test_a_call_from_dataverse_makes_the_next_reading_now(settings: Settings, tmp_path: Path) -> None:
    """With the secret; without it, or with another, nothing happens."""
    options = ("--start-from", "beginning", "--busy-seconds", "600", "--idle-seconds", "600", "--log-level", "DEBUG")
    async with scene() as made, connector(DYNAMICS, settings, tmp_path, environment_of(made), *options) as process:
        await process.ready()
        read = made.instance.calls["GET leads delta"]
        held = made.lead()
        address = process.address("listening ")
        assert address is not None
        async with aiohttp.ClientSession() as session:
            for secret in ("", "wrong"):
                async with session.post(f"{address}/?code={secret}", data=b"{}") as answer:
                    assert answer.status == 401
            assert made.instance.calls["GET leads delta"] == read
            async with session.post(f"{address}/?code={WEBHOOK_SECRET}", data=b"{}") as answer:
                assert answer.status == 204
            assert WEBHOOK_SECRET not in process.log

        async def is_told() -> bool:
            return any(change.record.id == held.id for _, change in await changes(settings, DYNAMICS))

        await process.until(is_told, "told")


async def test_a_connector_that_never_ran_says_how_to_begin(settings: Settings, tmp_path: Path) -> None:
    """It reads nothing on its own authority."""
    async with scene() as made, connector(DYNAMICS, settings, tmp_path, environment_of(made)) as process:
        assert await process.ended() != 0
        assert "leadsync bootstrap" in process.log and "--start-from" in process.log
        assert "Traceback" not in process.log


async def test_it_waits_for_dynamics_and_says_so(settings: Settings, tmp_path: Path) -> None:
    """Down for hours is no failure; and it ends at once when it is told to."""
    async with scene() as made:
        pass
    async with connector(DYNAMICS, settings, tmp_path, environment_of(made), "--start-from", "beginning") as process:

        async def says_why() -> bool:
            address = process.address("")
            return address is not None and "trying again" in process.log

        await process.until(says_why, "told what it waits for")
        assert "secret" not in process.log.lower()
        assert await process.end() == 0


async def test_an_organisation_without_our_columns_is_refused(settings: Settings, tmp_path: Path) -> None:
    """With the command that makes them."""
    options = ("--start-from", "beginning")
    async with (
        scene(with_our_columns=False) as made,
        connector(DYNAMICS, settings, tmp_path, environment_of(made), *options) as process,
    ):
        assert await process.ended() != 0
        assert "new_leadsynckey" in process.log and "`leadsync setup`" in process.log
        assert "Traceback" not in process.log


async def test_sync_as_contact_and_what_a_person_does_meanwhile(settings: Settings, tmp_path: Path) -> None:
    """A create, then its qualify: the contact's rows stand in the lead's stream."""
    async with (
        scene() as made,
        connector(DYNAMICS, settings, tmp_path, environment_of(made), "--start-from", "now") as process,
    ):
        made_lead = create("p-9")
        await send(settings, made_lead, qualify(made_lead.record, person="p-9"))

        async def both_answered() -> bool:
            return [result.answer for result in await results(settings, DYNAMICS)] == ["created", "created"]

        await process.until(both_answered, "answered")
        contact = (await results(settings, DYNAMICS))[1].record
        assert contact is not None and contact.type == "contact"
        made.edit(made.held(contact.id), SAM, jobtitle="CEO")

        async def edit_is_told() -> bool:
            return any(
                (change.fields or {}).get("jobtitle") == "CEO" for _, change in await changes(settings, DYNAMICS)
            )

        await process.until(edit_is_told, "told")
        told = await changes(settings, DYNAMICS)
    assert {stream for stream, _ in told} == {made_lead.record.id}
    assert [change.kind for _, change in told] == ["linked", "created", "converted", "created", "updated"]
    assert told[0][1].person_key == "p-9" and key_of("p-9", 1) == made.held(made_lead.record.id).key


async def test_what_came_while_dynamics_was_down_is_done_when_it_is_back(settings: Settings, tmp_path: Path) -> None:
    """Commands wait on their topic, in their order, a restart in between; nothing is lost, and what people did meanwhile is told."""
    async with scene() as made, AsyncExitStack() as stack:
        made.address = await stack.enter_async_context(serving(served(made)))
        leads = [made.lead(jobtitle="CIO") for _ in range(30)]
        options = ("--start-from", "beginning")
        async with connector(DYNAMICS, settings, tmp_path, environment_of(made), *options) as process:
            await process.ready()
            await stack.aclose()
            for revision, (old, new) in enumerate((("CIO", "CTO"), ("CTO", "CFO")), 1):
                commands = [update(h, revision, person=f"p-{n}", jobtitle=(old, new)) for n, h in enumerate(leads)]
                await send(settings, *commands)
            made.edit(leads[0], mobilephone="1")

            async def says_so() -> bool:
                return "trying again until it is answered" in process.log

            await process.until(says_so, "told that it is down")
            await process.end(signal.SIGKILL)
            await process.start()
            port = int(made.address.rpartition(":")[2])
            async with serving(served(made), port=port):

                async def everything_has_landed() -> bool:
                    told = [change for _, change in await changes(settings, DYNAMICS)]
                    return {held.id for held in leads} == {each.record.id for each in told if each.revision == 2}

                await process.until(everything_has_landed, "landed")
                assert await process.end() == 0
            assert all((held.values["jobtitle"], held.revision) == ("CFO", 2) for held in leads)
            assert leads[0].values["mobilephone"] == "1" and await results(settings, DYNAMICS) == []


async def test_a_command_that_dynamics_forbids_outlives_the_connector(settings: Settings, tmp_path: Path) -> None:
    """The others are done meanwhile; it is done by the next process, once it may be.

    What was answered in between is not judged again: a conflict then would now be written over what somebody has entered since.
    """
    options = ("--start-from", "beginning")
    async with scene() as made, connector(DYNAMICS, settings, tmp_path, environment_of(made), *options) as process:
        await process.ready()
        contact, leads = made.contact(jobtitle="CIO"), [made.lead(jobtitle="CIO") for _ in range(5)]
        disputed = made.lead(jobtitle="CFO")
        privileges = made.instance.privileges
        made.instance.privileges = frozenset(name for name in privileges if "WriteContact" not in name)

        def landed(*held: HeldRecord) -> Callable[[], Awaitable[bool]]:
            async def have_landed() -> bool:
                told = {change.record.id for _, change in await changes(settings, DYNAMICS) if change.revision == 1}
                return {each.id for each in held} <= told

            return have_landed

        async def conflict_is_answered() -> bool:
            return [result.answer for result in await results(settings, DYNAMICS)] == ["conflict"]

        await send(settings, update(contact, person="p-0", jobtitle=("CIO", "CTO")))
        await send(settings, update(disputed, person=beside("p-0"), jobtitle=("CIO", "CTO")))
        for n, held in enumerate(leads, 1):
            await send(settings, update(held, person=f"p-{n}", jobtitle=("CIO", "CTO")))
        await process.until(landed(*leads), "landed")
        await process.until(conflict_is_answered, "answered")
        assert contact.values["jobtitle"] == "CIO"
        await process.end(signal.SIGKILL)
        made.edit(disputed, jobtitle="CIO")
        await process.start()
        made.instance.privileges = privileges
        await process.until(landed(contact), "landed too")
        assert disputed.values["jobtitle"] == "CIO" and await conflict_is_answered()


def beside(person: str) -> str:
    """Somebody else whose commands stand in the same partition."""
    partition = (murmur2(person.encode()) & 0x7FFFFFFF) % PARTITIONS
    return next(each for n in count() if (murmur2((each := f"q-{n}").encode()) & 0x7FFFFFFF) % PARTITIONS == partition)


def served(made: Scene) -> Application:
    """The scene's organisation at another address."""
    return build_dynamics_app(made.instance, made.faults, credentials=DynamicsCredentials(TENANT, "leadsync", SECRET))
