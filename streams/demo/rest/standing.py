"""Where the Marketo connector stands by its checkpoint on Kafka: the positions are the simulator's own, which can read them."""

from __future__ import annotations

from schemas.checkpoint import Checkpoint
from schemas.vocabulary import MARKETO
from streams.simulators.marketo import tokens
from streams.simulators.marketo.activities import CHANGE_DATA_VALUE, DELETE_LEAD, MERGE_LEADS, NEW_LEAD, ActivityLog

TYPES_OF_FEED = {"changes": (NEW_LEAD, CHANGE_DATA_VALUE), "ends": (MERGE_LEADS, DELETE_LEAD)}


class Standing:
    """`heard` is given every message of the topic `checkpoints`."""

    def __init__(self) -> None:
        self._positions: dict[str, str] = {}
        self._held = 0

    def heard(self, body: bytes) -> None:
        """A connector has told something, up to these positions."""
        checkpoint = Checkpoint.model_validate_json(body)
        if checkpoint.system == MARKETO:
            self._positions, self._held = dict(checkpoint.positions), len(checkpoint.held)

    def has_told_all(self, log: ActivityLog) -> bool:
        """Whether everything that the feeds show stands before these positions, and nothing of it is held to be told later."""
        return not self._held and all(
            log.last_of(kind) < self._after(feed) for feed, kinds in TYPES_OF_FEED.items() for kind in kinds
        )

    def _after(self, feed: str) -> int:
        """The position after what was told; a feed of which nothing was told yet stands at a time, before everything."""
        token = tokens.read(self._positions[feed], "position", "rested", "since") if feed in self._positions else None
        return 0 if token is None or token.kind == "since" else int(token.at)
