"""What an operator can turn on a connector."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from schemas.vocabulary import System
from streams.connectors.pacing import DYNAMICS_PACE, MARKETO_PACE, Pace

StartFrom = Literal["now", "beginning"]


@dataclass(frozen=True)
class Options:
    """`start_from`: where a connector that never ran begins; None: it refuses to.

    Feeds are read again after `busy_seconds` while something comes, and ever more seldom, up to `idle_seconds`, while nothing
    does. `quota_pause_seconds_max`: how long to wait at the most before asking again when the day's calls are used up; None: until
    the quota is reset. `listen_port` 0: a free one; None: nothing is listened for.
    """

    pace: Pace
    start_from: StartFrom | None = None
    busy_seconds: float = 1.0
    idle_seconds: float = 30.0
    quota_pause_seconds_max: float | None = None
    listen_host: str = "127.0.0.1"
    listen_port: int | None = None


PACES: dict[System, Pace] = {"marketo": MARKETO_PACE, "dynamics": DYNAMICS_PACE}
