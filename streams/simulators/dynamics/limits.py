"""Service protection: how many requests a user may send, in a time and at once. What is beyond is answered 429."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from streams.simulators.dynamics.answers import ApiError

REQUESTS_CODE, CONCURRENT_CODE = "0x80072322", "0x80072326"


@dataclass(frozen=True)
class Limits:
    """The limits as documented; per user, and here there is one.

    `token_seconds`: how long an access token is good. `content_bytes_max`: of a request's body.
    """

    requests_max: int = 6_000
    window_seconds: float = 300.0
    concurrent_max: int = 52
    batch_operations_max: int = 1_000
    token_seconds: int = 3_599
    content_bytes_max: int = 100_000_000


class Gate:
    """Counts requests. `early`: those that came before a Retry-After was over."""

    def __init__(self, limits: Limits, clock: Callable[[], float]) -> None:
        self._limits, self._clock = limits, clock
        self._times: deque[float] = deque()
        self._closed_until = 0.0
        self._under_way = 0
        self.early = 0

    @property
    def remaining(self) -> int:
        """Requests left in this window."""
        return max(0, self._limits.requests_max - len(self._times))

    def enter(self) -> None:
        """One more request. Raises ApiError (429) where it is one too many; otherwise `leave` must follow."""
        now = self._clock()
        while self._times and self._times[0] <= now - self._limits.window_seconds:
            self._times.popleft()
        if now < self._closed_until:
            self.early += 1
            raise self._too_many_requests(self._closed_until - now)
        if len(self._times) >= self._limits.requests_max:
            wait = self._times[0] + self._limits.window_seconds - now
            self._closed_until = now + wait
            raise self._too_many_requests(wait)
        if self._under_way >= self._limits.concurrent_max:
            message = f"Number of concurrent requests exceeded the limit of {self._limits.concurrent_max}."
            raise _too_many(CONCURRENT_CODE, message, 1.0)
        self._times.append(now)
        self._under_way += 1

    def leave(self) -> None:
        """The request is answered."""
        self._under_way -= 1

    def close(self, seconds: float) -> ApiError:
        """Turn every request away for so long; gives the error to answer with."""
        self._closed_until = self._clock() + seconds
        return self._too_many_requests(seconds)

    def _too_many_requests(self, wait_seconds: float) -> ApiError:
        limits = self._limits
        message = (
            f"Number of requests exceeded the limit of {limits.requests_max} over time window of "
            f"{limits.window_seconds:.0f} seconds."
        )
        return _too_many(REQUESTS_CODE, message, wait_seconds)


def _too_many(code: str, message: str, wait_seconds: float) -> ApiError:
    return ApiError(429, code, message, headers={"Retry-After": str(max(1, -(-int(wait_seconds * 1000) // 1000)))})
