"""What the data of a single broker need before one may start on them again, and how it has to stop.

A transaction is committed, for its producer, before the markers stand in its partitions; the coordinator writes those
right after. Killed in between, a broker starts with metadata that still call it the living leader of everything. So it
becomes coordinator, finds the unfinished transaction, and tries to send markers to itself, to a port that is not open
yet. Then the session of its former life ends, its partitions have no leader for a moment, and Kafka (4.3.0,
TransactionMarkerChannelManager) takes partitions without a leader for deleted ones: "likely deleted already and hence
can be skipped". It notes the transaction as complete. Its records stay hidden from read-committed readers for ever, and
so does all that follows in those partitions; or they come to light when their producer next commits. An offset commit
of the same transaction may be among what is skipped, and then its batch is done twice. Seen in about 1 of 10 kills of a
single node.

The way out: let that session end while no coordinator runs. Kafka's controller starts alone, with a session time-out of
a fifth of a second; it fences the broker; it stops. The broker then starts as one without partitions, becomes
coordinator only when it is registered and can be reached, and need not wait for its former session either.

A clean stop does the same harm by itself: in its *controlled shutdown* the broker gives up the leadership of its
partitions while its coordinator still sends markers, and nobody takes over where there is but one node. Seen in most of
the stops under load. So that is switched off (`controlled.shutdown.enable`): the broker stops as one that leads to the
end, and is then in the state of one that was killed, its logs closed.

Where partitions have replicas their leadership moves, and none of this happens.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from streams.broker.supervised import Supervised
from streams.broker.unavailable import BrokerUnavailable

FENCE_SECONDS_MAX = 40.0
WRITE_SECONDS_MAX = 10.0
STOP_SECONDS_MAX = 15.0
POLL_SECONDS = 0.05

# The controller says so at level INFO; that is switched on for these two classes alone.
ACTIVE, FENCED = "Activated periodic tasks", "Fencing broker "
LOGGING = [
    f"-Dorg.slf4j.simpleLogger.log.org.apache.kafka.controller.{name}=info"
    for name in ("PeriodicTaskControlManager", "ReplicationControlManager")
]

# A broker killed before it had registered, or while its session was over, has none to fence.
GRACE_SECONDS = 1.5


def fence(supervised: Supervised, java_command: Sequence[str], properties: Path, log: Path) -> None:
    """Runs the controller alone until the former session is over."""
    said_before = log.stat().st_size if log.exists() else 0
    supervised.run([*java_command, *LOGGING, "kafka.Kafka", str(properties)])
    if _session_ended(supervised, said_before, log):
        _wait_until_written(properties.parent / "logs")
    supervised.terminate()
    if supervised.wait(STOP_SECONDS_MAX) is None:
        supervised.kill()
        supervised.wait(STOP_SECONDS_MAX)


def _session_ended(supervised: Supervised, said_before: int, log: Path) -> bool:
    deadline = time.monotonic() + FENCE_SECONDS_MAX
    while FENCED not in (said := _said_since(said_before, log)):
        if ACTIVE in said:
            deadline = min(deadline, time.monotonic() + GRACE_SECONDS)
        if supervised.ended() is not None:
            raise BrokerUnavailable(f"Kafka's controller ended while starting; see {log}")
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_SECONDS)
    return True


def _wait_until_written(logs: Path) -> None:
    """The controller speaks before it writes, and a stop drops what waits to be written. Records are written in order,
    so what it spoke of stands in its log when that has grown twice since: the first growth may be of older records."""
    deadline = time.monotonic() + WRITE_SECONDS_MAX
    size_bytes = _metadata_bytes(logs)
    growths = 0
    while growths < 2 and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS / 5)
        now_bytes = _metadata_bytes(logs)
        growths += now_bytes > size_bytes
        size_bytes = now_bytes


def _metadata_bytes(logs: Path) -> int:
    return sum(segment.stat().st_size for segment in (logs / "__cluster_metadata-0").glob("*.log"))


def _said_since(position_bytes: int, log: Path) -> str:
    with log.open("rb") as file:
        file.seek(position_bytes)
        return file.read().decode(errors="replace")
