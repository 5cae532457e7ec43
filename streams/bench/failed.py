"""What ends a bench that cannot be finished."""

from __future__ import annotations

from pathlib import Path

LAST_LINES = 12


class BenchFailed(Exception):  # noqa: N818 - it tells of what failed
    """The bench cannot be finished; the message says what ended, and what it said last."""


def last_words(log: Path) -> str:
    """The end of a log."""
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()[-LAST_LINES:]
    return "\n".join(["it said last:", *lines])
