"""A subject that is away: ended and started anew, or, where it cannot be, standing still."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from streams.bench.subject import Subject

COUNTING = "import time\nfor n in range(10**9): print(n, flush=True); time.sleep(0.001)"
DEADLINE_SECONDS = 20.0


async def attended() -> bool:
    return True


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(DEADLINE_SECONDS):
        while not holds():
            await asyncio.sleep(0.01)


def size_of(log: Path) -> int:
    return log.stat().st_size


def state_of(pid: int) -> str:
    """As proc(5) tells it: `T` for a process that stands still, nothing for one that is no more."""
    found = Path(f"/proc/{pid}/stat")
    return found.read_text(encoding="ascii").rpartition(")")[2].split()[0] if found.exists() else ""


@pytest.mark.skipif(sys.platform != "linux", reason="states of processes are read from Linux's /proc")
@pytest.mark.parametrize("can_restart", [True, False])
async def test_a_subject_is_away_and_comes_back(tmp_path: Path, can_restart: bool) -> None:
    """One that cannot be started anew is the same process before and after, and says nothing in between."""
    command, log = [sys.executable, "-c", COUNTING], tmp_path / "log"
    async with Subject("s", command, tmp_path, where=None, profiled=False, can_restart=can_restart) as subject:
        await until(lambda: size_of(log) > 0)
        before = subject._process
        assert before is not None
        async with subject.away(attended):
            await until(lambda: state_of(before.pid) == ("" if can_restart else "T"))
            said = size_of(log)
        await until(lambda: size_of(log) > said)
        assert (subject._process is before) is not can_restart
