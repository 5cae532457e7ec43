"""A changelog of one partition without a broker, and what becomes of a local store when its process is gone.

Run with a folder and a seed it is that process: it keeps one random batch after the other until it is killed.
"""

import asyncio
import random
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from streams.lane.batch import Count
from streams.lane.stores import ChangelogFacts, Store
from streams.lane.stores import engine as engine_module
from streams.lane.stores.engine import Engine
from streams.lane.stores.rocks import RocksStore

DAY_MS = 86_400_000


@dataclass
class Changelog:
    """Committed records with their offsets. Each transaction ends in a marker, which takes an offset too."""

    log_id: str = "log-1"
    beginning: int = 0
    deletions_kept_ms: int | None = DAY_MS
    records: list[Any] = field(default_factory=list)
    end: int = 0

    def write(self, values: Mapping[bytes, bytes | None]) -> int:
        """One transaction; gives the offset that follows its last record."""
        for key, value in values.items():
            self.records.append(SimpleNamespace(offset=self.end, key=key, value=value))
            self.end += 1
        self.end += 1
        return self.end - 1

    def facts(self, at: float = 0.0) -> ChangelogFacts:
        return ChangelogFacts(self.log_id, self.beginning, self.end, self.deletions_kept_ms, at)

    def table(self, before: int | None = None) -> dict[bytes, bytes]:
        """What the records before an offset make, or all of them."""
        table = {each.key: each.value for each in self.records if before is None or each.offset < before}
        return {key: value for key, value in table.items() if value is not None}


async def taken_over(store: Store, changelog: Changelog, at: float = 0.0) -> int:
    """Bring a store to what is committed, as the loader does; gives the number of records it had to read."""
    return await read_on(store, changelog, store.begin(changelog.facts(at)))


async def read_on(store: Store, changelog: Changelog, start: int) -> int:
    """The same from where a store that has begun wants it read."""
    facts = changelog.facts()
    unread = [each for each in changelog.records if each.offset >= max(start, facts.beginning)]
    for begin in range(0, len(unread), 3):
        store.follow(unread[begin : begin + 3])
    await store.complete(facts.end)
    return len(unread)


def rocks(folder: Path, count: Count | None = None, engine: Engine | None = None) -> RocksStore:
    return RocksStore(folder / "people" / "0", engine or Engine(), "table people[0]", count)


def keep(
    store: Store, changelog: Changelog, values: Mapping[bytes, bytes | None], counted: int = 0, at: float = 0.0
) -> None:
    """A batch: committed to the changelog, then kept."""
    store.keep(values, counted, changelog.write(values), at)


def killed(folder: Path, corpse: Path) -> Path:
    """What a `kill -9` now would leave of a data folder: its files as they are, whatever is in memory gone.

    For stores that hold so little that nothing is on its way to the disk; else the copy would be of no one moment.
    """
    return shutil.copytree(folder, corpse)


def asked(keys: Iterable[bytes]) -> list[Any]:
    """A batch's records, as far as a store looks at them."""
    return [SimpleNamespace(key=key) for key in keys]


def number_in(value: bytes) -> int:
    """A count for tests: every value is a number."""
    return int(value)


def random_batches(seed: int) -> Iterator[dict[bytes, bytes | None]]:
    """Without end, and the same for the same seed."""
    source = random.Random(seed)
    while True:
        keys = [b"%d" % source.randrange(2_000) for _ in range(20)]
        yield {key: None if source.random() < 0.1 else source.randbytes(900) for key in keys}


async def keep_until_killed(folder: Path, seed: int) -> None:
    """Small buffers, so that files are written, merged and deleted all the time. Says how many batches it has kept."""
    engine_module.BUFFER_BYTES = 64 * 1024
    store, changelog = rocks(folder), Changelog()
    await taken_over(store, changelog)
    for number, batch in enumerate(random_batches(seed), 1):
        keep(store, changelog, batch)
        print(number, flush=True)


if __name__ == "__main__":
    asyncio.run(keep_until_killed(Path(sys.argv[1]), int(sys.argv[2])))
