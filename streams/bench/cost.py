"""What some work took, and how to read it of another process; what the bench needs of Linux stands here."""

from __future__ import annotations

import ctypes
import signal
import sys
import time

from msgspec import Struct

from streams.bench.failed import BenchFailed


class Cost(Struct, frozen=True):
    """Wall time, and CPU time of all threads, user and system."""

    seconds: float = 0.0
    cpu_seconds: float = 0.0

    def __add__(self, other: Cost) -> Cost:
        return Cost(self.seconds + other.seconds, self.cpu_seconds + other.cpu_seconds)

    def __sub__(self, other: Cost) -> Cost:
        return Cost(self.seconds - other.seconds, self.cpu_seconds - other.cpu_seconds)


PR_SET_PDEATHSIG = 1


def end_with_the_bench() -> None:
    """For a process that is being started: even if the bench is killed, nothing goes on measuring itself."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def cpu_seconds_of(pid: int) -> float:
    """CPU time of another process, in nanoseconds' steps: the clock that clock_getcpuclockid(3) names. Linux only."""
    if sys.platform != "linux":
        raise BenchFailed("CPU time of another process is read from Linux's clocks; this is no Linux")
    return time.clock_gettime((~pid << 3) | 2)
