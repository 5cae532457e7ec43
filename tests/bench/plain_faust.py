"""The worker's job on Faust as it comes, as a yardstick of `leadsync bench`.

    python -m tests.bench.plain_faust BOOTSTRAP PREFIX POLICY_FILE FOLDER [--codec]

Two hops in one app: an intake agent for each source topic, with a table of links where streams have them, and a sync agent
with the table `people`. Event by event: the body is read by its pydantic contract, folded, the table is set, and what
comes of it goes out with `topic.send`. Memory tables with Faust's own changelogs (they have the names and partitions that
`leadsync topics` gives them), Faust's own worker, its default event loop, queues, buffers and collector.

What differs from Faust as it comes, and why:
- bodies pass through Faust as bytes, since a body that Faust itself cannot decode is dropped and stalls the agent;
- it reads committed messages only, as the worker does: the bench writes each wave in one transaction, and whoever saw
  messages earlier would work before the clock runs;
- it commits every 0.2 seconds instead of 2.8, so that the bench need not wait long to see a wave folded;
- no web server, no leader election, and log records below warnings are never built: all of that would only cost.

What it is not: exactly-once (offsets, changelog and outputs are three separate things, and `send` does not wait for
delivery), or safe in a restart (Faust's recovery can pass events over). For brokers without TLS and SASL.
"""

from __future__ import annotations

import logging
import sys
from typing import Any

import faust
from faust.transport.drivers import aiokafka as driver

from schemas.topics import PARTITIONS
from schemas.vocabulary import SYSTEMS, System
from tests.bench.merge import (
    CHANGES,
    INTAKE_SENDS,
    RESULTS,
    SYNC_SENDS,
    Arguments,
    Received,
    Sent,
    arguments,
)

COMMIT_SECONDS = 0.2
BYTES: dict[str, Any] = {"key_type": bytes, "value_type": bytes}
RAW: dict[str, Any] = {**BYTES, "key_serializer": "raw", "value_serializer": "raw"}


class CommittedThread(driver.AIOKafkaConsumerThread):
    """Faust's consumer, reading committed messages. Faust does so only with its own transactions."""

    def _create_worker_consumer(self, transport: Any) -> Any:
        consumer = super()._create_worker_consumer(transport)
        consumer._isolation_level = "read_committed"
        return consumer


class CommittedConsumer(driver.Consumer):
    """Brings the thread above."""

    def _new_consumer_thread(self) -> CommittedThread:
        return CommittedThread(self, loop=self.loop, beacon=self.beacon)


class CommittedTransport(driver.Transport):
    """Brings the consumer above."""

    Consumer = CommittedConsumer


class App(faust.App):
    """A Faust app that reads committed messages."""

    def _new_transport(self) -> Any:
        return CommittedTransport(self.conf.broker_consumer, self)


class Plain:
    """The app's topics, tables and agents."""

    def __init__(self, given: Arguments) -> None:
        self._settings, self._merge = given.settings, given.merge
        self.app = App(
            given.settings.app_id,
            broker=[f"aiokafka://{server}" for server in given.settings.bootstrap_servers.split(",")],
            store="memory://",
            datadir=given.folder / "faust",
            topic_partitions=PARTITIONS,
            topic_disable_leader=True,
            broker_commit_interval=COMMIT_SECONDS,
            web_enabled=False,
        )
        self._topics = {name: self._topic(name) for name in (*INTAKE_SENDS, *SYNC_SENDS)}
        for system in SYSTEMS:
            self._attach_changes(system)
            self._attach_results(system)
        self._attach_people()

    def _topic(self, name: str) -> Any:
        return self.app.topic(self._settings.topic(name), **RAW)

    def _attach_changes(self, system: System) -> None:
        links = self.app.Table(f"{system}-links", **BYTES)

        @self.app.agent(self._topic(CHANGES[system]), name=f"{system}-changes")
        async def intake(stream: Any) -> None:
            async for event in stream.events():
                link = links.get(event.key)
                sent, linked = self._merge.change(received(event), system, link)
                if linked is not None and linked != link:
                    links[event.key] = linked
                await self._send(sent)

    def _attach_results(self, system: System) -> None:
        @self.app.agent(self._topic(RESULTS[system]), name=f"{system}-results")
        async def intake(stream: Any) -> None:
            async for event in stream.events():
                await self._send(self._merge.result(received(event), system))

    def _attach_people(self) -> None:
        people = self.app.Table("people", **BYTES)

        @self.app.agent(self._topics["person.changes"], name="sync")
        async def sync(stream: Any) -> None:
            async for event in stream.events():
                sent, state = self._merge.person_change(received(event), people.get(event.key))
                if state is not None:
                    people[event.key] = state
                await self._send(sent)

    async def _send(self, sent: list[Sent]) -> None:
        for each in sent:
            await self._topics[each.topic].send(key=each.key, value=each.body, headers=each.headers)


def received(event: Any) -> Received:
    """The message of an event."""
    message = event.message
    place = message.topic, message.partition, message.offset, round(message.timestamp * 1000)
    return Received(*place, message.key, message.value, message.headers or ())


def main() -> None:
    """Run until SIGTERM."""
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    app = Plain(arguments()).app
    worker = faust.Worker(
        app, quiet=True, stdout=sys.stderr, redirect_stdouts=False, override_logging=False, loglevel="WARNING"
    )
    worker.execute_from_commandline()


if __name__ == "__main__":
    main()
