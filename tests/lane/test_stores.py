"""A local store follows its changelog: what it shows is what was committed, whatever became of its process or its files."""

import asyncio
import logging
import random
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from streams.lane import LaneError, LaneSettings
from streams.lane.batch import Count
from streams.lane.stores import MemoryStore, Store, StoreError, stores_of
from streams.lane.stores import engine as engine_module
from streams.lane.stores import rocks as rocks_module
from streams.lane.stores.checkpoint import FORMAT, Checkpoint, decode_checkpoint, encode_checkpoint
from streams.lane.stores.engine import Engine
from streams.lane.stores.rocks import CHECKPOINT_KEY, RocksStore
from tests.lane.local_stores import (
    Changelog,
    asked,
    keep,
    killed,
    number_in,
    random_batches,
    read_on,
    rocks,
    taken_over,
)

HOUR = 3_600.0


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "not yet" / "there"


@pytest.fixture
def changelog() -> Changelog:
    return Changelog()


@pytest.fixture
def small_buffers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is written reaches the disk soon, in many files."""
    monkeypatch.setattr(engine_module, "BUFFER_BYTES", 64 * 1024)


# -- One suite for both ------------------------------------------------------------------------------------------------


@pytest.fixture(params=["memory", "rocksdb"])
def store(request: pytest.FixtureRequest, folder: Path, small_buffers: None) -> Iterator[Store]:
    made: Store = MemoryStore() if request.param == "memory" else rocks(folder)
    yield made
    made.close()


async def test_a_store_shows_what_was_committed_last(store: Store, changelog: Changelog) -> None:
    """Read from the changelog, or kept after a batch; overwritten and deleted, too."""
    changelog.write({b"a": b"1", b"b": b"1", b"c": b"1", b"d": b"1"})
    changelog.write({b"a": b"2", b"b": None})
    assert await taken_over(store, changelog) == 6
    keep(store, changelog, {b"c": b"3", b"d": None, b"e": b"3"})
    assert dict(store.items()) == {b"a": b"2", b"c": b"3", b"e": b"3"} and len(store) == 3
    assert [store.get(key) for key in (b"a", b"b", b"e")] == [b"2", None, b"3"]


async def test_the_table_of_a_batch_holds_the_keys_of_its_records(store: Store, changelog: Changelog) -> None:
    """As they were before the batch; it takes no writes; a record without a key is nobody's."""
    changelog.write({b"a": b"1", b"b": b"1"})
    await taken_over(store, changelog)
    for value in (b"1", b"2", b"3"):
        table = store.table(asked([b"a", b"a", b"new", None]))  # type: ignore[list-item]
        assert (table.get(b"a"), table.get(b"new")) == (value, None)
        with pytest.raises(TypeError):
            table[b"a"] = b"other"  # type: ignore[index]
        keep(store, changelog, {b"a": b"%d" % (int(value) + 1)})


async def test_a_store_that_was_never_written_to_is_empty(store: Store, changelog: Changelog) -> None:
    """A new table has nothing to read."""
    assert await taken_over(store, changelog) == 0
    assert dict(store.items()) == {} and store.table(asked([b"a"])).get(b"a") is None


async def test_random_batches_and_lookups_end_in_the_table_of_the_changelog(store: Store, changelog: Changelog) -> None:
    """Wherever what is looked up happens to be."""
    source = random.Random(5)
    keys = [b"key-%d" % number for number in range(60)]
    await taken_over(store, changelog)
    for _ in range(300):
        chosen = source.sample(keys, source.randint(1, 12))
        table, expected = store.table(asked(chosen)), changelog.table()
        assert {key: table.get(key) for key in chosen} == {key: expected.get(key) for key in chosen}
        keep(store, changelog, {key: None if source.random() < 0.2 else source.randbytes(900) for key in chosen})
    assert dict(store.items()) == changelog.table()


# -- Warm returns ------------------------------------------------------------------------------------------------------


async def test_a_store_goes_on_at_its_checkpoint(
    folder: Path, changelog: Changelog, caplog: pytest.LogCaptureFixture
) -> None:
    """What it holds is not read again, what came since is, and nothing is said."""
    store = rocks(folder)
    changelog.write({b"a": b"1", b"b": b"1"})
    assert await taken_over(store, changelog) == 2
    keep(store, changelog, {b"a": b"2"})
    store.close()
    changelog.write({b"b": None, b"c": b"3"})  # by whoever held the partition meanwhile
    again = rocks(folder)
    assert await taken_over(again, changelog) == 2
    assert dict(again.items()) == {b"a": b"2", b"c": b"3"}
    again.close()
    last = rocks(folder)
    assert await taken_over(last, changelog) == 0
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]
    last.close()


