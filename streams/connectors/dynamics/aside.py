"""Rows that cannot be told yet: what they point to can't be read now. The others go on.

While there are any, how far change tracking was read is not written down, so a restart reads them again. What was told meanwhile is
not news then.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Mapping

from streams.connectors.dynamics.calling import told
from streams.connectors.dynamics.rows import Shown
from streams.connectors.rest import CallFailed

log = logging.getLogger(__name__)

ASIDE_MAX = 500


class Aside:
    """The newest such row of each record. `some` is set while there are any."""

    def __init__(self) -> None:
        self.some = asyncio.Event()
        self._rows: dict[str, Shown] = {}

    def __len__(self) -> int:
        return len(self._rows)

    def rows(self) -> list[Shown]:
        """All of them."""
        return list(self._rows.values())

    def has_room_for(self, unread: Mapping[str, CallFailed]) -> bool:
        """Whether the rows of these records can be put aside too; else it is no matter of single records any more.

        Those that are aside need none, however many they are: several may find room at once.
        """
        more = unread.keys() - self._rows.keys()
        return not more or len(self._rows) + len(more) <= ASIDE_MAX

    def put(self, row: Shown, error: CallFailed) -> None:
        """Until what it points to can be read."""
        record = row.record
        if record.id not in self._rows:
            what = "contact" if row.standing == "qualified" else "winner"
            log.warning(
                "Dynamics, %s %s: its %s cannot be read (%s); it is told later, the others go on",
                record.type,
                record.id,
                what,
                told(error),
            )
        before = self._rows.get(record.id)
        if before is None or before.version < row.version:
            self._rows[record.id] = row
        self.some.set()

    def take_out(self, record_ids: Iterable[str]) -> None:
        """They have been told, or something newer has."""
        for record_id in record_ids:
            self._rows.pop(record_id, None)
        if not self._rows:
            self.some.clear()
