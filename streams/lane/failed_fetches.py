"""A fetch that failed waits before it is tried again. Cancelled meanwhile, it ends as quietly as one that is under way.

aiokafka cancels its fetches when a consumer stops, and awaits them. One that waits raises CancelledError then, and so does
`stop`, to whoever called it: the consumer's thread ended by it without a word, and the worker was taken to hang.
"""

import asyncio
from typing import Any

from aiokafka.consumer import consumer, fetcher


class CancellableFetcher(fetcher.Fetcher):  # type: ignore[misc]  # aiokafka publishes no types
    """aiokafka's own, but for that."""

    async def _proc_fetch_request(self, assignment: Any, node_id: Any, request: Any) -> Any:
        try:
            return await super()._proc_fetch_request(assignment, node_id, request)
        except asyncio.CancelledError:
            return False  # nothing is there to wake anybody up for


def cancel_failed_fetches_quietly() -> None:
    """Have aiokafka's consumers make such fetchers: they take the class by its name from their module."""
    consumer.Fetcher = CancellableFetcher
