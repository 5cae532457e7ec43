"""`leadsync worker` as processes under a test's hand."""

from __future__ import annotations

import asyncio
import contextlib
import re
import signal
import sys
import tempfile
import urllib.request
from collections.abc import AsyncIterator
from pathlib import Path

from streams.settings import Settings

PATIENCE_SECONDS = 45.0
POLL_SECONDS = 0.05


class WorkerProcess:
    """One worker of the group; its log is shown when something is waited for in vain."""

    def __init__(self, settings: Settings, name: str, folder: Path) -> None:
        self.settings, self.name = settings, name
        self.log_file = folder / f"{name}.log"
        self.process: asyncio.subprocess.Process | None = None

    async def start(self, *options: str) -> WorkerProcess:
        """Start the process; `ready` waits for it."""
        with self.log_file.open("wb") as log:
            self.process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "streams", "worker"),
                *("--bootstrap-servers", self.settings.bootstrap_servers, "--prefix", self.settings.prefix),
                *("--port", "0", "--create-topics", "--session-timeout-ms", "3000"),
                *("--instance-id", self.name, *options),
                stderr=log,
            )
        return self

    async def ready(self) -> WorkerProcess:
        """Wait until its tables are recovered and its partitions flow."""
        await self.until(self._is_ready, "ready")
        return self

    async def until(self, condition: object, what: str) -> None:
        """Wait for a condition, with a deadline."""
        assert callable(condition)
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                while not await asyncio.to_thread(condition):
                    await asyncio.sleep(POLL_SECONDS)
        except TimeoutError:
            raise AssertionError(f"{self.name} is not {what}; its log ends:\n{self.log[-3000:]}") from None

    def _is_ready(self) -> bool:
        return self.get("/health/ready") == "ready"

    def get(self, path: str) -> str:
        """What the worker's port says; empty while it has none."""
        found = re.search(r"worker: (http://\S+?)/health/ready", self.log)
        if found is None:
            return ""
        with contextlib.suppress(OSError), urllib.request.urlopen(found[1] + path, timeout=2) as response:
            return str(response.read().decode()).strip()
        return ""

    @property
    def log(self) -> str:
        return self.log_file.read_text() if self.log_file.exists() else ""

    def send(self, number: signal.Signals) -> None:
        """Send a signal."""
        assert self.process is not None
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(number)

    async def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal and wait for the end; the exit status."""
        assert self.process is not None
        self.send(number)
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await self.process.wait()


@contextlib.asynccontextmanager
async def workers(settings: Settings, *names: str) -> AsyncIterator[list[WorkerProcess]]:
    """Workers that are ready; whatever still runs at the end is killed."""
    with tempfile.TemporaryDirectory() as folder:
        made = [WorkerProcess(settings, name, Path(folder)) for name in names]
        try:
            for each in made:
                await (await each.start()).ready()
            yield made
        finally:
            for each in made:
                if each.process is not None and each.process.returncode is None:
                    await each.end(signal.SIGKILL)
