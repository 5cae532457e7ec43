"""Worker processes under a test's hand: started, watched, stopped in every way there is."""

import asyncio
import contextlib
import dataclasses
import json
import signal as signals
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from tests.lane.counting_worker import Options

ROOT = Path(__file__).parents[2]
PATIENCE_SECONDS = 40.0


class Worker:
    """One process running `counting_worker`."""

    def __init__(self, process: asyncio.subprocess.Process, log: Path) -> None:
        self.process, self._log = process, log
        self.lines: list[str] = []
        self._said = asyncio.Condition()
        self._reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            async with self._said:
                self.lines.append(line.decode().strip())
                self._said.notify_all()
        async with self._said:
            self._said.notify_all()

    async def until(self, condition: Callable[[list[str]], bool], seconds: float = PATIENCE_SECONDS) -> None:
        """Wait until what the worker has said so far fulfils the condition."""
        async with self._said:
            try:
                async with asyncio.timeout(seconds):
                    await self._said.wait_for(lambda: condition(self.lines) or self._reading.done())
            except TimeoutError:
                raise AssertionError(f"waited in vain; said {self.lines[-5:]}; log:\n{self.log[-3000:]}") from None
            assert condition(self.lines), f"ended instead; said {self.lines[-5:]}; log:\n{self.log[-3000:]}"

    async def until_ready(self) -> None:
        await self.until(lambda lines: lines.count("ready") > 0 and lines[-1] != "not ready")

    async def until_handled(self, records: int) -> None:
        """Wait until it has committed this many records since it started."""
        await self.until(lambda lines: self.handled >= records)

    @property
    def handled(self) -> int:
        return sum(int(line.split()[-1]) for line in self.lines if line.startswith("batch "))

    @property
    def held(self) -> set[str]:
        """The source partitions of its last assignment."""
        assigned = [line for line in self.lines if line.startswith("assigned")]
        return set(assigned[-1].split()[1:]) if assigned else set()

    @property
    def log(self) -> str:
        return self._log.read_text()

    def signal(self, number: signals.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(number)

    async def ended(self) -> int:
        """Wait for its end; the exit status."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await self.process.wait()

    async def end(self, number: signals.Signals) -> int:
        self.signal(number)
        return await self.ended()


@contextlib.asynccontextmanager
async def workers() -> AsyncIterator[Callable[[Options], "asyncio.Future[Worker]"]]:
    """Start workers; whatever is still alive at the end is killed."""
    started: list[Worker] = []
    with tempfile.TemporaryDirectory() as directory:

        async def start(options: Options) -> Worker:
            log = Path(directory) / f"{len(started)}.log"
            with log.open("wb") as errors:
                process = await asyncio.create_subprocess_exec(
                    sys.executable,
                    "-m",
                    "tests.lane.counting_worker",
                    json.dumps(dataclasses.asdict(options)),
                    cwd=ROOT,
                    stdout=asyncio.subprocess.PIPE,
                    stderr=errors,
                )
            started.append(Worker(process, log))
            return started[-1]

        try:
            yield start
        finally:
            for worker in started:
                worker.signal(signals.SIGKILL)
                await worker.process.wait()
                await worker._reading


async def eventually(condition: Callable[[], bool], seconds: float = PATIENCE_SECONDS) -> None:
    """Wait for a condition that nothing announces."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        await asyncio.sleep(0.01)
