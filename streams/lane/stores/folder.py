"""The data folder of one worker: a store for each table partition that it ever held, and a lock against a second worker."""

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from streams.lane.batch import Count, LaneError
from streams.lane.stores.engine import Engine
from streams.lane.stores.rocks import RocksStore

LOCK_FILE = "worker.lock"


class DataFolder:
    """`<folder>/<app id>/<table>/<partition>`. Those of partitions that went elsewhere wait for a warm return."""

    def __init__(self, folder: str, app_id: str) -> None:
        self._folder = Path(folder) / app_id
        self._engine = Engine()

    def store(self, table: str, partition: int, count: Count | None) -> RocksStore:
        return RocksStore(self._folder / table / str(partition), self._engine, f"table {table}[{partition}]", count)

    @contextlib.contextmanager
    def claim(self) -> Iterator[None]:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            lock = os.open(self._folder / LOCK_FILE, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise LaneError(f"the data folder {self._folder} cannot be used: {error.strerror}") from None
        try:
            if not _lock(lock):
                raise LaneError(
                    f"the data folder {self._folder} is in use by another worker, process {_written_down(lock)}; "
                    "give each worker one of its own"
                )
            _write_down(lock, str(os.getpid()))
            yield
        finally:
            os.close(lock)


def _lock(file: int) -> bool:
    """Whether the lock is ours now; the system takes it back when the process is gone, however it went."""
    if sys.platform == "win32":
        return True  # RocksDB's own lock on each store has to do
    import fcntl

    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _write_down(file: int, who: str) -> None:
    with contextlib.suppress(OSError):  # a full disk; it is only for people to read
        os.ftruncate(file, 0)
        os.write(file, who.encode())


def _written_down(file: int) -> str:
    return os.read(file, 20).decode(errors="replace") or "unknown"
