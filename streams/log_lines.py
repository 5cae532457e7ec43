"""What a process says on standard error, and what it must not: at DEBUG, aiokafka writes out every message it sends.

At INFO our own lines tell how far a start is. Those of the libraries, some eighty, are for DEBUG; their warnings and errors
are told, but an election that they wait out by themselves is none: each new broker and each new topic begins with one. And
while a broker is away, each connection of a worker says so at each try, a hundred lines a second together: the same line is
told once a minute.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable

from aiokafka.errors import (
    GroupCoordinatorNotAvailableError,
    GroupLoadInProgressError,
    LeaderNotAvailableError,
    NotLeaderForPartitionError,
)

FORM = "%(asctime)s %(levelname)s %(name)s: %(message)s"
LIBRARIES = ("aiokafka", "faust", "mode")
ELECTIONS = (
    GroupCoordinatorNotAvailableError,
    GroupLoadInProgressError,
    LeaderNotAvailableError,
    NotLeaderForPartitionError,
)
OF_CONNECTIONS = ("aiokafka", "streams.lane.connections")
"""A worker has some forty connections, and what befalls one befalls all."""
SELDOM_SECONDS = 60.0
REMEMBERED = 1_000


class Seldom(logging.Filter):
    """Passes a line of a connection's unless the same one was passed a moment ago; what others say always."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._now, self._passed_at = now, dict[str, float]()

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether to tell it."""
        if not record.name.startswith(OF_CONNECTIONS):
            return True
        line, now = f"{record.name} {record.getMessage()}", self._now()
        if now - self._passed_at.get(line, now - SELDOM_SECONDS) < SELDOM_SECONDS:
            return False
        if len(self._passed_at) >= REMEMBERED:
            self._passed_at.clear()
        self._passed_at[line] = now
        return True


def log_to_stderr(level: str) -> None:
    """From this level on, as the root logger's: left to a handler, every debug call would still build its record."""
    logging.basicConfig(level=level, format=FORM, stream=sys.stderr)
    for handler in logging.getLogger().handlers:
        handler.addFilter(elections_are_no_errors)
        handler.addFilter(Seldom())
    if logging.getLogger().level < logging.INFO:
        logging.getLogger("aiokafka").setLevel(logging.INFO)
    else:
        for name in LIBRARIES:
            logging.getLogger(name).setLevel(max(logging.WARNING, logging.getLogger().level))


def elections_are_no_errors(record: logging.LogRecord) -> bool:
    """A logging filter that keeps every record: what says that a leader is being chosen becomes INFO."""
    said = record.args if isinstance(record.args, tuple) else ()
    if any(each is kind or isinstance(each, kind) for each in said for kind in ELECTIONS):
        record.levelno, record.levelname = logging.INFO, logging.getLevelName(logging.INFO)
    return True
