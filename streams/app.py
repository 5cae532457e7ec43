"""The composition root: one Faust app of the two agents, its policies, its counts and its metrics."""

from __future__ import annotations

from dataclasses import dataclass

from schemas.limits import MESSAGE_BYTES_MAX, RECORD_BYTES_MAX
from streams.agents import INTAKE, SYNC, Intake, Sync
from streams.error_count import errors_in
from streams.lane import BatchAgent, LaneApp, LaneSettings, create_app
from streams.metrics import Metrics
from streams.policies import PolicyBook
from streams.settings import Settings
from streams.tally import Tally

HEARTBEAT_MS = 200
"""Members hear by their heartbeats that another one left: so long do its partitions wait to be given to somebody."""


@dataclass(frozen=True)
class Worker:
    """A Faust app and what it is made of."""

    app: LaneApp
    policies: PolicyBook
    tally: Tally
    metrics: Metrics


def lane_settings(settings: Settings) -> LaneSettings:
    """The lane's settings for this installation."""
    return LaneSettings(
        app_id=settings.app_id,
        bootstrap_servers=settings.bootstrap_servers,
        client_settings=settings.security.client_settings(),
        group_instance_id=settings.instance_id,
        session_timeout_ms=settings.session_timeout_ms,
        heartbeat_interval_ms=min(HEARTBEAT_MS, settings.session_timeout_ms // 5),
        max_record_bytes=RECORD_BYTES_MAX,
        produce_batch_bytes=RECORD_BYTES_MAX,
        max_partition_fetch_bytes=MESSAGE_BYTES_MAX // 4,
        data_folder=str(settings.data_folder) if settings.store == "rocksdb" else None,
    )


def agents_of(settings: Settings, policies: PolicyBook, tally: Tally) -> tuple[BatchAgent, BatchAgent]:
    """`intake` and `sync`, with their topics and tables."""
    intake, sync = Intake(settings.topic, policies, tally), Sync(settings.topic, policies, tally)
    return (
        BatchAgent(INTAKE, intake.topics, intake.handle, intake.tables),
        BatchAgent(SYNC, sync.topics, sync.handle, sync.tables, counts=dict.fromkeys(sync.topics, errors_in)),
    )


def build_app(settings: Settings) -> LaneApp:
    """The Faust app of a worker. Connects to nothing."""
    return build_worker(settings).app


def build_worker(settings: Settings) -> Worker:
    """The Faust app of a worker with what it is made of. Connects to nothing."""
    tally = Tally()
    metrics, policies = Metrics(tally), PolicyBook(settings)
    app = create_app(lane_settings(settings), agents_of(settings, policies, tally), metrics)
    return Worker(app, policies, tally, metrics)
