"""The limits and waits of a lane, each with its reason."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class LaneSettings:
    """One consumer group of workers. `app_id` names the group and begins every transactional id and changelog name.

    `client_settings` reach every Kafka client: security_protocol, ssl_context, sasl_*.
    `group_instance_id` makes the member static: a restart within the session time-out then moves no partition.
    """

    app_id: str
    bootstrap_servers: str
    client_settings: Mapping[str, Any] = field(default_factory=dict)
    group_instance_id: str | None = None

    # Where tables are kept between runs, in RocksDB; no two workers share one. Without it they are in memory.
    data_folder: str | None = None

    # A batch is what waits, up to these; a partition with twice as much waiting is not fetched from. Twice as many records
    # cost a twentieth less each, but a worker that gets a tenth of what it needs then loses its partitions for want of heartbeats.
    batch_records: int = 1_000
    batch_bytes: int = 8_000_000

    # The largest record (key, value and headers) the lane will send; topics and brokers must take a little more.
    max_record_bytes: int = 1_000_000
    # One produce request carries one batch per partition. Stay below the broker's message.max.bytes (1,048,588).
    produce_batch_bytes: int = 900_000
    compression_type: str | None = None

    # Long polling: how long the broker holds a fetch that finds nothing. Data ends it at once, so it delays no record;
    # it bounds how long a partition that became free again waits for its place in the next request.
    fetch_max_wait_ms: int = 100
    # At least one record is always fetched, however large.
    max_partition_fetch_bytes: int = 1_048_576

    # An open transaction hides what others committed in the partitions it touched until it is fenced or times out.
    transaction_timeout_ms: int = 10_000
    request_timeout_ms: int = 30_000
    session_timeout_ms: int = 10_000
    heartbeat_interval_ms: int = 2_000
    # How long the group waits at a rebalance for a member to finish the batch in hand.
    rebalance_timeout_ms: int = 60_000
    max_poll_interval_ms: int = 900_000
    # A topic that was deleted and made anew is not seen before.
    metadata_max_age_ms: int = 30_000

    # A broker forgets a transactional id that was not used for a week (`transactional.id.expiration.ms`), and refuses it then.
    idle_commit_seconds: float = 86_400.0

    def transactional_id(self, agent: str, topic: str, partition: int) -> str:
        """Who owns a source partition; must never change its scheme, or two owners would not fence each other."""
        return f"{self.app_id}-{agent}-{topic}-{partition}"

    def changelog_topic(self, table: str) -> str:
        """Faust's own name for the changelog of a table."""
        return f"{self.app_id}-{table}-changelog"

    def client(self, role: str) -> dict[str, Any]:
        """The arguments that every aiokafka client takes."""
        return {
            "bootstrap_servers": self.bootstrap_servers,
            "client_id": f"{self.app_id}-{role}",
            "request_timeout_ms": self.request_timeout_ms,
            **self.client_settings,
        }