@pytest.mark.parametrize("batches", [1, 3, 40, 400, 900])
async def test_what_a_kill_leaves_is_everything_up_to_some_batch_and_says_up_to_which(
    folder: Path, changelog: Changelog, batches: int
) -> None:
    """Never a value without those before it, never a checkpoint ahead of its values: the rest is read, and all is there."""
    command = [sys.executable, "-m", "tests.lane.local_stores", str(folder), str(batches)]
    process = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE, cwd=Path(__file__).parents[2])
    assert process.stdout is not None
    async with asyncio.timeout(30):
        said = [await process.stdout.readline() for _ in range(batches)][-1]
        process.kill()
        said = [said, *(await process.stdout.read()).splitlines()][-1]
        await process.wait()
    for batch in islice(random_batches(batches), int(said) + 1):  # it may have died between keeping one and saying so
        changelog.write(batch)
    left = rocks(folder)
    start = left.begin(changelog.facts())
    assert dict(left.items()) == changelog.table(before=start)
    await read_on(left, changelog, start)
    assert dict(left.items()) == changelog.table()
    left.close()
    closed = rocks(folder)
    assert closed.begin(changelog.facts()) == changelog.end, "a store that was closed lacks nothing"
    closed.close()


async def test_the_last_writes_reach_the_disk_within_minutes(
    folder: Path, tmp_path: Path, changelog: Changelog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a quiet partition's checkpoint would stay as old as its process."""
    monkeypatch.setattr(rocks_module, "FLUSH_SECONDS", 0.02)
    store = rocks(folder)
    await taken_over(store, changelog)
    keep(store, changelog, {b"a": b"1"})
    async with asyncio.timeout(10):
        for attempt in range(10_000):
            await asyncio.sleep(0.02)
            left = rocks(killed(folder, tmp_path / f"corpse {attempt}"))
            start = left.begin(changelog.facts())
            left.close()
            if start == changelog.end - 1:
                break
    store.close()


async def test_a_load_that_is_interrupted_goes_on_where_it_was(folder: Path, changelog: Changelog) -> None:
    """Each piece of the changelog is taken with its own checkpoint."""
    for number in range(9):
        changelog.write({b"%d" % number: b"1"})
    store = rocks(folder)
    store.begin(changelog.facts())
    store.follow(changelog.records[:6])
    store.close()
    again = rocks(folder)
    assert await taken_over(again, changelog) == 3
    assert dict(again.items()) == changelog.table()
    again.close()


async def test_an_offset_that_the_broker_did_not_tell_leaves_the_checkpoint_where_it_was(
    folder: Path, changelog: Changelog
) -> None:
    """The batch is read again then, to the same end."""
    store = rocks(folder)
    await taken_over(store, changelog)
    keep(store, changelog, {b"a": b"1"})
    changelog.write({b"a": b"2"})
    store.keep({b"a": b"2"}, 0, None, 0.0)
    assert store.get(b"a") == b"2"
    store.close()
    again = rocks(folder)
    assert await taken_over(again, changelog) == 1
    assert again.get(b"a") == b"2"
    again.close()


# -- What is not trusted -----------------------------------------------------------------------------------------------


def recreated(changelog: Changelog) -> None:
    changelog.log_id = "log-2"


def shortened(changelog: Changelog) -> None:
    changelog.records, changelog.end = changelog.records[:1], 1


def cut(changelog: Changelog) -> None:
    changelog.write({b"lost": b"1"})
    changelog.beginning = changelog.end
    changelog.records.clear()
    changelog.write({b"after": b"1"})


def unnamed(changelog: Changelog) -> None:
    changelog.log_id = None  # type: ignore[assignment]


def silent(changelog: Changelog) -> None:
    changelog.deletions_kept_ms = None
    changelog.write({b"after": b"1"})


def long_ago(changelog: Changelog) -> None:
    changelog.deletions_kept_ms = int(HOUR * 1000)
    changelog.write({b"after": b"1"})


@pytest.mark.parametrize(
    ("meanwhile", "reason"),
    [
        (recreated, "it belongs to the log log-1, and this one is log-2"),
        (shortened, "its checkpoint 2 lies after the end of the log, 1"),
        (cut, "its checkpoint 3 lies before the beginning of the log, 5"),
        (unnamed, "the broker gives its changelog no id"),
        (silent, "the broker does not tell for how long it keeps deletions"),
        (long_ago, "its checkpoint is 7200 seconds old, and deletions are only kept for 3600"),
    ],
)
async def test_a_checkpoint_in_doubt_is_no_checkpoint(
    folder: Path,
    changelog: Changelog,
    caplog: pytest.LogCaptureFixture,
    meanwhile: Callable[[Changelog], None],
    reason: str,
) -> None:
    """The store is wiped and read from the beginning of the log, and one warning says why."""
    store = rocks(folder)
    changelog.write({b"a": b"1", b"gone": b"1"})
    await taken_over(store, changelog)
    store.close()
    if meanwhile is shortened:
        keep_checkpoint_at(folder, changelog, 2)
    meanwhile(changelog)
    again = rocks(folder)
    assert await taken_over(again, changelog, at=2 * HOUR) == len(changelog.records)
    assert dict(again.items()) == changelog.table()
    assert [record.levelname for record in caplog.records] == ["WARNING"] and reason in caplog.text
    again.close()


def keep_checkpoint_at(folder: Path, changelog: Changelog, offset: int) -> None:
    store = rocks(folder)
    store.begin(changelog.facts())
    store._write({}, Checkpoint(log_id=changelog.log_id, offset=offset, at=0.0))
    store.close()


async def test_an_old_checkpoint_at_the_end_of_its_log_is_as_good_as_new(
    folder: Path, changelog: Changelog, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing was written since, so no deletion was missed: a quiet week-end costs nothing."""
    store = rocks(folder)
    await taken_over(store, changelog)
    keep(store, changelog, {b"a": b"1"})
    store.close()
    again = rocks(folder)
    assert await taken_over(again, changelog, at=72 * HOUR) == 0
    assert not caplog.records and again.get(b"a") == b"1"
    again.close()


async def test_a_checkpoint_from_the_future_is_not_trusted(
    folder: Path, changelog: Changelog, caplog: pytest.LogCaptureFixture
) -> None:
    """The clock was put back, and nobody knows by how much it was wrong."""
    store = rocks(folder)
    await taken_over(store, changelog, at=5 * HOUR)
    store.close()
    changelog.write({b"a": b"1", b"b": b"1"})
    again = rocks(folder)
    await taken_over(again, changelog, at=HOUR)
    assert "its checkpoint is -14400 seconds old" in caplog.text
    again.close()


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        (b'{"format":%d,"log_id":"log-1","offset":3,"at":0.0}' % (FORMAT + 1), f"its format is {FORMAT + 1}, and here"),
        (b"\xff\xfe\x00", "its checkpoint cannot be read"),
        (b'{"format":%d,"log_id":"log-1"}' % FORMAT, "its checkpoint cannot be read"),
        (None, "it has no checkpoint"),
    ],
)
async def test_what_another_version_wrote_is_wiped(
    folder: Path, changelog: Changelog, caplog: pytest.LogCaptureFixture, written: bytes | None, reason: str
) -> None:
    """Or nobody; in both directions of an upgrade."""
    store = rocks(folder)
    changelog.write({b"a": b"1"})
    await taken_over(store, changelog)
    if written is None:
        store._db.delete(CHECKPOINT_KEY)
    else:
        store._db[CHECKPOINT_KEY] = written
    store.close()
    again = rocks(folder)
    assert await taken_over(again, changelog) == 1
    assert caplog.text.count("is wiped and read anew") == 1 and reason in caplog.text
    again.close()


def test_a_checkpoint_reads_back_as_written() -> None:
    """And is told from anything else by its format."""
    checkpoint = Checkpoint(log_id="id", offset=7, at=1.5, counted=3)
    assert decode_checkpoint(encode_checkpoint(checkpoint)) == checkpoint


# -- Broken files ------------------------------------------------------------------------------------------------------


def halved(file: Path) -> None:
    with file.open("r+b") as opened:
        opened.truncate(file.stat().st_size // 2)


def emptied(file: Path) -> None:
    file.write_bytes(b"")


def garbled(file: Path) -> None:
    with file.open("r+b") as opened:
        opened.seek(file.stat().st_size // 3)
        opened.write(random.Random(1).randbytes(max(1, file.stat().st_size // 3)))


def overwritten(file: Path) -> None:
    file.write_bytes(random.Random(2).randbytes(file.stat().st_size))


@pytest.mark.parametrize("break_it", [halved, emptied, garbled, overwritten, Path.unlink])
async def test_whatever_is_broken_in_a_store_it_ends_with_what_was_committed(
    folder: Path, tmp_path: Path, changelog: Changelog, small_buffers: None, break_it: Callable[[Path], None]
) -> None:
    """Each of its files in turn: it is as it was, or wiped and read anew, at once or at the first lookup that meets it."""
    store, noise = rocks(folder), random.Random(4)  # as large on disk as here: what is hit may be values only
    await taken_over(store, changelog)
    for number in range(40):
        keep(store, changelog, {b"%d" % n: noise.randbytes(800) for n in range(number * 4, number * 4 + 12)})
        if number % 8 == 0:
            store._db.flush()
    store.close()
    killed(folder, tmp_path / "whole")
    lives = []
    for file in sorted((tmp_path / "whole").rglob("*")):
        if file.is_dir():
            continue
        victim = shutil.copytree(tmp_path / "whole", tmp_path / "victim", dirs_exist_ok=False)
        break_it(victim / file.relative_to(tmp_path / "whole"))
        lives.append(await lives_with_a_broken_file(victim, changelog, file.name))
        shutil.rmtree(victim)
    assert {"at once", "at a lookup"} <= set(lives) if break_it is garbled else "at once" in lives


async def lives_with_a_broken_file(folder: Path, changelog: Changelog, name: str) -> str:
    """Start the store, and start it again where it ended the process, as a supervisor does; when it was missed, if ever."""
    for attempt in range(3):
        store, ended = rocks(folder), False
        try:
            read = await taken_over(store, changelog)
            table = store.table(asked(changelog.table()))
            assert dict(table) == changelog.table() == dict(store.items()), name
        except StoreError as error:
            ended = True
            assert str(folder) in str(error) and "to be read anew" in str(error), name
        finally:
            store.close()
        if not ended:
            return "at a lookup" if attempt else "at once" if read == len(changelog.records) else ""
    raise AssertionError(f"{name}: a crash loop")


async def test_a_table_that_cannot_be_walked_to_its_end_says_so(folder: Path, changelog: Changelog) -> None:
    """RocksDB's plain iterators end at a broken block as if there were nothing behind it; a count must not."""
    store = rocks(folder)
    await taken_over(store, changelog)
    keep(store, changelog, {b"%05d" % n: random.Random(n).randbytes(300) for n in range(500)})
    store.close()
    (data,) = (folder / "people" / "0").glob("*.sst")
    garbled(data)
    again = rocks(folder)
    again.begin(changelog.facts())
    with pytest.raises(StoreError, match="cannot be read"):
        len(again)
    again.close()


# -- The machine at fault ----------------------------------------------------------------------------------------------


class FullDisk:
    """A database whose writes fail as RocksDB's do."""

    def __init__(self, db: Any) -> None:
        self._db = db

    def __getattr__(self, name: str) -> Any:
        return getattr(self._db, name)

    def write(self, *_: Any) -> None:
        raise Exception("IO error: No space left on device: While appending to file: 000012.sst")


async def test_a_full_disk_is_told_with_its_folder_and_loses_nothing(
    folder: Path, changelog: Changelog, caplog: pytest.LogCaptureFixture
) -> None:
    """The batch is committed; the process ends; with room again, the store goes on at its checkpoint."""
    store = rocks(folder)
    changelog.write({b"a": b"1"})
    await taken_over(store, changelog)
    store._db, whole = FullDisk(store._db), store._db
    with pytest.raises(StoreError, match=rf"{folder}.* cannot be written: .*No space left.*; make room"):
        keep(store, changelog, {b"a": b"2"})
    store._db = whole
    store.close()
    again = rocks(folder)
    assert await taken_over(again, changelog) == 1
    assert again.get(b"a") == b"2" and not caplog.records
    again.close()


async def test_a_folder_that_cannot_be_written_to_is_not_wiped(folder: Path, changelog: Changelog) -> None:
    """Wiping would mend nothing, so the process ends with what to do."""

    class NoRoom(Engine):
        def open(self, folder: Path) -> Any:
            raise Exception("IO error: No space left on device: While open a file for appending: MANIFEST-000009")

    store = rocks(folder)
    changelog.write({b"a": b"1"})
    await taken_over(store, changelog)
    store.close()
    with pytest.raises(StoreError, match=r"cannot be opened.*make room"):
        rocks(folder, engine=NoRoom()).begin(changelog.facts())
    again = rocks(folder)
    assert await taken_over(again, changelog) == 0
    again.close()


async def test_a_store_that_another_process_has_open_is_left_alone(folder: Path, changelog: Changelog) -> None:
    """Two workers on one folder: the second ends, and says what to do."""
    first, second = rocks(folder), rocks(folder)
    await taken_over(first, changelog)
    with pytest.raises(StoreError, match="give each worker a data folder of its own"):
        second.begin(changelog.facts())
    keep(first, changelog, {b"a": b"1"})
    first.close()


async def test_an_error_of_ours_is_not_taken_for_one_of_the_files(folder: Path, changelog: Changelog) -> None:
    """It shows as it is, and nothing is wiped for it."""
    store = rocks(folder)
    await taken_over(store, changelog)
    with pytest.raises(KeyError):
        store.keep({"text": b"1"}, 0, 1, 0.0)  # type: ignore[dict-item]
    with pytest.raises(StoreError, match="the store's own"):
        store.keep({CHECKPOINT_KEY: b"1"}, 0, 1, 0.0)
    keep(store, changelog, {b"a": b"1"})
    assert store.get(b"a") == b"1" and store.get(CHECKPOINT_KEY) is None
    store.close()


# -- The count ---------------------------------------------------------------------------------------------------------


async def test_the_count_is_kept_with_the_table(
    folder: Path, changelog: Changelog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the changelog, from batches, over restarts: it is the sum over the values, and where little came nobody walks them."""
    source, walk, walks = random.Random(3), RocksStore._walk, []

    async def told_walk(store: RocksStore, count: Count) -> int:
        walks.append(life)
        return await walk(store, count)

    monkeypatch.setattr(RocksStore, "_walk", told_walk)

    def batch() -> dict[bytes, bytes | None]:
        chosen = source.sample(range(400), 5)
        return {b"%d" % key: None if source.random() < 0.3 else b"%d" % source.randrange(5) for key in chosen}

    for _ in range(30):
        changelog.write(batch())
    for life in range(6):
        store = rocks(folder, number_in)
        await taken_over(store, changelog)
        assert store.counted == total(changelog)
        for _ in range(10):
            before, values = total(changelog), batch()
            offset = changelog.write(values)
            store.keep(values, total(changelog) - before, offset, 0.0)
            assert store.counted == total(changelog)
        store.close()
        for _ in range(life * life):  # by somebody else: first little, then more than it pays to look up one by one
            changelog.write(batch())
    assert walks[0] == 0 and walks[-1] == 5 and 2 not in walks


def total(changelog: Changelog) -> int:
    return sum(map(number_in, changelog.table().values()))


async def test_a_table_without_a_count_has_none(folder: Path, changelog: Changelog) -> None:
    """And one whose former count was another's is counted anew."""
    store = rocks(folder)
    changelog.write({b"a": b"4"})
    await taken_over(store, changelog)
    assert store.counted is None
    store.close()
    again = rocks(folder, number_in)
    await taken_over(again, changelog)
    assert again.counted == 4
    again.close()


# -- The folder --------------------------------------------------------------------------------------------------------


def test_each_table_partition_has_a_folder_of_its_own(tmp_path: Path) -> None:
    """Below the name of the installation, so that two of them can share a disk."""
    stores = stores_of(LaneSettings("app", "nowhere:9092", data_folder=str(tmp_path)))
    made = stores.store("people", 3, None)
    assert isinstance(made, RocksStore) and made._folder == tmp_path / "app" / "people" / "3"
    assert isinstance(stores_of(LaneSettings("app", "nowhere:9092")).store("people", 3, None), MemoryStore)


def test_a_folder_belongs_to_one_worker(tmp_path: Path) -> None:
    """The second is told whose it is, at once; it is free again when the first is gone, however it went."""
    settings = LaneSettings("app", "nowhere:9092", data_folder=str(tmp_path / "data"))
    script = (
        "import os, sys; from streams.lane import LaneSettings; from streams.lane.stores import stores_of\n"
        f"with stores_of(LaneSettings('app', 'nowhere:9092', data_folder={settings.data_folder!r})).claim():\n"
        "    print(os.getpid(), flush=True); sys.stdin.read(); os._exit(9)"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        pid = int(other.stdout.readline())
        with pytest.raises(LaneError, match=f"in use by another worker, process {pid}"), stores_of(settings).claim():
            pass
        other.communicate()
    with stores_of(settings).claim():
        pass


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    """In one line, before anything else happens."""
    (tmp_path / "file").touch()
    settings = LaneSettings("app", "nowhere:9092", data_folder=str(tmp_path / "file" / "data"))
    with pytest.raises(LaneError, match=r"data folder .* cannot be used: Not a directory"), stores_of(settings).claim():
        pass
