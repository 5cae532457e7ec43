"""The yardsticks on a real broker: each does the worker's job, or its figures would say nothing.

What each must send follows from what stands on its source topics, folded by the pure core alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import signal
import sys
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient

import schemas
from schemas.topics import PARTITIONS
from schemas.vocabulary import SYSTEMS
from streams import codec
from streams.bench.editing import edits_of
from streams.bench.load import Load
from streams.bench.message import Shown, message_of
from streams.bench.systems import Systems
from streams.bench.wire import Wire
from streams.codec import encode
from streams.intake import resolve_change
from streams.lane.partitions import murmur2
from streams.settings import Settings
from streams.sync.messages import Activity, ApplyCommand, ApplyResult, PersonChange
from streams.sync.person import PersonState
from streams.sync.policy import Policy
from streams.sync.step import step
from streams.topics import ensure_topics, wanted_topics
from tests.bench import quix
from tests.bench.merge import COMMAND_TOPICS
from tests.builders import apply_result, dynamics_row, marketo_change, person_change
from tests.lane.broker import read_committed

pytestmark = pytest.mark.kafka

ROOT = Path(__file__).parents[2]
FAUST, QUIX = "tests.bench.plain_faust", "tests.bench.quix"
LOAD = Load(people=200, edits=120, rounds=2, fields=25)
WAVE_SECONDS_MAX = 60.0
STOP_SECONDS_MAX = 8.0
SETUP_WAVES_MAX = 10
each_yardstick = pytest.mark.parametrize("module", [FAUST, QUIX], ids=["plain_faust", "quix"])

M = TypeVar("M")


@pytest.fixture
def settings(kafka: str) -> Settings:
    """A broker, and a prefix of the test's own."""
    return Settings(kafka, f"test-{secrets.token_hex(4)}.")


@contextlib.asynccontextmanager
async def running(module: str, settings: Settings, folder: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """A yardstick, started as the bench starts it; ends by itself when it is asked to, silent on standard output."""
    policy_file, said, log = folder / "policy.yaml", folder / "stdout", folder / "stderr"
    policy_file.write_text(LOAD.policy_text(), encoding="utf-8")
    command = [sys.executable, "-m", module, settings.bootstrap_servers, settings.prefix, str(policy_file), str(folder)]
    with said.open("wb") as stdout, log.open("wb") as stderr:
        process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=stdout, stderr=stderr)
    try:
        yield process
        process.send_signal(signal.SIGTERM)
        status = await asyncio.wait_for(process.wait(), STOP_SECONDS_MAX)
        assert (status, said.read_bytes()) == (0, b""), log.read_text()
    except BaseException:
        print(log.read_text()[-3000:])
        raise
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def while_alive(process: asyncio.subprocess.Process, doing: Coroutine[Any, Any, M]) -> M:
    """Wait for what a yardstick brings about; no longer than it lives."""
    done, ended = asyncio.create_task(doing), asyncio.create_task(process.wait())
    try:
        await asyncio.wait({done, ended}, return_when=asyncio.FIRST_COMPLETED)
        assert done.done(), f"it ended with status {ended.result()}"
        return await done
    finally:
        done.cancel()
        ended.cancel()


async def play(wire: Wire) -> None:
    """People are brought to rest and edited, the systems answer every command: wave by wave, as in the bench."""
    systems = Systems(LOAD)
    await until_at_rest(wire, systems, systems.new_leads())
    for number in range(LOAD.rounds):
        await until_at_rest(wire, systems, edits_of(LOAD, systems, number))


async def until_at_rest(wire: Wire, systems: Systems, shown: Iterable[Shown | ApplyResult]) -> None:
    for _ in range(SETUP_WAVES_MAX):
        await wire.write(map(message_of, shown))
        await wire.release()
        async with asyncio.timeout(WAVE_SECONDS_MAX):
            await wire.folded()
        commands = await wire.commands(await wire.wave())
        if not commands:
            return
        shown = [systems.carry_out(command) for command in commands]
    raise AssertionError("people must come to rest")


class Log:
    """What stands on the topics, topic by topic in each partition's order."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    async def records(self, name: str) -> list[Any]:
        """All records of a topic. Each must stand in the partition where Java and aiokafka would put its key."""
        found = await read_committed(self._settings.bootstrap_servers, self._settings.topic(name))
        astray = [each for each in found if each.partition != (murmur2(each.key) & 0x7FFFFFFF) % PARTITIONS]
        assert not astray, (
            f"{len(astray)} of {len(found)} records of {name} stand in another partition than their key's"
        )
        return found

    async def messages(self, name: str, decode: Callable[[bytes | None], M]) -> list[M]:
        """All messages of a topic."""
        return [decode(record.value) for record in await self.records(name)]


async def person_changes_due(log: Log, policy: Policy) -> dict[tuple[str, str], list[PersonChange]]:
    """What intake makes of the source topics, by system and stream."""
    due: dict[tuple[str, str], list[PersonChange]] = defaultdict(list)
    links: dict[tuple[str, str], bytes] = {}
    for system in SYSTEMS:
        for record in await log.records(f"{system}.changes"):
            place = system, record.key.decode()
            resolved = resolve_change(place[1], codec.decode_source_change(record.value), links.get(place), policy)
            links[place] = resolved.link
            due[place] += resolved.changes
    return due


def by_stream(changes: Iterable[PersonChange]) -> dict[tuple[str, str], list[PersonChange]]:
    """In the order in which they came; the load has no contacts, so that a record's id is its stream."""
    found: dict[tuple[str, str], list[PersonChange]] = defaultdict(list)
    for change in changes:
        assert change.record is not None
        found[change.system, change.record.id].append(change)
    return found


