"""What the simulated systems tell an onlooker: facts only, at the moment at which they become true in the system.

The oracle is one; it sees what no connector can see, who edited what on top of which value.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from streams.demo.record import HeldRecord
from streams.sync.messages import ApplyCommand, SourceChange, Value


class Witness(Protocol):
    """Told of everything. Values stand in the system's own names, as stored."""

    def created(self, held: HeldRecord, entered: Mapping[str, Value], command: ApplyCommand | None) -> None:
        """A record came into being: with `entered` values, by a person, or by a command. The rest was filled in."""

    def entered(self, held: HeldRecord, changed: Mapping[str, Value]) -> None:
        """A person changed these values, all of them to others than before."""

    def landed(self, held: HeldRecord, command: ApplyCommand) -> None:
        """A command's fields were written; the record holds them, or what the system made of them."""

    def deleted(self, held: HeldRecord) -> None:
        """The record is no more."""

    def merged(self, loser: HeldRecord, winner: HeldRecord) -> None:
        """The loser is closed. What the winner got of it is told by `entered`."""

    def converted(self, lead: HeldRecord, contact: HeldRecord) -> None:
        """The lead is closed, the contact stands for the person."""

    def shown(self, held: HeldRecord) -> None:
        """A row of it was read, as it is now."""

    def requested(self, held: HeldRecord, change: SourceChange) -> None:
        """Somebody ran Sync Person on it."""

    def linked(self, held: HeldRecord, person_key: str) -> None:
        """A bootstrap says whom the record stands for, before anything was synced."""


class Unwatched:
    """A witness that looks away."""

    def created(self, held: HeldRecord, entered: Mapping[str, Value], command: ApplyCommand | None) -> None: ...

    def entered(self, held: HeldRecord, changed: Mapping[str, Value]) -> None: ...

    def landed(self, held: HeldRecord, command: ApplyCommand) -> None: ...

    def deleted(self, held: HeldRecord) -> None: ...

    def merged(self, loser: HeldRecord, winner: HeldRecord) -> None: ...

    def converted(self, lead: HeldRecord, contact: HeldRecord) -> None: ...

    def shown(self, held: HeldRecord) -> None: ...

    def requested(self, held: HeldRecord, change: SourceChange) -> None: ...

    def linked(self, held: HeldRecord, person_key: str) -> None: ...
