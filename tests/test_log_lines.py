"""What a process's log says of what is no failure, and of a broker that is away."""

from __future__ import annotations

import logging
import subprocess
import sys

import pytest
from aiokafka.errors import GroupCoordinatorNotAvailableError, NotLeaderForPartitionError, RequestTimedOutError

from streams.log_lines import REMEMBERED, SELDOM_SECONDS, Seldom, elections_are_no_errors

LOGGING = "import logging; from streams.log_lines import log_to_stderr; log_to_stderr({level!r}); "


@pytest.mark.parametrize(
    ("said", "level"),
    [
        (GroupCoordinatorNotAvailableError(), logging.INFO),
        (NotLeaderForPartitionError, logging.INFO),
        (RequestTimedOutError(), logging.ERROR),
        ("a word", logging.ERROR),
    ],
)
def test_an_election_is_no_error(said: object, level: int) -> None:
    """A new broker has no coordinator yet, a new topic no leader: aiokafka tries again by itself. All else stays what it was."""
    record = logging.LogRecord("aiokafka", logging.ERROR, "", 0, "failed: %s", (said,), None)
    assert elections_are_no_errors(record)
    assert (record.levelno, record.levelname) == (level, logging.getLevelName(level))


@pytest.mark.parametrize(
    ("level", "shown"), [("INFO", ["ours", "warned"]), ("DEBUG", ["ours", "theirs", "warned"]), ("ERROR", [])]
)
def test_of_the_libraries_only_warnings_are_told(level: str, shown: list[str]) -> None:
    """Unless everything is asked for: a first start would bury our few lines under theirs."""
    lines = (
        "logging.getLogger('streams.lane').info('ours'); logging.getLogger('faust.app').info('theirs'); "
        "logging.getLogger('aiokafka.consumer').warning('warned')"
    )
    ended = subprocess.run(
        [sys.executable, "-c", LOGGING.format(level=level) + lines], capture_output=True, text=True, check=True
    )
    assert [line.split()[-1] for line in ended.stderr.splitlines()] == shown


def said(seldom: Seldom, text: str, name: str = "aiokafka") -> bool:
    return seldom.filter(logging.LogRecord(name, logging.ERROR, "", 0, text, None, None))


def test_the_same_line_of_a_client_is_told_once_a_minute() -> None:
    """Another line is told at once, and so is every line of ours."""
    clock = [1.0]
    seldom = Seldom(lambda: clock[0])
    assert said(seldom, "Unable connect to node 1") and not said(seldom, "Unable connect to node 1")
    assert said(seldom, "Unable connect to node 2") and said(seldom, "Unable connect to node 1", "aiokafka.client")
    assert all(said(seldom, "again", "streams.lane") for _ in range(2))
    clock[0] += SELDOM_SECONDS
    assert said(seldom, "Unable connect to node 1") and not said(seldom, "Unable connect to node 1")


def test_lines_that_never_repeat_are_not_kept_for_ever() -> None:
    seldom = Seldom(lambda: 1.0)
    assert all(said(seldom, f"offset {n}") for n in range(3 * REMEMBERED))
    assert len(seldom._passed_at) <= REMEMBERED
