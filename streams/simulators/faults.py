"""What goes wrong on purpose: faults by name, each for a share of the calls, and a count of those that struck."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from schemas.vocabulary import System

FAULT_NAMES = frozenset(
    {
        # both systems
        "latency",
        "dropped_before",
        "dropped_after",
        "edited_between",
        "rewritten_on_save",
        "duplicate_rule",
        # Marketo
        "rate_606",
        "quota_607",
        "timeout_604_after",
        "concurrency_615",
        "token_602",
        "empty_page",
        "repeated_activity",
        "poison_611",
        # Dynamics
        "throttled_429",
        "server_5xx_after",
        "expired_delta",
        "stale_412",
    }
)
"""What `FaultPlan.shares` may name. `rewritten_on_save`, `duplicate_rule`, `poison_611` and `stale_412` have no share: they follow from what is
written.
"""

POISON_MARK = "(poison)"
"""On a value that ends so Marketo stumbles each time that it is to be saved: 611, and what stood before it in the call is done."""


_IN_BOTH = frozenset({"latency", "dropped_before", "dropped_after", "edited_between"})
SHARES_OF: Mapping[System, frozenset[str]] = {
    "marketo": _IN_BOTH
    | {"rate_606", "quota_607", "timeout_604_after", "concurrency_615", "token_602", "empty_page", "repeated_activity"},
    "dynamics": _IN_BOTH | {"throttled_429", "server_5xx_after", "expired_delta"},
}
"""Those that a share decides, by system."""


@dataclass(frozen=True)
class FaultPlan:
    """How often each fault strikes: its name -> a share between 0 and 1 of the calls it can strike in.

    `latency_seconds`: the shortest and longest delay of a call that `latency` strikes. `quota_seconds`: how long the daily
    quota counts as used up after `quota_607` struck. `retry_after_seconds`: what `throttled_429` asks a client to wait.
    Raises ValueError for an unknown name and for a share that is none.
    """

    shares: Mapping[str, float] = field(default_factory=dict)
    latency_seconds: tuple[float, float] = (0.0, 0.0)
    quota_seconds: float = 2.0
    retry_after_seconds: int = 1

    def __post_init__(self) -> None:
        for name, share in self.shares.items():
            if name not in FAULT_NAMES:
                raise ValueError(f"no fault is called {name!r}: there are {', '.join(sorted(FAULT_NAMES))}")
            if not 0.0 <= share <= 1.0:
                raise ValueError(f"{name} is given {share}: a share lies between 0 and 1")


class Faults:
    """A plan and its chance. `counts` says how often each fault struck, by name."""

    def __init__(self, plan: FaultPlan | None = None, rng: random.Random | None = None) -> None:
        self.plan = plan or FaultPlan()
        self.counts: Counter[str] = Counter()
        self._random = rng or random.Random(0)
        self._arranged: set[str] = set()

    def strikes(self, name: str) -> bool:
        """Whether this fault strikes now; counted if it does. Without a share it never does, and draws nothing."""
        if name in self._arranged:
            self._arranged.discard(name)
            self.counts[name] += 1
            return True
        share = self.plan.shares.get(name, 0.0)
        if share <= 0.0 or self._random.random() >= share:
            return False
        self.counts[name] += 1
        return True

    def arrange(self, name: str) -> None:
        """This fault strikes at the next occasion, whatever its share."""
        self._arranged.add(name)

    def note(self, name: str) -> None:
        """Count a fault that came about by itself."""
        self.counts[name] += 1

    async def delay(self) -> None:
        """Wait, where `latency` strikes."""
        if self.strikes("latency"):
            await asyncio.sleep(self._random.uniform(*self.plan.latency_seconds))
