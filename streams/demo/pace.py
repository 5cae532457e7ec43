"""How fast people edit, and how much of the editing is over: by edits made, and by time where that is bounded."""

from __future__ import annotations

from dataclasses import dataclass

EDITS_PER_SECOND = (100.0, 400.0)
EDITS_PER_SECOND_OVER_REST = (20.0, 60.0)
"""What 100 calls in 20 seconds, Marketo's limit, can carry without a queue: beyond, a demo would show nothing but the queue."""

EDITING_SECONDS = 15
"""Unless told, people edit for about this long, at a pace within these bounds: long enough to be watched."""


@dataclass(frozen=True)
class Pace:
    """The pace of everybody together. `seconds`: the edits are spread over them, and then it is over. `bounds`: edits a second."""

    edits: int
    seconds: float | None = None
    bounds: tuple[float, float] = EDITS_PER_SECOND

    @property
    def edits_per_second(self) -> float:
        """What is aimed at; people pause besides while too much is on its way."""
        if self.seconds is not None:
            return self.edits / self.seconds
        slowest, fastest = self.bounds
        return min(max(self.edits / EDITING_SECONDS, slowest), fastest)

    def is_ahead(self, made: int, elapsed_seconds: float) -> bool:
        """Whether people have edited enough for now."""
        return made > elapsed_seconds * self.edits_per_second

    def share(self, made: int, elapsed_seconds: float) -> float:
        """How much is over; 1 or more when all is."""
        by_edits = made / self.edits if self.edits else 1.0
        return by_edits if self.seconds is None else max(by_edits, elapsed_seconds / self.seconds)
