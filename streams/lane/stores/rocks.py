"""A table partition in RocksDB, in a folder of its own that outlives the process.

What is in it: every key with its value, and under a key of our own the checkpoint. Both go in by one write, and RocksDB
keeps the order of writes: whatever part of them is found after a crash, it is all of them up to some batch, with that
batch's checkpoint.

Which durability is needed: none, so there is no write-ahead log. Writes stand in memory until a buffer is full, or for
FLUSH_SECONDS, and then go to disk as one file. What a `kill -9` or a power cut takes is the newest writes together with
their checkpoints, and an older checkpoint is as right as a newer one: a little more of the changelog is read. (Beside a
log, a list of files that has lost its end could be opened with a hole between the files and the log. Without one it
cannot: what such a list names is all there was at some earlier moment.)

Lookups cost microseconds, so those of a batch are made together. Nothing else is kept at hand: what was written a moment
ago is still in RocksDB's own memory, and a cache of values before it saved no time where it was tried.
"""

import asyncio
import contextlib
import logging
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from msgspec.structs import replace
from rocksdict import WriteBatch

from streams.lane.batch import Count, Record
from streams.lane.stores.checkpoint import (
    Checkpoint,
    UnusableCheckpointError,
    decode_checkpoint,
    encode_checkpoint,
    reason_for_doubt,
)
from streams.lane.stores.engine import Engine, advice
from streams.lane.stores.store import ChangelogFacts, StoreError, Writes

log = logging.getLogger(__name__)

CHECKPOINT_KEY = b"\xff\xffcheckpoint"  # not UTF-8, so no key of a message that anybody accepts
FLUSH_SECONDS = 300.0
WIPED_SUFFIX = ".wiped"
SLICE_VALUES = 5_000
LOOKUPS_PER_WALKED = 5  # one value is looked up in the time in which about so many are walked past


