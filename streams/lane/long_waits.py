"""Waits that may be long, and that nobody would know of."""

import asyncio
import contextlib
import logging
from collections.abc import Iterator

log = logging.getLogger(__name__)

TOLD_AFTER_SECONDS = 10.0
"""A broker that is there has answered by then, on a machine however slow."""


@contextlib.contextmanager
def told_when_long(what: str, seconds: float, hint: str = "") -> Iterator[None]:
    """A wait that is told of once it has become long."""
    told = "%s for %.0f seconds; still waiting%s"
    telling = asyncio.get_running_loop().call_later(seconds, log.warning, told, what, seconds, hint)
    try:
        yield
    finally:
        telling.cancel()
