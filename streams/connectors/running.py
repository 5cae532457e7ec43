"""A connector process from its start to its end: who wrote before is fenced, what is known is read, then its loops run.

Whatever a loop raises ends the process with one line that says why; a supervisor starts it again, and it goes on at what was
committed. Waiting for a system that is down is no failure: the loops do that by themselves.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Protocol

from aiokafka.errors import InvalidProducerEpoch, KafkaError, ProducerFenced

from schemas.checkpoint import Checkpoint
from schemas.vocabulary import System
from streams.connectors.journal import Journal, TakenOver
from streams.connectors.known import read_standing
from streams.connectors.metrics import ConnectorMetrics
from streams.connectors.rest import CallFailed
from streams.health import serve_health
from streams.policies import PolicyBook
from streams.settings import Settings, SettingsError
from streams.topics import ensure_topics

log = logging.getLogger(__name__)

EX_FAILED = 1
FORESEEN = (CallFailed, TakenOver, KafkaError)
"""What a restart mends, or somebody who reads the line."""


class Connector(Protocol):
    """What stands between one system and Kafka."""

    async def start(self) -> None:
        """Get to know the system: its fields, who we are there. Waits while it cannot be reached."""

    def loops(self) -> Mapping[str, Coroutine[Any, Any, None]]:
        """What runs until the end, by name."""

    def waiting_for(self) -> str | None:
        """What is awaited before it is ready; None when it is."""

    async def stop(self) -> None:
        """Let go of everything."""


Build = Callable[[Journal, Checkpoint | None, PolicyBook, ConnectorMetrics], Connector]


async def run_connector(settings: Settings, system: System, build: Build) -> int:
    """Run one connector until a signal or a failure; returns its exit status."""
    await ensure_topics(settings, create=False)
    policies, metrics = PolicyBook(settings), ConnectorMetrics(system)
    journal = Journal(settings, system, on_written=metrics.written)
    stop = asyncio.Event()
    asyncio.get_running_loop().set_exception_handler(_tell_unless_fenced)
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, _tell_what_it_does)
    made: list[Connector] = []

    def waiting_for() -> str | None:
        return made[0].waiting_for() if made else "who wrote before to be fenced, and what is known to be read"

    try:
        # The port first: a second one that cannot have it must not take over from the first.
        async with serve_health(settings, metrics, waiting_for) as port:
            await journal.start()
            journal.known, checkpoint = await read_standing(settings, system)
            await policies.read_to_end()
            if policies.digest_in_force is None:
                raise SettingsError("no policy is in force: start a worker, or `leadsync policy apply FILE`")
            made.append(build(journal, checkpoint, policies, metrics))
            print(f"connector: http://{settings.host}:{port}/health/ready", file=sys.stderr, flush=True)  # noqa: T201
            return await _run(made[0], policies, stop)
    finally:
        for connector in made:
            await connector.stop()
        await policies.close()
        await journal.stop()


async def _run(connector: Connector, policies: PolicyBook, stop: asyncio.Event) -> int:
    starting = asyncio.create_task(connector.start(), name="start")
    stopping = asyncio.create_task(stop.wait())
    tasks: set[asyncio.Task[Any]] = {starting}
    try:
        await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if starting.done():
            starting.result()
            loops = {"policies": policies.follow(), **connector.loops()}
            tasks |= {asyncio.create_task(loop, name=name) for name, loop in loops.items()}
            await asyncio.wait({*tasks - {starting}, stopping}, return_when=asyncio.FIRST_COMPLETED)
        return _status(tasks)
    except FORESEEN as error:
        log.critical("%s: %s", type(error).__name__, error)
        return EX_FAILED
    finally:
        for task in (*tasks, stopping):
            task.cancel()
        await asyncio.gather(*tasks, stopping, return_exceptions=True)


def _tell_unless_fenced(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """asyncio's own word on futures that nobody asks for their outcome, but for those of a producer that was taken over from.

    aiokafka hands the fault to every message that was on its way; the journal has told it once.
    """
    if not isinstance(context.get("exception"), (ProducerFenced, InvalidProducerEpoch)):
        loop.default_exception_handler(context)


def _tell_what_it_does() -> None:
    """On SIGUSR1: where each task stands, for who wonders why nothing moves."""
    for task in asyncio.all_tasks():
        task.print_stack(file=sys.stderr)


def _status(tasks: set[asyncio.Task[Any]]) -> int:
    """0 where nothing has failed."""
    for task in tasks:
        if task.done() and not task.cancelled() and (error := task.exception()) is not None:
            if isinstance(error, SettingsError):
                raise error
            traceback = None if isinstance(error, FORESEEN) else error
            log.critical("%s ended: %s: %s", task.get_name(), type(error).__name__, error, exc_info=traceback)
            return EX_FAILED
    return 0
