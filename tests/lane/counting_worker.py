"""The worker process of these tests: counters that remember neither ids nor offsets.

One event lost or counted twice shows in every later output of its key, so the outputs of each key must be exactly
1, 2, 3, … and the table must hold the last of them. Run with one argument: a JSON object, see `Options`.
"""

import json
import logging
import random
import sys
import time
from dataclasses import dataclass, field
from typing import Any

from streams.lane import Batch, BatchAgent, BatchResult, LaneSettings, Observer, Output, create_app, main
from streams.lane.stores import engine


@dataclass(frozen=True)
class Options:
    servers: str
    app_id: str
    sources: list[str]
    target: str
    chain_through: str | None = None
    settings: dict[str, Any] = field(default_factory=dict)
    fail_on_value: str | None = None
    output_bytes: int | None = None
    milliseconds_per_batch: float = 0.0
    state_bytes: int = 0
    file_bytes: int | None = None
    buffer_bytes: int | None = None


def counter(options: Options, target: str) -> Any:
    """Count per key: write the count to the table, send it to the target."""

    def count(batch: Batch) -> BatchResult:
        counts: dict[bytes, bytes | None] = {}
        outputs = []
        for record in batch.records:
            if options.fail_on_value is not None and record.value == options.fail_on_value.encode():
                raise ValueError("told to fail")
            seen = int((counts.get(record.key) or batch.table.get(record.key, b"0")).split()[0]) + 1
            value = b"%d" % seen
            counts[record.key] = value + noise(seen, options.state_bytes)
            outputs.append(Output(target, record.key, value.ljust(options.output_bytes or 0)))
        if options.milliseconds_per_batch:
            time.sleep(options.milliseconds_per_batch / 1000)
        return BatchResult(outputs, counts)

    return count


def noise(seed: int, size: int) -> bytes:
    """So many bytes that nothing can compress, the same for the same seed."""
    return b" " + random.Random(seed).randbytes(size // 2).hex().encode() if size else b""


class Printer(Observer):
    """What a test waits for, on standard output."""

    def ready(self, ready: bool) -> None:
        print("ready" if ready else "not ready", flush=True)

    def assigned(self, partitions: Any) -> None:
        print("assigned", *sorted(f"{topic}:{n}" for topic, n in partitions), flush=True)

    def batch_done(self, done: Any) -> None:
        print(f"batch {done.agent} {done.topic} {done.partition} {done.records}", flush=True)


def agents(options: Options) -> list[BatchAgent]:
    first = options.chain_through or options.target
    tables = {topic: f"first-{n}" for n, topic in enumerate(options.sources)}
    found = [BatchAgent("first", tuple(options.sources), counter(options, first), tables)]
    if options.chain_through:
        through = options.chain_through
        found.append(BatchAgent("second", (through,), counter(options, options.target), {through: "second"}))
    return found


def run(options: Options) -> int:
    """Run a worker until it ends. `file_bytes`: no file may grow larger, which RocksDB meets like a full disk."""
    settings = LaneSettings(app_id=options.app_id, bootstrap_servers=options.servers, **options.settings)
    if options.file_bytes is not None:
        import resource

        resource.setrlimit(resource.RLIMIT_FSIZE, (options.file_bytes, options.file_bytes))
    if options.buffer_bytes is not None:
        engine.BUFFER_BYTES = options.buffer_bytes
    return main(create_app(settings, agents(options), Printer()), log_level=logging.INFO)


if __name__ == "__main__":
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s %(message)s")
    sys.exit(run(Options(**json.loads(sys.argv[1]))))
