"""How far change tracking was read, as a checkpoint keeps it. Pure.

For each entity set a link, the digest of the columns that it was made for, and, while a first reading is under way, what that
is for: `tell` its rows, or only `learn` them. The link of a first reading may be a next page, so that it is resumed there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from schemas.checkpoint import Checkpoint
from schemas.vocabulary import DYNAMICS
from streams.connectors.options import StartFrom

FirstReading = Literal["tell", "learn"]
FIRST_READING: Mapping[StartFrom, FirstReading] = {"beginning": "tell", "now": "learn"}
_FIRST_READINGS: Mapping[str, FirstReading] = {"tell": "tell", "learn": "learn"}


@dataclass(frozen=True)
class Position:
    """Of one entity set. `link` None: nothing was read yet. `first`: what the reading that is under way is for."""

    link: str | None = None
    select: str | None = None
    first: FirstReading | None = None


def positions_of(checkpoint: Checkpoint, entity_sets: Iterable[str]) -> dict[str, Position]:
    """Where each entity set stands."""
    found = checkpoint.positions
    return {
        name: Position(
            found.get(name), found.get(f"{name}.select"), _FIRST_READINGS.get(found.get(f"{name}.first", ""))
        )
        for name in entity_sets
    }


def checkpoint_of(positions: Mapping[str, Position]) -> Checkpoint:
    """The checkpoint that says so."""
    texts: dict[str, str] = {}
    for name, position in positions.items():
        parts = {name: position.link, f"{name}.select": position.select, f"{name}.first": position.first}
        texts |= {key: text for key, text in parts.items() if text is not None}
    return Checkpoint(system=DYNAMICS, positions=texts)
