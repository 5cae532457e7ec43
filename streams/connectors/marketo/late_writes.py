"""Writes of ours of which nobody knows what became: one may come through after its own repeat, over what somebody entered since.

Marketo lists no field that keeps its value. So of such a write it lists the values that it covered, and no revision, for that was
written before: in the feed it looks like another client's, and would pass for an edit. It is known here by its record and by its values,
all of which are the lost command's. (Design, "Sight, collisions, commands": a late repeat is no edit.)
"""

from __future__ import annotations

from collections.abc import Callable

from streams.connectors.marketo.writes import Write
from streams.sync.collision import seconds_of
from streams.sync.messages import ApplyCommand, Value

LATE_SECONDS = 3_600.0
"""So long after a call was lost it may come through. Nothing is documented; connections live for minutes."""

RECORDS_MAX = 10_000
COMMANDS_MAX = 20
"""Of one record."""

API_SOURCE = "Web service API"
"""What Marketo calls the REST API in `Source` and `Reason`."""


class LateWrites:
    """Of so many records. In memory: after a restart the commands in doubt come, and are noted, again; what was settled before it is forgotten.

    The hour is counted up to the write, whenever the feed shows it: Marketo may be away, or the day's calls used up, for longer than that.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._lost: dict[str, list[tuple[float, ApplyCommand]]] = {}

    def note(self, command: ApplyCommand) -> None:
        """A try to update this command's record may be under way, or may have come through."""
        if command.record is None:
            return
        record_id = command.record.id
        lost = [each for each in self._lost.pop(record_id, []) if each[1].revision != command.revision]
        self._lost[record_id] = [*lost, (self._now(), command)][-COMMANDS_MAX:]
        while len(self._lost) > RECORDS_MAX:
            del self._lost[next(iter(self._lost))]

    def revision_of(self, write: Write) -> int | None:
        """The revision of the lost command that this write, which shows none, is of; the newest that fits."""
        changed, happened_at = write.values(), seconds_of(write.first.time)
        if write.first.source != API_SOURCE or not changed:
            return None
        since = (self._now() if happened_at is None else happened_at) - LATE_SECONDS
        for noted_at, command in reversed(self._lost.get(write.lead_id, [])):
            fields = command.fields or {}
            if noted_at >= since and all(name in fields and _is_same(fields[name], changed[name]) for name in changed):
                return command.revision
        return None


def _is_same(sent: Value, listed: Value) -> bool:
    """The feed spells numbers and Yes/No as text."""
    if sent is None or listed is None:
        return sent in (None, "") and listed in (None, "")
    return sent == listed or str(sent).casefold() == str(listed).casefold()
