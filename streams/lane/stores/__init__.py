"""Where a table partition stands between two batches: in memory, or in a local RocksDB that outlives the process.

Both follow the changelog and are read back from it; a local store goes on at its checkpoint. Reading order: `store`,
`memory`, `checkpoint`, `rocks`; then `engine`, `folder`.
"""

from streams.lane.settings import LaneSettings
from streams.lane.stores.memory import MemoryStore, MemoryStores
from streams.lane.stores.store import ChangelogFacts, Store, StoreError, Stores

__all__ = ["ChangelogFacts", "MemoryStore", "MemoryStores", "Store", "StoreError", "Stores", "stores_of"]


def stores_of(settings: LaneSettings) -> Stores:
    """In the data folder where there is one, else in memory."""
    if settings.data_folder is None:
        return MemoryStores()
    from streams.lane.stores.folder import DataFolder  # RocksDB is loaded by those who use it

    return DataFolder(settings.data_folder, settings.app_id)
