"""An installation of its own for each test on the shared broker, and its commands as a user runs them."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from click.testing import CliRunner, Result

from streams.cli import cli
from streams.codec import encode
from streams.intake import link_to
from streams.operating.reading import Reader
from streams.settings import Security, Settings
from streams.sync.person import encode_person
from streams.topics import changelog_topic
from tests.builders import PERSON_KEY
from tests.operating.histories import History


class Sent(NamedTuple):
    """A message to write, or one that was read."""

    topic: str
    key: bytes | None
    value: bytes | None
    partition: int | None = None
    headers: tuple[tuple[str, bytes], ...] = ()


class Installation:
    """Topics under a prefix of their own, written as agents would have written them."""

    def __init__(self, bootstrap_servers: str) -> None:
        self.settings = Settings(bootstrap_servers, f"ops-{uuid4().hex[:12]}-", security=Security())

    @property
    def environment(self) -> dict[str, str]:
        return {
            "LEADSYNC_BOOTSTRAP_SERVERS": self.settings.bootstrap_servers,
            "LEADSYNC_PREFIX": self.settings.prefix,
        }

    def run(self, *arguments: str) -> Result:
        """The command in this process."""
        return CliRunner(env=self.environment).invoke(cli, arguments, prog_name="leadsync")

    def run_apart(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """The command in a process of its own, with the exit status that a shell would see."""
        return subprocess.run(
            [sys.executable, "-m", "streams", *arguments],
            env={**os.environ, **self.environment, **environment},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def topic(self, name: str) -> str:
        return self.settings.topic(name)

    def table(self, name: str) -> str:
        return changelog_topic(self.settings, name)

    def write(self, *messages: Sent) -> None:
        asyncio.run(self._write(messages))

    async def _write(self, messages: Iterable[Sent]) -> None:
        async with AIOKafkaProducer(bootstrap_servers=self.settings.bootstrap_servers) as producer:
            for topic, key, value, partition, headers in messages:
                await producer.send_and_wait(topic, value, key, partition=partition, headers=list(headers))

    def read(self, name: str) -> list[Any]:
        """Every record of a topic of the table of topics."""
        return asyncio.run(self._read(self.topic(name)))

    async def _read(self, topic: str) -> list[Any]:
        async with Reader(self.settings) as reader:
            return [record async for record in reader.records(topic)]

    def has(self, history: History, key: str = PERSON_KEY) -> None:
        """Put a person with their activities on the topics."""
        name = key.encode()
        state = Sent(self.table("people"), name, encode_person(history.state))
        self.write(state, *(Sent(self.topic("activity-log"), name, encode(each)) for each in history.activities))

    def links(self, system: str, stream: str, key: str = PERSON_KEY, partition: int | None = None) -> None:
        """Let intake have learned whose a stream is."""
        self.write(Sent(self.table(f"{system}-links"), stream.encode(), link_to(key, 1), partition))

    async def remove(self) -> None:
        """Delete its topics: a shared broker would slow down under those of all tests."""
        admin = AIOKafkaAdminClient(bootstrap_servers=self.settings.bootstrap_servers)
        await admin.start()
        try:
            own = [name for name in await admin.list_topics() if name.startswith(self.settings.prefix)]
            await admin.delete_topics(own)
        finally:
            await admin.close()


@pytest.fixture
def bare(kafka: str) -> Iterator[Installation]:
    """No topic exists yet."""
    installation = Installation(kafka)
    yield installation
    asyncio.run(installation.remove())


@pytest.fixture
def installation(bare: Installation) -> Installation:
    """The topics exist."""
    result = bare.run("topics", "--partitions", "3")
    assert result.exit_code == 0, result.stderr
    return bare


def status_lines(result: Result) -> list[str]:
    """What was said beside the result."""
    return result.stderr.strip().splitlines()
