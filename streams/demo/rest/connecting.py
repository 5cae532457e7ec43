"""Between the systems and Kafka with REST: two connector processes, which this starts, kills and asks how far they are.

How far the connectors are is not asked of them. A system knows whether its feeds were read to their end; the broker knows what was
committed. The Marketo connector reads ahead, so that its checkpoint on Kafka must have come to the end of the feed too; the Dynamics
connector asks for more only after it has put what came before on Kafka.
"""

from __future__ import annotations

import asyncio
import os
import random
import secrets
import socket
import time
from collections import deque
from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path

from aiokafka import TopicPartition

from schemas.topics import INPUT_TOPICS
from schemas.vocabulary import DYNAMICS, MARKETO, SYSTEMS, System
from streams.connectors.journal import group_of
from streams.demo.fleet import LEADSYNC, Fleet, Member, WorkerFailed
from streams.demo.record import Published
from streams.demo.rest.instances import Interfering, PlannedFaults, served
from streams.demo.rest.standing import Standing
from streams.demo.summary import Calls, OverRest
from streams.demo.wire import COMMAND_TOPICS, Listener, Sender, Watch
from streams.demo.world import World
from streams.settings import Settings
from streams.simulators.dynamics.instance import DynamicsInstance
from streams.simulators.marketo.engine import CampaignEngine
from streams.simulators.marketo.instance import MarketoInstance

TICK_SECONDS = 0.05
ASK_EVERY_SECONDS = 0.5
SETUP_SECONDS_MAX = 60.0
SETUPS_MAX = 5
ENDPOINTS_SHOWN = 12
ALLOWED: Mapping[System, str] = {
    MARKETO: "50,000 a day, typically, and 100 in 20 s",
    DYNAMICS: "6,000 in 300 s for a user",
}
"""As documented ("Marketo Integration Best Practices", "Service protection API limits")."""

DUPLICATE_RULE = "duplicate_rule"
DUPLICATE_EVERY_SECONDS = 1.0
ARRANGE_FROM = 0.6
"""From this share of the edits on, a planned fault that chance has not brought about yet is brought about."""

PACES: Mapping[System, tuple[str, ...]] = {
    MARKETO: ("--busy-seconds", "0.5", "--idle-seconds", "2", "--calls", "90", "--quota-pause-seconds-max", "1"),
    DYNAMICS: ("--busy-seconds", "0.3", "--idle-seconds", "1"),
}
"""Quicker than against real systems, where nobody watches: but within the limits that the simulators enforce."""


