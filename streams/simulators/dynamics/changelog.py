"""What changed in a table, by row version: change tracking reads from here, so that a page costs what it shows.

Versions only rise. A record that changes again gets a new place; the old one is passed over, and swept out now and then.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator

SWEEP_SLACK = 1_000
"""So many superseded places may there be, beyond one for each record, before they are swept out."""


class ChangeLog:
    """Places in order of row version; of each record only its last one counts."""

    def __init__(self) -> None:
        self._versions: list[int] = []
        self._ids: list[str] = []
        self._latest: dict[str, int] = {}
        self.is_held = False  # while something may be taken back, nothing is swept out

    @property
    def last_version(self) -> int:
        """The version of the last change; 0 where there was none."""
        return self._versions[-1] if self._versions else 0

    def note(self, record_id: str, version: int) -> None:
        """The record changed and has this version now, the highest so far."""
        self._versions.append(version)
        self._ids.append(record_id)
        self._latest[record_id] = version
        if not self.is_held and len(self._versions) > 2 * len(self._latest) + SWEEP_SLACK:
            self._sweep()

    def between(self, after: int, up_to: int) -> Iterator[tuple[int, str]]:
        """(version, record id) of what changed after one version, up to another and not since, oldest first."""
        place = bisect_right(self._versions, after)
        while place < len(self._versions) and self._versions[place] <= up_to:
            version, record_id = self._versions[place], self._ids[place]
            if self._latest[record_id] == version:
                yield version, record_id
            place += 1

    def take_back(self, after: int, latest: dict[str, int | None]) -> None:
        """Forget what was noted after a version; `latest`: what stood then for the records concerned."""
        place = bisect_right(self._versions, after)
        del self._versions[place:], self._ids[place:]
        for record_id, version in latest.items():
            if version is None:
                self._latest.pop(record_id, None)
            else:
                self._latest[record_id] = version

    def latest(self, record_id: str) -> int | None:
        """The version of the record's last change."""
        return self._latest.get(record_id)

    def _sweep(self) -> None:
        kept = [
            (version, record_id)
            for version, record_id in zip(self._versions, self._ids, strict=True)
            if self._latest[record_id] == version
        ]
        self._versions = [version for version, _ in kept]
        self._ids = [record_id for _, record_id in kept]
