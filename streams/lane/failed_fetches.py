"""What becomes of a fetch that fails.

- It waits before it is tried again. Cancelled meanwhile, it ends as quietly as one that is under way: aiokafka cancels its
  fetches when a consumer stops, and awaits them. One that waits raises CancelledError then, and so does `stop`, to whoever
  called it: the consumer's thread ended by it without a word, and the worker was taken to hang.
- Where the messages at its position are gone, because a topic keeps them for less long than a worker was behind, aiokafka goes
  on at the first that is left and says so at INFO. It is a loss, and told as one.
- Where the log ends before its position, because it has lost its end or the topic was made anew, aiokafka goes on at the
  beginning, and all of it is read again. Which of the two it is, the group's commit tells whoever starts anew
  (`positions.starts`), so `getmany` raises OffsetOutOfRangeError.
"""

import asyncio
import logging
from typing import Any

from aiokafka.consumer import consumer, fetcher
from aiokafka.errors import OffsetOutOfRangeError

log = logging.getLogger(__name__)


class HeedfulFetcher(fetcher.Fetcher):  # type: ignore[misc]  # aiokafka publishes no types
    """aiokafka's own, but for that."""

    def __init__(self, *members: Any, **more: Any) -> None:
        self._out_of_range: dict[Any, int] = {}  # partition -> its position, until it has another
        super().__init__(*members, **more)

    async def _proc_fetch_request(self, assignment: Any, node_id: Any, request: Any) -> Any:
        states = {tp: assignment.state_value(tp) for tp in assignment.tps}
        positions = {tp: state.position for tp, state in states.items() if state.has_valid_position}
        try:
            return await super()._proc_fetch_request(assignment, node_id, request)
        except asyncio.CancelledError:
            return False  # nothing is there to wake anybody up for
        finally:
            self._out_of_range |= {tp: position for tp, position in positions.items() if states[tp].awaiting_reset}

    def seek_to(self, tp: Any, offset: int) -> None:
        self._out_of_range.pop(tp, None)
        super().seek_to(tp, offset)

    async def _update_fetch_positions(self, assignment: Any, node_id: Any, tps: Any) -> Any:
        needs_wakeup = await super()._update_fetch_positions(assignment, node_id, tps)
        for tp in self._out_of_range.keys() & set(tps):
            state = assignment.state_value(tp)
            if state is None or not state.has_valid_position:
                continue
            position = self._out_of_range.pop(tp)
            if state.position > position:
                gone = "%s[%d]: what stood at offset %d was removed unread; reading goes on at the first that is left"
                log.error(gone, *tp, position)
            elif tp not in self._records:
                self._set_error(tp, OffsetOutOfRangeError({tp: position}))
                needs_wakeup = True
        return needs_wakeup


def heed_failed_fetches() -> None:
    """Have aiokafka's consumers make such fetchers: they take the class by its name from their module."""
    consumer.Fetcher = HeedfulFetcher