class Connecting:
    """`kills`: how many connectors are killed over the edits, at moments drawn by chance."""

    def __init__(
        self,
        settings: Settings,
        world: World,
        faults: Mapping[System, PlannedFaults],
        listener: Listener,
        watch: Watch,
        folder: Path,
        standing: Standing,
        kills: int,
        rng: random.Random,
    ) -> None:
        assert isinstance(world.marketo, MarketoInstance) and isinstance(world.dynamics, DynamicsInstance)
        self._settings, self._world, self._faults = settings, world, faults
        self._marketo, self._dynamics = world.marketo, world.dynamics
        self._listener, self._watch, self._folder, self._random = listener, watch, folder, rng
        self._sender, self._standing = Sender(settings), standing
        self._kill_at = deque(sorted(rng.random() for _ in range(kills)))
        self._servers = AsyncExitStack()
        self._fleet = Fleet([])
        self._engine: CampaignEngine | None = None
        self._commands_unread = 0
        self._is_faulty = any(each.shares for each in faults.values())
        self._next_duplicate_at = 0.0

    @property
    def sent(self) -> int:
        return sum(self._listener.counts[self._settings.topic(name)] for name in INPUT_TOPICS)

    @property
    def applied(self) -> int:
        return self._world.landings.landed_commands

    @property
    def waiting(self) -> int:
        return self._commands_unread + len(self._marketo.undelivered) + self._sender.unanswered

    @property
    def stirred(self) -> tuple[int, ...]:
        return self._world.onlookers.told, self._sender.sent

    async def start(self) -> None:
        await self._sender.start()
        environment = await self._servers.enter_async_context(served(self._marketo, self._dynamics, self._faults))
        interfering = Interfering(self._world.crowd)
        self._marketo.on_read = self._dynamics.on_read = interfering
        secret, port = secrets.token_urlsafe(24), _free_port()
        environment["LEADSYNC_MARKETO_WEBHOOK_SECRET"] = secret
        listen = f"127.0.0.1:{port}"
        self._engine = CampaignEngine(
            self._marketo,
            f"http://{listen}/marketo/webhooks/sync-person",
            f"http://{listen}/marketo/flow-step/submitAsyncAction",
            secret,
        )
        await self._set_up(environment)
        self._fleet = Fleet([self._member(system, environment, listen) for system in SYSTEMS])

    async def ready(self) -> None:
        await self._fleet.all_ready()

    async def run(self) -> None:
        assert self._engine is not None
        async with asyncio.TaskGroup() as group:
            for loop in (self._fleet.run(), self._engine.run(), self._carry_retries(), self._ask()):
                group.create_task(loop)

    async def stop(self) -> None:
        await self._fleet.stop()
        await self._servers.aclose()
        await self._sender.stop()

    async def unread(self) -> int:
        return await self._watch.unread(self._ends(*INPUT_TOPICS))

    async def upstream(self) -> str | None:
        if self._marketo.undelivered:
            return f"{len(self._marketo.undelivered)} Sync Person calls to be taken"
        for system, instance in ((MARKETO, self._marketo), (DYNAMICS, self._dynamics)):
            if not instance.is_caught_up():
                return f"the {system} connector to read its feeds to their end"
        if not self._standing.has_told_all(self._marketo.log):
            return "the marketo connector to put what it has read on Kafka"
        if self._marketo.announced or self._sender.unanswered:
            return "the broker to take what was asked for"
        if behind := await self._behind(*INPUT_TOPICS):
            return f"{behind} offsets of changes and results to be committed"
        if unread := await self.unread():
            return f"the workers to read {unread} changes and results"
        return None

    async def downstream(self) -> str | None:
        if behind := await self._behind(*COMMAND_TOPICS):
            return f"{behind} offsets of commands to be committed"
        await self._count_commands()
        return f"the connectors to carry out {self._commands_unread} commands" if self._commands_unread else None

    def disturb(self, share: float) -> None:
        while self._kill_at and self._kill_at[0] <= share:
            self._kill_at.popleft()
            self._fleet.kill_one(self._random.randrange(len(SYSTEMS)))
        if share >= ARRANGE_FROM:
            self._have_a_duplicate_entered()
            for each in self._faults.values():
                for name in each.lacking():
                    each.faults.arrange(name)

    def _have_a_duplicate_entered(self) -> None:
        if self._is_faulty and not self._faults[DYNAMICS].faults.counts[DUPLICATE_RULE]:
            now = time.monotonic()
            if now >= self._next_duplicate_at and self._world.crowd.enter_duplicate(time.time()) is not None:
                self._next_duplicate_at = now + DUPLICATE_EVERY_SECONDS

    def report(self, edits: int) -> OverRest:
        counts = {
            f"{system}.{name}": count
            for system, each in self._faults.items()
            for name, count in each.faults.counts.items()
        }
        return OverRest(
            faults=dict(sorted(counts.items())),
            marketo_calls=_calls(MARKETO, self._marketo.calls, edits),
            dynamics_calls=_calls(DYNAMICS, self._dynamics.calls, edits),
            connector_kills=self._fleet.kills,
            connector_restarts=self._fleet.restarts,
        )

    async def _set_up(self, environment: Mapping[str, str]) -> None:
        """Our fields are made as an operator makes them, who runs the command again where a fault has struck."""
        said = ""
        for _ in range(SETUPS_MAX):
            process = await asyncio.create_subprocess_exec(
                *LEADSYNC, "setup", "--yes",
                env={**os.environ, **environment}, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
            )  # fmt: skip
            output, _ = await asyncio.wait_for(process.communicate(), SETUP_SECONDS_MAX)
            said = output.decode()
            if not process.returncode:
                return
        raise WorkerFailed(f"`leadsync setup` failed {SETUPS_MAX} times; the last time it said:\n{said[-2000:]}")

    def _member(self, system: System, environment: Mapping[str, str], listen: str) -> Member:
        listening = ("--listen", listen) if system == MARKETO else ()
        settings = self._settings
        command = [
            *LEADSYNC, "connector", system, "--port", "0", *listening, "--start-from", "beginning", *PACES[system],
            "--bootstrap-servers", settings.bootstrap_servers, "--prefix", settings.prefix,
        ]  # fmt: skip
        return Member(f"connector-{system}", self._folder, command, environment)

    async def _carry_retries(self) -> None:
        """Operators ask for a retry by `leadsync errors retry`, which goes to Kafka and to no system."""
        while True:
            for system, announced in ((MARKETO, self._marketo.announced), (DYNAMICS, self._dynamics.announced)):
                taken: list[tuple[System, Published]] = [(system, each) for each in announced]
                announced.clear()
                await self._sender.changes(taken)
            await asyncio.sleep(TICK_SECONDS)

    async def _ask(self) -> None:
        while True:
            await self._count_commands()
            await asyncio.sleep(ASK_EVERY_SECONDS)

    async def _count_commands(self) -> None:
        counts = [
            await self._watch.unread(
                self._ends(f"{system}.commands", f"{system}.commands.background"), group_of(self._settings, system)
            )
            for system in SYSTEMS
        ]
        self._commands_unread = sum(counts)

    def _ends(self, *names: str) -> dict[TopicPartition, int]:
        topics = {self._settings.topic(name) for name in names}
        return {place: end for place, end in self._listener.ends.items() if place.topic in topics}

    async def _behind(self, *names: str) -> int:
        return await self._listener.behind(await self._watch.heads(map(self._settings.topic, names)))


def _calls(system: System, calls: Mapping[str, int], edits: int) -> Calls:
    alone = {name: count for name, count in calls.items() if not name.startswith("batch ")}
    total = sum(alone.values())
    most = dict(sorted(alone.items(), key=lambda each: -each[1])[:ENDPOINTS_SHOWN])
    ratio = round(total / max(edits, 1) * 1000, 1)
    return Calls(total=total, allowed=ALLOWED[system], per_1000_edits=ratio, by_endpoint=most)


def _free_port() -> int:
    """One that nobody has now; a connector that is started again takes it again."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port
