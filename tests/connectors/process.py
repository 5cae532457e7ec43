"""A connector as a process under a test's hand."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import sys
import urllib.request
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaProducer

from schemas.vocabulary import System
from streams.codec import decode_apply_result, decode_source_change, encode
from streams.policies import apply_policy
from streams.policy.files import default_policy_text, default_rule_texts
from streams.settings import Settings
from streams.sync.messages import ApplyCommand, ApplyResult, SourceChange
from streams.topics import ensure_topics
from tests.lane.broker import read_committed

PATIENCE_SECONDS = 45.0
POLL_SECONDS = 0.05


class ConnectorProcess:
    """`leadsync connector SYSTEM`. `log` holds what all its lives said."""

    def __init__(self, system: System, settings: Settings, folder: Path, environment: Mapping[str, str]) -> None:
        self.system, self.settings = system, settings
        self._log_file, self._environment = folder / f"{system}.log", environment
        self._process: asyncio.subprocess.Process | None = None

    @property
    def log(self) -> str:
        return self._log_file.read_text() if self._log_file.exists() else ""

    async def start(self, *options: str) -> ConnectorProcess:
        with self._log_file.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "streams", "connector", self.system),
                *("--bootstrap-servers", self.settings.bootstrap_servers, "--prefix", self.settings.prefix),
                *("--port", "0", "--listen", "127.0.0.1:0", "--busy-seconds", "0.1", "--idle-seconds", "0.2", *options),
                env={**os.environ, **self._environment},
                stderr=log,
            )
        return self

    async def until(self, condition: Callable[[], Awaitable[bool]], what: str) -> None:
        """Wait for a condition, with a deadline."""
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                while not await condition():
                    await asyncio.sleep(POLL_SECONDS)
        except TimeoutError:
            raise AssertionError(f"not {what}; the log ends:\n{self.log[-3000:]}") from None

    def address(self, kind: str) -> str | None:
        """Of what the process listens on, as it told last; `kind` is "" for health, "listening " for calls."""
        found = re.findall(rf"connector: {kind}(http://[0-9.:]+)", self.log)
        return found[-1] if found else None

    async def ready(self) -> None:
        async def is_ready() -> bool:
            address = self.address("")
            return address is not None and await asyncio.to_thread(_get, f"{address}/health/ready") == "ready"

        await self.until(is_ready, "ready")

    async def ended(self) -> int:
        """Wait for its end; the exit status."""
        assert self._process is not None
        return await asyncio.wait_for(self._process.wait(), PATIENCE_SECONDS)

    def send(self, number: signal.Signals) -> None:
        """Send a signal, if there is anybody to hear it."""
        assert self._process is not None
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(number)

    async def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal, and wait for the end; the exit status."""
        self.send(number)
        return await self.ended()


@contextlib.asynccontextmanager
async def connector(
    system: System, settings: Settings, folder: Path, environment: Mapping[str, str], *options: str
) -> AsyncIterator[ConnectorProcess]:
    """A process over an installation of its own; whatever still runs at the end is killed."""
    await ensure_topics(settings)
    await apply_policy(settings, default_policy_text(), default_rule_texts())
    process = await ConnectorProcess(system, settings, folder, environment).start(*options)
    try:
        yield process
    finally:
        await process.end(signal.SIGKILL)


async def changes(settings: Settings, system: System) -> list[tuple[str, SourceChange]]:
    """Every change, with its stream."""
    messages = await read_committed(settings.bootstrap_servers, settings.topic(f"{system}.changes"))
    return [(message.key.decode(), decode_source_change(message.value)) for message in messages]


async def results(settings: Settings, system: System) -> list[ApplyResult]:
    """Every answer."""
    messages = await read_committed(settings.bootstrap_servers, settings.topic(f"{system}.results"))
    return [decode_apply_result(message.value) for message in messages]


async def send(settings: Settings, *commands: ApplyCommand, lane: str = "commands") -> None:
    """Put commands on a lane."""
    producer: Any = AIOKafkaProducer(**settings.client("test"))
    await producer.start()
    try:
        for command in commands:
            topic = settings.topic(f"{command.system}.{lane}")
            await producer.send_and_wait(topic, encode(command), command.person_key.encode())
    finally:
        await producer.stop()


def _get(address: str) -> str:
    with contextlib.suppress(OSError), urllib.request.urlopen(address, timeout=2) as response:
        return str(response.read().decode()).strip()
    return ""