def sync_due(changes: Iterable[PersonChange], policy: Policy) -> tuple[list[ApplyCommand], list[Activity]]:
    """What sync makes of `person.changes`."""
    states: dict[str, PersonState | None] = {}
    commands: list[ApplyCommand] = []
    activities: list[Activity] = []
    for change in changes:
        outcome = step(states.get(change.person_key), change, policy)
        states[change.person_key] = outcome.state
        commands += outcome.commands
        activities += outcome.activities
    return commands, activities


def by_id(messages: Sequence[Any], name: str) -> dict[str, Any]:
    found = {getattr(message, name): message for message in messages}
    assert len(found) == len(messages), f"some {name} was sent twice"
    return found


@each_yardstick
async def test_a_yardstick_sends_what_the_core_makes_of_the_same_messages(
    module: str, settings: Settings, tmp_path: Path
) -> None:
    """Every change of a person, every command and every activity, once, and nothing else."""
    log, policy = Log(settings), LOAD.policy()
    async with Wire(settings) as wire, running(module, settings, tmp_path) as process:
        await while_alive(process, play(wire))
        changes = await log.messages("person.changes", codec.decode_person_change)
        assert by_stream(changes) == await person_changes_due(log, policy)
        assert len(changes) >= LOAD.people + 2 * LOAD.rounds * LOAD.edits
        commands, activities = sync_due(changes, policy)
        sent = [
            command
            for name in COMMAND_TOPICS.values()
            for command in await log.messages(name, codec.decode_apply_command)
        ]
        assert by_id(sent, "command_id") == by_id(commands, "command_id")
        logged = await log.messages("activity-log", codec.decode_activity)
        assert by_id(logged, "activity_id") == by_id(activities, "activity_id")
        assert len(commands) >= LOAD.rounds * LOAD.edits


BAD = (
    ("marketo.changes", b"775", b"{", "unreadable"),
    ("dynamics.changes", b"776", b'{"contract": "source-change/2"}', "unknown_version"),
    ("dynamics.changes", b"777", encode(marketo_change("777")), "invalid"),
    ("marketo.results", b"778", encode(apply_result()), "wrong_key"),
    ("dynamics.results", b"779", b"[]", "invalid"),
    ("person.changes", b"780", encode(person_change()), "wrong_key"),
)
ABORTED = ("marketo.changes", b"774", encode(marketo_change("774", kind="created", email="ada@example.com")))
GOOD = (
    ("marketo.changes", b"775", encode(marketo_change("775", kind="created", email="ada@example.com"))),
    ("dynamics.changes", b"776", encode(dynamics_row("776", kind="created", lastname="Byron"))),
    ("dynamics.changes", b"777", encode(dynamics_row("777", kind="created", lastname="Byron"))),
    ("marketo.results", b"p-1", encode(apply_result(person_key="p-1", system="marketo"))),
    ("dynamics.results", b"p-2", encode(apply_result(person_key="p-2"))),
)


@each_yardstick
async def test_a_yardstick_rejects_bad_messages_and_goes_on(module: str, settings: Settings, tmp_path: Path) -> None:
    """Each comes to `dead-letter` for its reason; the good ones behind it are read, and what was never committed is not.

    It makes no topics but those it names.
    """
    await ensure_topics(settings)
    async with producing(settings) as producer:
        await producer.begin_transaction()
        await send(producer, settings, [ABORTED])
        await producer.abort_transaction()
        async with producer.transaction():
            await send(producer, settings, [each[:3] for each in BAD])
            await send(producer, settings, GOOD)
    async with running(module, settings, tmp_path) as process:
        letters = await while_alive(process, eventually(settings, "dead-letter", len(BAD)))
        changes = await while_alive(process, eventually(settings, "person.changes", len(GOOD) + 1))
    found = [schemas.Rejection.model_validate_json(record.value) for record in letters]
    assert {(each.topic, record.key, each.reason) for each, record in zip(found, letters, strict=True)} == {
        (settings.topic(topic), key, reason) for topic, key, _, reason in BAD
    }
    read = [codec.decode_person_change(record.value) for record in changes if record.key != b"780"]
    assert {each.change_id for each in read} == {
        "marketo-775-1",
        "dynamics-776-1",
        "dynamics-777-1",
        "command-1-created",
    }
    assert await topics_made(settings) == (set(quix.changelogs(settings)) if module == QUIX else set())


@contextlib.asynccontextmanager
async def producing(settings: Settings) -> AsyncIterator[Any]:
    producer = AIOKafkaProducer(bootstrap_servers=settings.bootstrap_servers, transactional_id=f"{settings.prefix}test")
    await producer.start()
    try:
        yield producer
    finally:
        await producer.stop()


async def send(producer: Any, settings: Settings, records: Iterable[tuple[str, bytes, bytes]]) -> None:
    for topic, key, value in records:
        await producer.send_and_wait(settings.topic(topic), value, key)


async def eventually(settings: Settings, name: str, records: int) -> list[Any]:
    """The records of a topic, as soon as there are so many."""
    deadline = time.monotonic() + WAVE_SECONDS_MAX
    while True:
        found = await read_committed(settings.bootstrap_servers, settings.topic(name))
        if len(found) >= records:
            return found
        assert time.monotonic() < deadline, f"{name} holds {len(found)} of {records} messages"
        await asyncio.sleep(0.1)


async def topics_made(settings: Settings) -> set[str]:
    """The topics of this installation that `leadsync topics` knows nothing of."""
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.bootstrap_servers)
    await admin.start()
    try:
        return {name for name in await admin.list_topics() if settings.prefix in name} - set(wanted_topics(settings))
    finally:
        await admin.close()