class RocksStore:
    """`name` is the table partition, for people to read; `count` is summed over all values."""

    lasting = True

    def __init__(self, folder: Path, engine: Engine, name: str, count: Count | None = None) -> None:
        self._folder, self._engine, self._name, self._count = folder, engine, name, count
        self._db: Any = None
        self._checkpoint = Checkpoint(log_id="", offset=0, at=0.0)
        self._began_at = 0.0
        self._flushing: asyncio.TimerHandle | None = None

    @property
    def counted(self) -> int | None:
        return self._checkpoint.counted

    # -- Taking over -----------------------------------------------------------------------------------------------

    def begin(self, facts: ChangelogFacts) -> int:
        """Open it; where what is found cannot be trusted, wipe it and say so in one line."""
        found, doubt = self._found(facts)
        if found is None:
            if doubt is not None:
                log.warning("%s: the local store %s is wiped and read anew: %s", self._name, self._folder, doubt)
            self._wipe()
            with self._told("opened"):
                self._db = self._engine.open(self._folder)
            found = Checkpoint(log_id=facts.log_id or "", offset=facts.beginning, at=facts.at)
        if self._count is None or self._is_walk_cheaper(facts.end - found.offset):
            found = replace(found, counted=None)
        self._checkpoint, self._began_at = found, facts.at
        return found.offset

    def _found(self, facts: ChangelogFacts) -> tuple[Checkpoint | None, str | None]:
        """The checkpoint to go on from, if there is one; and where there should be one, why not."""
        try:
            self._db = self._engine.open(self._folder)
            encoded = self._db.get(CHECKPOINT_KEY)
            if encoded is None:
                is_empty = next(iter(self._db.keys()), None) is None
                return None, None if is_empty else "it has no checkpoint"
            checkpoint = decode_checkpoint(encoded)
        except UnusableCheckpointError as error:
            return None, str(error)
        except Exception as error:
            if advice(error) is not None:
                raise self._failure("opened", error) from error
            return None, str(error)
        doubt = reason_for_doubt(checkpoint, facts)
        return (checkpoint, None) if doubt is None else (None, doubt)

    def _is_walk_cheaper(self, unread: int) -> bool:
        """To count all values at the end, instead of looking up what each unread record replaces."""
        return unread * LOOKUPS_PER_WALKED > int(self._db.property_int_value("rocksdb.estimate-num-keys") or 0)

    def follow(self, records: Sequence[Any]) -> None:
        latest = {record.key: record.value for record in records}
        counted = self.counted
        if counted is not None:
            counted += self._difference(latest)
        self._write(latest, replace(self._checkpoint, offset=records[-1].offset + 1, counted=counted))

    def _difference(self, latest: Writes) -> int:
        """By how much these values change the sum of the count."""
        assert self._count is not None
        with self._told("read"):
            former = self._db.get(list(latest))
        return sum(map(self._count, filter(None, latest.values()))) - sum(map(self._count, filter(None, former)))

    async def complete(self, end: int) -> None:
        counted = self.counted
        if counted is None and self._count is not None:
            counted = await self._walk(self._count)
        self._write({}, replace(self._checkpoint, offset=end, at=self._began_at, counted=counted))

    async def _walk(self, count: Count) -> int:
        counted = 0
        for number, (_, value) in enumerate(self.items()):
            counted += count(value)
            if number % SLICE_VALUES == 0:
                await asyncio.sleep(0)
        return counted

    # -- Batches ---------------------------------------------------------------------------------------------------

    def table(self, records: Sequence[Record]) -> Mapping[bytes, bytes]:
        keys = list({record.key for record in records if record.key is not None} - {CHECKPOINT_KEY})
        with self._told("read"):
            values = self._db.get(keys)
        return MappingProxyType({key: value for key, value in zip(keys, values, strict=True) if value is not None})

    def keep(self, writes: Writes, counted: int, next_offset: int | None, at: float) -> None:
        checkpoint = self._checkpoint
        if checkpoint.counted is not None:
            checkpoint = replace(checkpoint, counted=checkpoint.counted + counted)
        if next_offset is not None:
            checkpoint = replace(checkpoint, offset=next_offset, at=at)
        self._write(writes, checkpoint)

    def _write(self, values: Writes, checkpoint: Checkpoint) -> None:
        """Values and their checkpoint, in one step."""
        if CHECKPOINT_KEY in values:
            raise StoreError(f"the key {CHECKPOINT_KEY!r} is the store's own")
        batch = WriteBatch(raw_mode=True)
        for key, value in values.items():
            if value is None:
                del batch[key]
            else:
                batch[key] = value
        batch[CHECKPOINT_KEY] = encode_checkpoint(checkpoint)
        with self._told("written"):
            self._db.write(batch, self._engine.unlogged)
        self._checkpoint = checkpoint
        if self._flushing is None:
            self._flushing = asyncio.get_running_loop().call_later(FLUSH_SECONDS, self._flush)

    def _flush(self) -> None:
        """Begin to bring to disk what is in memory. That it failed will be told by the next write."""
        self._flushing = None
        with contextlib.suppress(Exception):
            self._db.flush(wait=False)

    # -- Looking in, letting go ------------------------------------------------------------------------------------

    def get(self, key: bytes) -> bytes | None:
        with self._told("read"):
            value: bytes | None = None if key == CHECKPOINT_KEY else self._db.get(key)
        return value

    def items(self) -> Iterator[tuple[bytes, bytes]]:
        """As they were when this began. RocksDB's walk ends at a broken block as if all had been seen, so its end is checked."""
        key = None
        with self._told("read"):
            last = self._db.iter()
            last.seek_to_last()
            last.status()
            for key, value in self._db.items():
                if key != CHECKPOINT_KEY:
                    yield key, value
            if key != (last.key() if last.valid() else None):
                raise Exception(f"Corruption: a walk ended at the key {key!r}")

    def __len__(self) -> int:
        return sum(1 for _ in self.items())

    def close(self) -> None:
        if self._flushing is not None:
            self._flushing.cancel()
            self._flushing = None
        db, self._db = self._db, None
        if db is None:
            return
        try:
            self._engine.close(db)
        except Exception as error:
            log.warning("the local store %s loses its last writes, which the changelog has: %s", self._folder, error)

    # -- What goes wrong -------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _told(self, doing: str) -> Iterator[None]:
        """RocksDB's errors as ours."""
        try:
            yield
        except Exception as error:
            if (
                type(error) is not Exception
            ):  # rocksdict raises nothing finer for RocksDB's; anything else is a fault of ours
                raise
            raise self._failure(doing, error) from error

    def _failure(self, doing: str, error: Exception) -> StoreError:
        """The error that ends the process. What is broken must not meet the next one: that would never end."""
        what = advice(error)
        if what is None:
            self._wipe()
            what = "it has been removed, to be read anew"
        return StoreError(f"the local store {self._folder} cannot be {doing}: {error}; {what}")

    def _wipe(self) -> None:
        """Renamed first, so that a crash in the middle leaves nothing that looks like a store."""
        doomed = self._folder.with_name(self._folder.name + WIPED_SUFFIX)
        db, self._db = self._db, None
        if db is not None:
            with contextlib.suppress(Exception):
                self._engine.close(db)
        try:
            if doomed.exists():
                shutil.rmtree(doomed)
            if self._folder.exists():
                self._folder.rename(doomed)
                shutil.rmtree(doomed)
        except OSError as error:
            raise StoreError(f"the local store {self._folder} cannot be removed: {error}") from error
