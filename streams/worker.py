"""`leadsync worker`: topics and policy checked, then the app and its port, until a signal or a failure ends it."""

from __future__ import annotations

import asyncio
import logging
import sys
from pathlib import Path

from streams.app import Worker, build_worker
from streams.error_count import errors_in
from streams.health import serve_health
from streams.lane import leave_if_hung, serve
from streams.policies import ensure_policy
from streams.policy import default_policy_text, default_rule_texts, read_policy_file
from streams.settings import Settings
from streams.topics import ensure_topics

log = logging.getLogger(__name__)

SLICE_STATES = 2_000


async def run_worker(settings: Settings, policy_file: Path | None = None, *, create_topics: bool = False) -> int:
    """Run one worker; returns its exit status: 0 when it was asked to stop, else for a supervisor to start again."""
    await ensure_topics(settings, create=create_topics)
    worker = build_worker(settings)
    stop = asyncio.Event()
    text, rules = read_policy_file(policy_file) if policy_file else (default_policy_text(), default_rule_texts())
    try:
        await worker.policies.read_to_end()
        await ensure_policy(settings, worker.policies, text, rules, asked=policy_file is not None)
        return await _serve(settings, worker, stop)
    finally:
        await worker.policies.close()


async def _serve(settings: Settings, worker: Worker, stop: asyncio.Event) -> int:
    following = asyncio.create_task(worker.policies.follow(), name="policies")
    counting = asyncio.create_task(_count_open_errors(worker), name="open errors")
    failed: list[BaseException] = []

    def ended(task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            log.critical("%s ended: %s: %s", task.get_name(), type(error).__name__, error)
            failed.append(error)
            stop.set()

    for task in (following, counting):
        task.add_done_callback(ended)
    try:
        async with serve_health(settings, worker.metrics, worker.metrics.waiting_for) as port:
            print(f"worker: http://{settings.host}:{port}/health/ready", file=sys.stderr, flush=True)  # noqa: T201
            status = await serve(worker.app, stop=stop)
            leave_if_hung(status)
    finally:
        following.cancel()
        counting.cancel()
        await asyncio.gather(following, counting, return_exceptions=True)
    return 1 if failed else status


async def _count_open_errors(worker: Worker) -> None:
    """Whenever partitions come to this worker, count the sync errors that are open in their states."""
    while True:
        await worker.metrics.assignment_changed()
        open_now = worker.tally.errors_open
        open_now.clear()
        # What stood when the partitions came is counted slice by slice; what batches change meanwhile, they count themselves.
        # A store that lasts has counted: a million states are not walked for one number.
        stores = worker.app.lanes.table("people")
        open_now.update({n: store.counted for n, store in stores.items() if store.counted is not None})
        standing = {n: [v for _, v in store.items()] for n, store in stores.items() if store.counted is None}
        for partition, states in standing.items():
            for start in range(0, len(states), SLICE_STATES):
                open_now[partition] += sum(map(errors_in, states[start : start + SLICE_STATES]))
                await asyncio.sleep(0)
