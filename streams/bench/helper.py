"""A measured loop in a process of its own: asked for one wave per line on its input, it answers with what that took.

Both ends are here: `Helper` starts and asks, `answer_waves` is what the process runs. It ends with its input, so it never
outlives the bench.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec
from msgspec import Struct

from streams.bench.cost import Cost
from streams.bench.failed import BenchFailed, last_words
from streams.bench.ranges import Traffic, Wave
from streams.lane import collector
from streams.lane.loops import new_event_loop
from streams.settings import Settings

END_SECONDS_MAX = 10.0


class Answer(Struct, frozen=True):
    """What a wave took, by what was measured, and what was read and written."""

    costs: dict[str, Cost]
    read: Traffic = Traffic()
    written: Traffic = Traffic()


AnswerWave = Callable[[Wave], Awaitable[Answer]]


class Helper:
    """Our end. Raises BenchFailed, with the process's last words, when it ends early."""

    def __init__(self, module: str, settings: Settings, folder: Path) -> None:
        self._command = [sys.executable, "-m", module, settings.bootstrap_servers, settings.prefix]
        self._log = folder / f"{module}.log"
        self._process: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> Self:
        with self._log.open("wb") as log:
            pipe = asyncio.subprocess.PIPE
            self._process = await asyncio.create_subprocess_exec(*self._command, stdin=pipe, stdout=pipe, stderr=log)
        return self

    async def ask(self, wave: Wave) -> Answer:
        """Have this wave done again."""
        process = self._process
        assert process is not None and process.stdin is not None and process.stdout is not None
        try:
            process.stdin.write(msgspec.json.encode(wave) + b"\n")
            await process.stdin.drain()
            return msgspec.json.decode(await process.stdout.readline(), type=Answer)
        except (OSError, msgspec.DecodeError):
            raise BenchFailed(f"{self._command[2]} ended; {last_words(self._log)}") from None

    async def __aexit__(
        self, _type: type[BaseException] | None, _value: BaseException | None, _tb: TracebackType | None
    ) -> None:
        process = self._process
        assert process is not None and process.stdin is not None
        process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), END_SECONDS_MAX)
        except TimeoutError:
            process.kill()
            await process.wait()


def answer_waves(opened: Callable[[Settings], AbstractAsyncContextManager[AnswerWave]]) -> None:
    """The process's end: the worker's loop and its collector, so that none of the rivals has a better or a worse one."""
    bootstrap_servers, prefix = sys.argv[1:]
    settings = Settings(bootstrap_servers, prefix)
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.run(_answer_waves(opened(settings)))


async def _answer_waves(opening: AbstractAsyncContextManager[AnswerWave]) -> None:
    async with opening as answer_wave:
        collector.make_rare()
        while line := await asyncio.to_thread(sys.stdin.buffer.readline):
            answer = await answer_wave(msgspec.json.decode(line, type=Wave))
            sys.stdout.buffer.write(msgspec.json.encode(answer) + b"\n")
            sys.stdout.buffer.flush()
