"""Running a lane app as a process: start, wait for a signal or a failure, stop, and the exit status.

Faust's own worker is not used: its way out sleeps for seconds, it opens a console and a web port, and what happened
does not show in its status. Here 0 means stopped as asked, everything in hand committed; anything else is for the
supervisor to start again.
"""

import asyncio
import contextlib
import logging
import os
import signal
import sys
from collections.abc import AsyncIterator
from time import monotonic

from streams.lane import collector
from streams.lane.app import LaneApp
from streams.lane.batch import LaneError
from streams.lane.loops import new_event_loop
from streams.lane.observer import SILENT_SECONDS
from streams.lane.transport import LAG_SECONDS

log = logging.getLogger(__name__)

EX_OK = 0
EX_FAILURE = 1
EX_HUNG = 70  # the sysexits number for an internal error
STOP_SECONDS = 15.0


def main(app: LaneApp, *, log_level: int = logging.INFO, rare_collector: bool = True) -> int:
    """Run until SIGTERM or SIGINT, or until it cannot go on; returns the exit status.

    The level is set on the root logger: left to handlers, every debug call of aiokafka would still build its record.
    """
    logging.getLogger().setLevel(log_level)
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        status = runner.run(serve(app, rare_collector=rare_collector))
        leave_if_hung(status)
    return status


def leave_if_hung(status: int) -> None:
    """End this process where `serve` could not stop: whoever runs it in a loop of their own has to call this next.

    Neither closing the loop nor joining the consumer's thread would end. A process that lingers goes on with its heartbeats,
    and the group waits for it at the next rebalance.
    """
    if status == EX_HUNG:
        logging.shutdown()
        sys.stdout.flush()
        os._exit(status)


async def serve(app: LaneApp, *, stop: asyncio.Event | None = None, rare_collector: bool = True) -> int:
    """Run the app in this loop until `stop` is set, a signal comes or it cannot go on; returns the exit status.

    Raises LaneError where another worker has the data folder.
    """
    stop = stop or asyncio.Event()
    app.loop = asyncio.get_running_loop()
    with app.lanes.stores.claim():
        return await _serve(app, stop, rare_collector)


async def _serve(app: LaneApp, stop: asyncio.Event, rare_collector: bool) -> int:
    async with _signals(stop), _companions(app, rare_collector):
        starting = asyncio.create_task(app.start(), name="start")
        reason = await _end(app, starting, stop)
        stopped = await _stop(app, starting)
    if reason is not None and reason is not app.lanes.failure:  # which has been told, with its place
        app.lanes.fail("the worker", reason)
    if not stopped:
        return EX_HUNG
    return EX_OK if app.lanes.failure is None else EX_FAILURE


async def _end(app: LaneApp, starting: asyncio.Task[None], stop: asyncio.Event) -> BaseException | None:
    """Wait for the first reason to end: None if it was asked for."""
    asked = asyncio.create_task(stop.wait())
    failed = asyncio.create_task(app.lanes.failed.wait())
    crashed = asyncio.create_task(app._crashed.wait())
    try:
        await asyncio.wait({asked, failed, crashed, starting}, return_when=asyncio.FIRST_COMPLETED)
        if starting.done() and (error := starting.exception()) is not None:
            return error
        await asyncio.wait({asked, failed, crashed}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for waiting in (asked, failed, crashed):
            waiting.cancel()
    if not (app.lanes.failed.is_set() or app._crashed.is_set()):
        return None
    # A crash in the consumer's thread may show before its reason does.
    return app.lanes.failure or app.crash_reason or LaneError("Faust crashed; its log says why")


async def _stop(app: LaneApp, starting: asyncio.Task[None]) -> bool:
    """Finish the batch in hand and leave the group, within a limit.

    Not by `wait_for`: that waits for what it has cancelled, and Faust's services keep a cancellation to themselves and go on.
    """
    stopping = asyncio.create_task(app.stop(), name="stop")
    await asyncio.wait({stopping}, timeout=STOP_SECONDS)
    starting.cancel()
    if not stopping.done():
        log.critical("not stopped within %.0f seconds", STOP_SECONDS)
        stopping.cancel()
        return False
    await asyncio.wait({starting}, timeout=STOP_SECONDS)  # nor does a start have to heed it
    await stopping
    return True


@contextlib.asynccontextmanager
async def _signals(stop: asyncio.Event) -> AsyncIterator[None]:
    loop, stopping = asyncio.get_running_loop(), (signal.SIGTERM, signal.SIGINT)
    for number in stopping:
        loop.add_signal_handler(number, stop.set)
    try:
        yield
    finally:
        for number in stopping:
            loop.remove_signal_handler(number)


@contextlib.asynccontextmanager
async def _companions(app: LaneApp, rare_collector: bool) -> AsyncIterator[None]:
    """What runs beside the app: the report of lags, and the collector."""
    tasks = [asyncio.create_task(_report_lags(app), name="lags")]
    if rare_collector:
        collector.make_rare()
        tasks.append(asyncio.create_task(collector.collect_when_idle(lambda: _was_busy(app)), name="collector"))
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _report_lags(app: LaneApp) -> None:
    answered, is_silent = monotonic(), False
    while True:
        await asyncio.sleep(LAG_SECONDS)
        try:
            if app.flowing:
                async with asyncio.timeout(SILENT_SECONDS):
                    app.lane_observer.lag(await app.consumer.lags())
                app.lane_observer.oldest(app.lanes.oldest_timestamps_ms())
        except Exception:  # a rebalance may come between; the next second tells
            if not is_silent and monotonic() - answered > SILENT_SECONDS:
                is_silent = True
                log.warning("Kafka has not answered for %.0f seconds; this worker waits until it does", SILENT_SECONDS)
        else:
            if is_silent:
                log.info("Kafka answers again")
            answered, is_silent = monotonic(), False


def _was_busy(app: LaneApp) -> bool:
    busy, app.lanes.busy = app.lanes.busy, False
    return busy
