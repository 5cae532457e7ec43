"""Chance that remembers what it said, and chance that says it again: what a story is recorded with and told anew.

A plain `random.Random` makes a world; a `Recorder` of the same seed makes the same world and keeps each move's draws; a `Tape`
gives them back, move by move, and where a shortened story asks for more than was said, it says that nothing special happens.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

UNREMARKABLE = 0.999_999
"""Of a share of something to go wrong: it doesn't. Of a choice by weight: the last."""

ID_BITS_MIN = 100
"""Whole numbers of so many bits are ids."""


class Draws(NamedTuple):
    """What chance said during one move, in order: numbers from 0 to 1, whole numbers of so many bits, and ids."""

    shares: tuple[float, ...] = ()
    numbers: tuple[int, ...] = ()
    ids: tuple[int, ...] = ()


class Recorder(random.Random):
    """As random as its seed, and keeps what it said since the last `take`."""

    def __init__(self, seed: str) -> None:
        self._shares: list[float] = []
        self._numbers: list[int] = []
        self._ids: list[int] = []
        super().__init__(seed)

    def random(self) -> float:
        """As any other."""
        share = super().random()
        self._shares.append(share)
        return share

    def getrandbits(self, k: int, /) -> int:
        """As any other: whole numbers and choices are made of these."""
        number = super().getrandbits(k)
        (self._numbers if k < ID_BITS_MIN else self._ids).append(number)
        return number

    def take(self) -> Draws:
        """What it said since the last time."""
        draws = Draws(tuple(self._shares), tuple(self._numbers), tuple(self._ids))
        for said in (self._shares, self._numbers, self._ids):
            said.clear()
        return draws


class Tape(random.Random):
    """Says what was recorded, and then that nothing special happens."""

    def __init__(self) -> None:
        self._shares: deque[float] = deque()
        self._numbers: deque[int] = deque()
        self._ids: deque[int] = deque()
        self._more_ids = 0
        super().__init__(0)

    def load(self, draws: Draws) -> None:
        """What it shall say during the next move."""
        self._shares, self._numbers, self._ids = deque(draws.shares), deque(draws.numbers), deque(draws.ids)

    def random(self) -> float:
        """The next recorded share."""
        return self._shares.popleft() if self._shares else UNREMARKABLE

    def getrandbits(self, k: int, /) -> int:
        """The next recorded number, made to fit; nought makes every choice the first. Of ids, none comes twice."""
        if k >= ID_BITS_MIN:
            if self._ids:  # they decide which partitions things stand in
                return self._ids.popleft()
            self._more_ids += 1
            return self._more_ids
        return self._numbers.popleft() % (1 << k) if self._numbers else 0


def fewer(draws: Draws) -> Sequence[Draws]:
    """Draws that say less, the least first."""
    shares, numbers, ids = draws
    found = [Draws(), Draws(ids=ids), Draws(shares, (), ids), Draws((), numbers, ids)]
    found += [Draws(shares[:n], numbers, ids) for n in range(len(shares))]
    found += [Draws(shares, numbers[:n], ids) for n in range(len(numbers))]
    found += [Draws((*shares[:n], UNREMARKABLE, *shares[n + 1 :]), numbers, ids) for n in range(len(shares))]
    found += [Draws(shares, (*numbers[:n], 0, *numbers[n + 1 :]), ids) for n in range(len(numbers))]
    return [each for each in dict.fromkeys(found) if each != draws]
