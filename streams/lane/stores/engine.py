"""RocksDB as the stores of one worker use it: its options, what they share, and what its errors mean.

One cache of blocks and one limit for what is not yet on disk serve all stores, so that a worker's memory does not grow with
the number of its partitions.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rocksdict import BlockBasedOptions, Cache, DBCompressionType, Options, Rdict, WriteBufferManager, WriteOptions

MEBIBYTE = 1_048_576
BLOCK_CACHE_BYTES = 64 * MEBIBYTE  # what it does not hold, the operating system's own cache may
BUFFERS_BYTES = 64 * MEBIBYTE  # not yet on disk, all stores together: what a `kill -9` leaves to be read again
BUFFER_BYTES = 16 * MEBIBYTE  # of one store
BLOOM_BITS_PER_KEY = 10  # 1 % of the lookups of a new key touch a block in vain
# Keys come in no order, so each merging of new files rewrites most of what lies below them. RocksDB's own 4 files a merging
# took half as much time again per lookup and write as 16, and the filters keep so many files cheap to look into.
NEW_FILES_MERGED, NEW_FILES_SLOW, NEW_FILES_MAX = 16, 48, 64
LOG_FILE_BYTES = MEBIBYTE
BACKGROUND_JOBS = 2

NO_ROOM = "make room: it goes on from its last checkpoint and the changelog"
IN_USE = "give each worker a data folder of its own"
OF_THE_MACHINE: Mapping[str, str] = {
    "No space left on device": NO_ROOM,
    "Disk quota exceeded": NO_ROOM,
    "File too large": NO_ROOM,
    "Too many open files": "raise the limit on open files",
    "Permission denied": "the worker must own the folder",
    "Read-only file system": "the worker must be able to write there",
    "lock hold by current process": IN_USE,
    "While lock file": IN_USE,
}
"""What RocksDB says when the machine is at fault and not the files -> what to do. Wiping would mend none of these."""


def advice(error: BaseException) -> str | None:
    """What to do about an error that is the machine's; None where the files themselves are at fault."""
    return next((what for phrase, what in OF_THE_MACHINE.items() if phrase in str(error)), None)


class Engine:
    """What the stores of one worker share."""

    def __init__(self) -> None:
        self._cache = Cache(BLOCK_CACHE_BYTES)
        self._buffers = WriteBufferManager(BUFFERS_BYTES, allow_stall=False)
        self.unlogged = WriteOptions()
        # A property, whatever the type information says. See `rocks` for why there is no log.
        setattr(self.unlogged, "disable_wal", True)  # noqa: B010

    def open(self, folder: Path) -> Any:
        """The database in a folder, made if there is none. Raises Exception, as all of rocksdict does."""
        folder.mkdir(parents=True, exist_ok=True)
        return Rdict(str(folder), self._options())

    def close(self, db: Any) -> None:
        """Bring to disk what is in memory, and close."""
        try:
            db.flush()
        finally:
            db.close()

    def _options(self) -> Options:
        tables = BlockBasedOptions()
        tables.set_block_cache(self._cache)
        tables.set_bloom_filter(BLOOM_BITS_PER_KEY, block_based=False)
        options = Options(raw_mode=True)
        options.create_if_missing(True)
        options.set_block_based_table_factory(tables)
        options.set_write_buffer_manager(self._buffers)
        options.set_write_buffer_size(BUFFER_BYTES)
        options.set_compression_type(DBCompressionType.lz4())
        options.set_max_background_jobs(BACKGROUND_JOBS)
        options.set_level_zero_file_num_compaction_trigger(NEW_FILES_MERGED)
        options.set_level_zero_slowdown_writes_trigger(NEW_FILES_SLOW)
        options.set_level_zero_stop_writes_trigger(NEW_FILES_MAX)
        options.set_max_log_file_size(LOG_FILE_BYTES)
        options.set_keep_log_file_num(2)
        return options
