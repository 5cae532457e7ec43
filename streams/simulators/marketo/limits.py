"""What an instance puts up with: calls in a time, at once and a day, and how large each may be. And who used how much.

Documented in "Marketo Integration Best Practices", "Error Codes", "Usage" and "Bulk Extract" of the developer guide. The
day ends at midnight CST. Calls that are refused with 601, 602, 604, 605, 608 or 611 count against nothing.
"""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

from streams.simulators.marketo.envelope import Refused

FREE_CODES = frozenset({"601", "602", "604", "605", "608", "611"})
CST = timezone(timedelta(hours=-6))


@dataclass(frozen=True)
class Limits:
    """Of one instance. Sizes in bytes, times in seconds, the rest are counts."""

    window_calls: int = 100
    window_seconds: float = 20.0
    concurrent_calls: int = 10
    daily_calls: int = 50_000
    records: int = 300
    body_bytes: int = 1_048_576
    uri_bytes: int = 8_192
    filter_values: int = 300
    matches: int = 1_000
    lead_ids: int = 30
    activity_types: int = 10
    merged_leads: int = 25
    created_fields: int = 100
    custom_activity_types: int = 10
    custom_attributes: int = 20
    attribute_bytes: int = 65_536
    requested_leads: int = 100
    token_seconds: float = 3_600.0
    campaign_wait_seconds: float = 300.0
    export_days: int = 31
    exports_queued: int = 10
    exports_running: int = 2
    export_queue_seconds: float = 1.0
    export_work_seconds: float = 1.0


class Meter:
    """Counts calls by time, user and day. Times are seconds since the epoch."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.running = 0
        self.used_up_until = 0.0
        self.usage: dict[str, Counter[str]] = {}
        self.errors: dict[str, Counter[str]] = {}
        self._window: deque[float] = deque()

    def admit(self, user: str, now: float) -> None:
        """One call begins; `release` ends it. Raises Refused: 607, 606 or 615."""
        self._check_quota(now)
        self._usage(now)[user] += 1
        self._check_rate(now)
        if self.running >= self.limits.concurrent_calls:
            raise Refused("615", "Concurrent access limit reached")
        self._window.append(now)
        self.running += 1

    def release(self) -> None:
        """A call that was admitted is over."""
        self.running -= 1

    def refund(self, user: str, now: float) -> None:
        """The call ended in one of FREE_CODES."""
        self._usage(now)[user] -= 1
        if self._window:
            self._window.pop()

    def note_error(self, code: str, now: float) -> None:
        """An answer said this."""
        self.errors.setdefault(day_of(now), Counter())[code] += 1

    def _usage(self, now: float) -> Counter[str]:
        return self.usage.setdefault(day_of(now), Counter())

    def _check_quota(self, now: float) -> None:
        if now < self.used_up_until or self._usage(now).total() >= self.limits.daily_calls:
            raise Refused("607", f"Daily API Request quota reached: {self.limits.daily_calls}")

    def _check_rate(self, now: float) -> None:
        while self._window and self._window[0] <= now - self.limits.window_seconds:
            self._window.popleft()
        if len(self._window) >= self.limits.window_calls:
            raise Refused("606", rate_message(self.limits))


def rate_message(limits: Limits) -> str:
    """What 606 says."""
    return f"Max rate limit '{limits.window_calls}' exceeded with in '{limits.window_seconds:.0f}' secs"


def day_of(now: float) -> str:
    """The day of the quota."""
    return datetime.fromtimestamp(now, CST).date().isoformat()


def days_before(now: float, count: int) -> list[str]:
    """The last `count` days, today first."""
    return [day_of(now - days * 86_400) for days in range(count)]
