"""What becomes of a fetch that fails.

- It waits before it is tried again. Cancelled meanwhile, it ends as quietly as one that is under way: aiokafka cancels its
  fetches when a consumer stops, and awaits them. One that waits raises CancelledError then, and so does `stop`, to whoever
  called it: the consumer's thread ended by it without a word, and the worker was taken to hang.
- Where the messages at its position are gone, because a topic keeps them for less long than a worker was behind, aiokafka goes
  on at the first that is left and says so at INFO. It is a loss, and told as one.
"""

import asyncio
import logging
from typing import Any

from aiokafka.consumer import consumer, fetcher

log = logging.getLogger(__name__)


class HeedfulFetcher(fetcher.Fetcher):  # type: ignore[misc]  # aiokafka publishes no types
    """aiokafka's own, but for that."""

    async def _proc_fetch_request(self, assignment: Any, node_id: Any, request: Any) -> Any:
        states = {tp: assignment.state_value(tp) for tp in assignment.tps}
        positions = {tp: state.position for tp, state in states.items() if state.has_valid_position}
        try:
            return await super()._proc_fetch_request(assignment, node_id, request)
        except asyncio.CancelledError:
            return False  # nothing is there to wake anybody up for
        finally:
            for tp, position in positions.items():
                if states[tp].awaiting_reset:
                    gone = (
                        "%s[%d]: what stood at offset %d was removed unread; reading goes on at the first that is left"
                    )
                    log.error(gone, *tp, position)


def heed_failed_fetches() -> None:
    """Have aiokafka's consumers make such fetchers: they take the class by its name from their module."""
    consumer.Fetcher = HeedfulFetcher
