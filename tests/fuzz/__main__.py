"""`python -m tests.fuzz --messages 1000000 [--seed N]`: hostile input through a worker on a broker; `--in-process` without either."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import time
import uuid

from streams.broker import LocalBroker
from streams.settings import Security, Settings
from tests.fuzz import in_process, on_kafka, reading
from tests.fuzz.in_process import Report
from tests.fuzz.sending import SEED

FINDINGS_SHOWN = 20
STORIES_SHOWN = 12
TELL_EVERY = 20_000
READ_SHARE = 0.1
"""Of messages in process, so many more for what else is read: commands, activities, what connectors keep, policies."""


def main() -> int:
    """The command line; 1 where something was found."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--messages", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--in-process", action="store_true", help="the agents' functions, without a broker")
    options = parser.parse_args()
    began = time.monotonic()
    report = _in_process(options) if options.in_process else asyncio.run(_on_kafka(options))
    _show(report, options.seed, time.monotonic() - began)
    return bool(report.findings)


def _in_process(options: argparse.Namespace) -> Report:
    def tell(report: Report) -> None:
        if report.messages % TELL_EVERY < in_process.SLICE:
            print(f"{report.messages} messages, {len(report.findings)} findings", file=sys.stderr)

    report = in_process.run(options.messages, options.seed, tell)
    reading.read(int(options.messages * READ_SHARE), options.seed, report)
    return report


async def _on_kafka(options: argparse.Namespace) -> Report:
    prefix = f"fuzz-{uuid.uuid4().hex[:8]}."
    if given := os.environ.get("LEADSYNC_BOOTSTRAP_SERVERS"):
        return await on_kafka.run(Settings(given, prefix, security=Security()), options.messages, options.seed)
    with LocalBroker() as own:
        settings = Settings(own.bootstrap_servers, prefix, security=Security())
        return await on_kafka.run(settings, options.messages, options.seed)


def _show(report: Report, seed: int, seconds: float) -> None:
    print(f"seed {seed}: {report.messages} messages in {seconds:.0f} s")
    print(f"  taken {report.good}, rejected {report.rejected.total()}: {dict(report.rejected.most_common())}")
    print(
        f"  people {report.people}, {report.people_bytes / 1e6:.1f} MB; slowest message {report.slowest_seconds:.3f} s"
    )
    for story, count in report.stories.most_common(STORIES_SHOWN):
        print(f"  {count:8} {story}")
    for finding in report.findings[:FINDINGS_SHOWN]:
        print(f"FOUND {finding}")
    print(f"{len(report.findings)} findings")


if __name__ == "__main__":
    sys.exit(main())
