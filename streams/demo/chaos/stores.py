"""Strikes on a worker's local stores: no room on disk, and files that are not what was written."""

from __future__ import annotations

import asyncio
import random
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from streams.demo.chaos.scene import READY, Scene, Worker

ROOM_BYTES = (4_096, 65_536, 1_048_576)
"""How large a file can become on the full disk: too small to open a store; to write much of it; to write all of it."""
FULL_SECONDS_MAX = 60.0
WRITING_SECONDS = (0.5, 2.0)
BURST = (200, 600)
DAMAGED_FILES_MAX = 4
DAMAGED_KINDS = frozenset({"sst", "MANIFEST", "CURRENT", "OPTIONS"})
"""Values; the list of files; which list is current; how it was opened. RocksDB has others, which it does not read."""
FLIPPED_BYTES_MAX = 16
ENDS = (signal.SIGTERM, signal.SIGKILL)
FULL_DISK_WORDS = ("File too large", "No space left on device")


async def fill_disk(scene: Scene) -> bool:
    """It is stopped, and finds no room when it comes back, or no more when it writes; then there is room again."""
    worker = scene.any_worker(scene.with_stores())
    member, command = worker.member, worker.member.command
    heard = member.log_bytes
    with scene.excused(worker):
        await scene.fleet.hold(member, scene.random.choice(ENDS))
        room = str(scene.random.choice(ROOM_BYTES))
        member.command = [sys.executable, "-m", "streams.demo.chaos.small_disk", room, *command]
        member.may_start.set()
        scene.burst(scene.random.randint(*BURST))
        await scene.until(lambda: _has_met_its_limit(scene, worker, heard), FULL_SECONDS_MAX)
        await asyncio.sleep(scene.random.uniform(*WRITING_SECONDS))
        await scene.fleet.hold(member, signal.SIGTERM)  # one that got so far brings to disk what it can
        member.command = command
        member.may_start.set()
        await scene.until_settled("its disk was full")
    return _is_full(worker, heard)


def _is_full(worker: Worker, heard: int) -> bool:
    said = worker.member.said_since(heard)
    return any(words in said for words in FULL_DISK_WORDS)


async def _has_met_its_limit(scene: Scene, worker: Worker, heard: int) -> bool:
    """Or is at work, and will meet it when it has to write."""
    return _is_full(worker, heard) or await scene.says(worker) == READY


async def damage(scene: Scene) -> bool:
    """It is stopped, some of its files are damaged, and it is started on them."""
    worker = scene.any_worker(scene.with_stores())
    assert worker.data_folder is not None
    with scene.excused(worker):
        await scene.fleet.hold(worker.member, signal.SIGTERM)  # which writes to disk whatever was in memory
        files = [path for path in sorted(worker.data_folder.rglob("*")) if _kind(path) in DAMAGED_KINDS]
        chosen = scene.random.sample(files, min(scene.random.randint(1, DAMAGED_FILES_MAX), len(files)))
        for path in chosen:
            damaging = scene.random.choice(DAMAGES)
            damaging(path, scene.random)
            scene.details[f"{damaging.__name__} {_kind(path)}"] += 1
        worker.member.may_start.set()
        scene.burst(scene.random.randint(*BURST))
        await scene.until_settled("its stores were damaged")
    return bool(chosen)


# -- Damages ---------------------------------------------------------------------------------------------------------


def flip(path: Path, rng: random.Random) -> None:
    """Some bytes are others."""
    content = bytearray(path.read_bytes())
    for _ in range(rng.randint(1, FLIPPED_BYTES_MAX)):
        content[rng.randrange(len(content))] ^= rng.randint(1, 255)
    path.write_bytes(content)


def truncate(path: Path, rng: random.Random) -> None:
    """The end is missing."""
    content = path.read_bytes()
    path.write_bytes(content[: rng.randrange(len(content))])


def blank(path: Path, rng: random.Random) -> None:
    """From some place on there is nothing but zeros, as after a power cut."""
    content, begin = path.read_bytes(), rng.randrange(path.stat().st_size)
    path.write_bytes(content[:begin] + bytes(len(content) - begin))


def remove(path: Path, rng: random.Random) -> None:
    """The file is not there."""
    path.unlink()


DAMAGES: tuple[Callable[[Path, random.Random], None], ...] = (flip, truncate, blank, remove)


def _kind(path: Path) -> str:
    """What RocksDB calls such a file."""
    return path.suffix.lstrip(".") or path.name.partition("-")[0]
