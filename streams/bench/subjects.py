"""What can be measured, by name: the subjects, and the helpers that do again what `worker_memory` did.

`leadsync worker` with either store is there wherever leadsync is. The two yardsticks, the same merge as a plain Faust agent
and on Quix Streams, stand in `tests/bench/` of a checkout, beside the package `streams`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import streams
from streams.bench.load import Load
from streams.bench.subject import Subject
from streams.cli import worker
from streams.settings import Settings

WORKER = "worker_memory"
ROCKSDB = "worker_rocksdb"
CHECKOUT = Path(streams.__file__).parents[1]


class Start(NamedTuple):
    """What a subject's process is started with."""

    settings: Settings
    policy_file: Path
    folder: Path
    profile: Path | None = None


class Sort(NamedTuple):
    """One kind of subject."""

    command: Callable[[Start], list[str]]
    missing: Callable[[], str | None]
    smaller: int = 1  # how many times fewer people and edits it gets than the worker
    where: Path | None = None
    can_restart: bool = True  # where it cannot, a backlog finds it standing still


def _worker(start: Start, *more: str) -> list[str]:
    settings = start.settings
    module = ["streams"] if start.profile is None else ["streams.bench.profiled", str(start.profile)]
    return [
        sys.executable, "-m", *module, "worker", "--bootstrap-servers", settings.bootstrap_servers,
        "--prefix", settings.prefix, "--policy", str(start.policy_file), "--port", "0", "--log-level", "WARNING", *more,
    ]  # fmt: skip


def _worker_with_a_store(start: Start) -> list[str]:
    return _worker(start, "--store", "rocksdb", "--data-folder", str(start.folder / "store"))


def _store_missing() -> str | None:
    there = any("--store" in parameter.opts for parameter in worker.params)
    return None if there else "`leadsync worker` has no option --store"


def _yardstick(module: str, smaller: int, library: str | None = None, *, can_restart: bool = True) -> Sort:
    def command(start: Start) -> list[str]:
        settings = start.settings
        places = (settings.bootstrap_servers, settings.prefix, str(start.policy_file), str(start.folder))
        return [sys.executable, "-m", f"tests.bench.{module}", *places]

    def missing() -> str | None:
        if not (CHECKOUT / "tests" / "bench" / f"{module}.py").is_file():
            return f"tests/bench/{module}.py is not beside the package: run it from a checkout"
        if library is not None and find_spec(library) is None:
            return f"{library} is not installed: it stands in requirements-dev.lock"
        return None

    return Sort(command, missing, smaller, CHECKOUT, can_restart)


SUBJECTS: Mapping[str, Sort] = {
    WORKER: Sort(_worker, lambda: None),
    ROCKSDB: Sort(_worker_with_a_store, _store_missing),
    "plain_faust": _yardstick("plain_faust", 20, can_restart=False),  # Faust's own recovery can pass events over
    "quix": _yardstick("quix", 4, "quixstreams"),
}

HELPERS: Mapping[str, tuple[str, ...]] = {
    "streams.bench.floor": ("floor",),
    "streams.bench.core": ("core", "core_and_codecs"),
}
"""Module -> what it measures."""

HELPED = tuple(name for names in HELPERS.values() for name in names)

WORDS: Mapping[str, str] = {
    "floor": "the floor: aiokafka moving the same messages",
    WORKER: "the worker, tables in memory",
    ROCKSDB: "the worker, tables in RocksDB",
    "core_and_codecs": "its agents without a broker",
    "core": "the core alone",
    "plain_faust": "the same merge, a plain Faust agent",
    "quix": "the same merge on Quix Streams",
}
"""Everything that is measured, in the order of the table."""


def missing(name: str) -> str | None:
    """Why this cannot be measured here, in a line; None where it can."""
    sort = SUBJECTS.get(name)
    return None if sort is None else sort.missing()


def sizes_of(name: str, load: Load) -> Load:
    """How large a load is for this subject."""
    return load.smaller(SUBJECTS[name].smaller)


def subject_of(name: str, start: Start) -> Subject:
    """The process, not yet started."""
    sort, profiled = SUBJECTS[name], start.profile is not None
    command = sort.command(start)
    return Subject(name, command, start.folder, where=sort.where, profiled=profiled, can_restart=sort.can_restart)
