"""Events per CPU-second of a lane with a trivial handle: `python -m tests.lane.measure SERVERS [EVENTS]`.

270-byte JSON over 4 partitions and 5,000 keys, all produced beforehand; the handle decodes with orjson, replaces one
value of the record's own size per key in the table, and sends one output of that size. CPU is the whole worker's.
"""

import asyncio
import os
import sys
import time

import orjson

from streams.lane import (
    Batch,
    BatchAgent,
    BatchResult,
    LaneSettings,
    Observer,
    Output,
    changelog_topics,
    create_app,
    serve,
)
from tests.lane.broker import create_topics, fresh, produce

PARTITIONS = 4


class Stopwatch(Observer):
    def __init__(self, events: int, stop: asyncio.Event) -> None:
        self.left, self.stop = events, stop
        self.batches = 0

    def ready(self, ready: bool) -> None:
        if ready:
            self.wall, self.cpu = time.perf_counter(), time.process_time()

    def batch_done(self, done) -> None:
        self.left -= done.records
        self.batches += 1
        if self.left == 0:
            self.wall, self.cpu = time.perf_counter() - self.wall, time.process_time() - self.cpu
            self.stop.set()


async def measure(servers: str, events: int, *, state: bool, output: bool) -> None:
    source, target = fresh("measure"), fresh("measured")

    def handle(batch: Batch) -> BatchResult:
        writes, outputs = {}, []
        for record in batch.records:
            orjson.loads(record.value)
            if state:
                batch.table.get(record.key)
                writes[record.key] = record.value
            if output:
                outputs.append(Output(target, record.key, record.value))
        return BatchResult(outputs, writes)

    agent = BatchAgent("measure", (source,), handle, {source: "state"})
    settings = LaneSettings(app_id=fresh("measure-app"), bootstrap_servers=servers)
    await create_topics(servers, [source, target, *changelog_topics(settings, [agent])], PARTITIONS)
    value = orjson.dumps({"email": "someone@example.com", "filler": "x" * 220})
    keys = [b"%036d" % n for n in range(5_000)]
    await produce(servers, source, ((keys[n % len(keys)], value) for n in range(events)), PARTITIONS)
    stop = asyncio.Event()
    stopwatch = Stopwatch(events, stop)
    status = await serve(create_app(settings, [agent], stopwatch), stop=stop)
    print(
        f"state={state} output={output}: {events / stopwatch.cpu:,.0f} per CPU-second, {events / stopwatch.wall:,.0f} per"
        f" second, {stopwatch.batches} batches, status {status}, load {os.getloadavg()[0]:.1f}"
    )


if __name__ == "__main__":
    from streams.lane.loops import new_event_loop

    for state, output in ((False, False), (True, False), (False, True), (True, True)):
        with asyncio.Runner(loop_factory=new_event_loop) as runner:
            runner.run(
                measure(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 200_000, state=state, output=output)
            )
