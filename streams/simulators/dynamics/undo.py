"""The way back from a change set that fails halfway: what its operations touched is put back as it was, unseen by anybody."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any, NamedTuple

from streams.demo.record import Gone, HeldRecord
from streams.demo.witness import Unwatched

if TYPE_CHECKING:
    from streams.simulators.dynamics.instance import DynamicsInstance


class Remembered(NamedTuple):
    """All that an instance knows of a record id."""

    held: HeldRecord | None
    was: dict[str, Any] | None
    gone: Gone | None
    tombstone: HeldRecord | None
    closed_by: HeldRecord | None
    lead_id: str | None
    made: tuple[str, str] | None
    logged: dict[str, int | None]


class Undo:
    """From here on `instance` is watched by nobody, and `remember` is to be called before a record changes."""

    def __init__(self, instance: DynamicsInstance) -> None:
        self._instance = instance
        self._witness = instance.witness
        self._counters = instance.counters()
        self._chance = instance.random.getstate()
        self._remembered: dict[str, Remembered] = {}
        instance.witness = Unwatched()
        for log in instance.logs.values():
            log.is_held = True

    def remember(self, record_id: str) -> None:
        """Keep what is known of a record, if it is the first time."""
        if record_id not in self._remembered:
            self._remembered[record_id] = self._look(record_id)

    def take_back(self) -> None:
        """All is as it was."""
        instance = self._instance
        for record_id, remembered in self._remembered.items():
            self._restore(record_id, remembered)
        for kind, log in instance.logs.items():
            log.take_back(self._counters[0], {i: found.logged[kind] for i, found in self._remembered.items()})
            log.is_held = False
        for record_id in self._remembered:
            instance.index(record_id)
        instance.set_counters(self._counters)
        instance.random.setstate(self._chance)
        instance.witness = self._witness

    def _look(self, record_id: str) -> Remembered:
        instance = self._instance
        held = instance.records.get(record_id)
        was = None if held is None else {each.name: getattr(held, each.name) for each in fields(held)}
        if was is not None:
            was["values"] = dict(was["values"])
        return Remembered(
            held,
            was,
            instance.gone.get(record_id),
            instance.tombstones.get(record_id),
            instance.closed_by.get(record_id),
            instance.lead_of.get(record_id),
            instance.made.get(record_id),
            {kind: log.latest(record_id) for kind, log in instance.logs.items()},
        )

    def _restore(self, record_id: str, remembered: Remembered) -> None:
        instance = self._instance
        if remembered.held is not None and remembered.was is not None:
            for name, value in remembered.was.items():
                setattr(remembered.held, name, value)
        _put(instance.records, record_id, remembered.held)
        _put(instance.gone, record_id, remembered.gone)
        _put(instance.tombstones, record_id, remembered.tombstone)
        _put(instance.closed_by, record_id, remembered.closed_by)
        _put(instance.lead_of, record_id, remembered.lead_id)
        _put(instance.made, record_id, remembered.made)


def _put(entries: dict[str, Any], key: str, value: Any) -> None:
    if value is None:
        entries.pop(key, None)
    else:
        entries[key] = value
