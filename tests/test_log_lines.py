"""What a process says while a broker is away."""

from __future__ import annotations

import logging

from streams.log_lines import REMEMBERED, SELDOM_SECONDS, Seldom


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
