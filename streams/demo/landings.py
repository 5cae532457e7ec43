"""How long an edit takes to both systems, and how many edits there were: told by the systems, by the clock of the demo.

An edit has arrived when a command writes its value into the other system. One that loses a collision, or is edited over
before, never does and is not counted among the times. Neither is one that waited behind an open sync error: it would tell
how long somebody took to correct a value, not how long leadsync took.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from schemas.vocabulary import System
from streams.demo.record import HeldRecord
from streams.demo.witness import Unwatched, Witness
from streams.sync.messages import ApplyCommand, SourceChange, Value
from streams.sync.person import other_system
from streams.sync.policy import Policy
from streams.sync.values import canonical

Place = tuple[str, System, str]
"""Person key, the system in which the value was entered, canonical field."""


class Landings(Unwatched):
    """A witness with a watch. `edits`: how often a person saved something; `landed_commands`: commands that wrote; `seconds`: from an edit to both systems."""

    def __init__(self, policy: Policy, clock: Callable[[], float]) -> None:
        self.edits = 0
        self.landed_commands = 0
        self.seconds: list[float] = []
        self._policy, self._clock = policy, clock
        self._waiting: dict[Place, tuple[Value, float]] = {}
        self._held_up: set[str] = set()

    def created(self, held: HeldRecord, entered: Mapping[str, Value], command: ApplyCommand | None) -> None:
        self.edits += command is None
        self.landed_commands += command is not None

    def entered(self, held: HeldRecord, changed: Mapping[str, Value]) -> None:
        self.edits += 1
        now = self._clock()
        for name, value in self._canonical(held, changed):
            self._waiting[held.person_key, held.record.system, name] = value, now

    def landed(self, held: HeldRecord, command: ApplyCommand) -> None:
        self.landed_commands += 1
        now, source = self._clock(), other_system(held.record.system)
        for name, value in self._canonical(held, command.fields or {}):
            place = held.person_key, source, name
            entered, since = self._waiting.get(place, (None, now))
            if place in self._waiting and entered == value:
                del self._waiting[place]
                if held.person_key not in self._held_up:
                    self.seconds.append(now - since)

    def error_opened(self, person_key: str) -> None:
        """From now on this person's edits wait for somebody to correct a value."""
        self._held_up.add(person_key)

    def error_closed(self, person_key: str) -> None:
        """What waited comes through now; only what is entered from here on is timed again."""
        self._held_up.discard(person_key)
        for place in [place for place in self._waiting if place[0] == person_key]:
            del self._waiting[place]

    def percentile(self, share: float) -> float:
        """The time within which this share of the edits was in both systems; 0 where there were none."""
        ordered = sorted(self.seconds)
        return ordered[min(int(len(ordered) * share), len(ordered) - 1)] if ordered else 0.0

    def _canonical(self, held: HeldRecord, values: Mapping[str, Value]) -> list[tuple[str, Value]]:
        inbound, system = self._policy.inbound[held.record.type], held.record.system
        return [
            (rule.name, canonical(rule, system, value))
            for column, value in values.items()
            if (rule := inbound.get(column)) is not None
        ]


class Onlookers:
    """Several witnesses in place of one, each told everything, in this order. `told` counts facts."""

    def __init__(self, *witnesses: Witness) -> None:
        self._witnesses = witnesses
        self.told = 0

    def created(self, held: HeldRecord, entered: Mapping[str, Value], command: ApplyCommand | None) -> None:
        self._tell("created", held, entered, command)

    def entered(self, held: HeldRecord, changed: Mapping[str, Value]) -> None:
        self._tell("entered", held, changed)

    def landed(self, held: HeldRecord, command: ApplyCommand) -> None:
        self._tell("landed", held, command)

    def deleted(self, held: HeldRecord) -> None:
        self._tell("deleted", held)

    def merged(self, loser: HeldRecord, winner: HeldRecord) -> None:
        self._tell("merged", loser, winner)

    def converted(self, lead: HeldRecord, contact: HeldRecord) -> None:
        self._tell("converted", lead, contact)

    def shown(self, held: HeldRecord) -> None:
        self._tell("shown", held)

    def requested(self, held: HeldRecord, change: SourceChange) -> None:
        self._tell("requested", held, change)

    def linked(self, held: HeldRecord, person_key: str) -> None:
        self._tell("linked", held, person_key)

    def _tell(self, fact: str, *about: Any) -> None:
        self.told += 1
        for witness in self._witnesses:
            getattr(witness, fact)(*about)
