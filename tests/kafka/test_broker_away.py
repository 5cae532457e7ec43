"""A worker that was asked to stop, or has to, while the broker does not answer: it must not linger as a member of the group."""

from __future__ import annotations

import asyncio
import os
import signal
import uuid

import pytest

from streams.broker import LocalBroker
from streams.settings import Security, Settings
from tests.kafka.load import committed, edits, send
from tests.kafka.workers import workers

pytestmark = pytest.mark.kafka

HUNG = 70
PATIENCE_SECONDS = 60.0


async def test_a_worker_that_cannot_finish_its_batch_ends_all_the_same(broker: LocalBroker) -> None:
    """Else its heartbeats would go on, and a rebalance would wait for it for as long as the group has patience."""
    settings = Settings(broker.bootstrap_servers, f"test-{uuid.uuid4().hex[:8]}.", security=Security())
    messages, _ = edits(400, 40)
    async with workers(settings, "one") as [worker]:
        loading = asyncio.create_task(send(settings, messages))
        async with asyncio.timeout(PATIENCE_SECONDS):
            while await committed(settings) < 500:
                await asyncio.sleep(0.02)
        assert broker.pid is not None
        os.kill(broker.pid, signal.SIGSTOP)
        try:
            assert await worker.end(signal.SIGTERM) == HUNG
        finally:
            os.kill(broker.pid, signal.SIGCONT)
        await loading


async def test_a_worker_with_nothing_in_hand_ends_well_while_the_broker_is_away(broker: LocalBroker) -> None:
    """Its fetches fail and are tried again, and again; none of them keeps it."""
    settings = Settings(broker.bootstrap_servers, f"test-{uuid.uuid4().hex[:8]}.", security=Security())
    async with workers(settings, "one") as [worker]:
        broker.kill()
        async with asyncio.timeout(PATIENCE_SECONDS):
            while "Failed fetch messages" not in worker.log:  # told once a minute, see `log_lines.Seldom`
                await asyncio.sleep(0.02)
        assert await worker.end(signal.SIGTERM) == 0, worker.log[-3000:]
