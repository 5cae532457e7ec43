"""The event loop of both threads: uvloop where there is one.

When a producer is fenced, aiokafka gives the error to whoever awaits a delivery, and once more to futures of its own that
nobody awaits: Python told of each by a traceback, beside our one line.
"""

import asyncio
import logging
import sys
from typing import Any

from aiokafka.errors import KafkaError

from streams.lane.connections import make_telling_clients

log = logging.getLogger(__name__)


def new_event_loop() -> asyncio.AbstractEventLoop:
    """A fresh loop, not yet running."""
    make_telling_clients()
    loop = _fastest()
    loop.set_exception_handler(tell_unless_of_a_bare_future)
    return loop


def _fastest() -> asyncio.AbstractEventLoop:
    if sys.platform == "win32":
        return asyncio.new_event_loop()
    import uvloop

    loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
    return loop


def tell_unless_of_a_bare_future(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """As ever, but for an error of Kafka's in a future that is no task: ours are all tasks."""
    future, error = context.get("future"), context.get("exception")
    if isinstance(error, KafkaError) and future is not None and not isinstance(future, asyncio.Task):
        log.debug("%s: %s: %s", context.get("message"), type(error).__name__, error)
    else:
        loop.default_exception_handler(context)
