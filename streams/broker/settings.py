"""The broker's settings: one table for `leadsync broker` and docker-compose.yml, and what only the former needs.

A test compares SHARED with the environment of the compose file's Kafka, so that what works here works there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

HOST = "127.0.0.1"
MIB = 1024 * 1024

# Any 22 characters of URL-safe base64 that decode to 16 bytes will do; the same for all, since none ever meets another.
CLUSTER_ID = "bGVhZHN5bmMtYnJva2VyLQ"

SHARED: Mapping[str, str] = {
    "node.id": "1",
    "process.roles": "broker,controller",
    "controller.listener.names": "CONTROLLER",
    # Topics come from `leadsync topics`, with the right partitions; a typing error must not make one.
    "auto.create.topics.enable": "false",
    # One node holds the only copy of everything.
    "default.replication.factor": "1",
    "offsets.topic.replication.factor": "1",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    # Fifty partitions each by default: files to open and logs to load at every start, for one or two groups.
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.num.partitions": "4",
    "share.coordinator.state.topic.num.partitions": "4",
    # Nobody joins late on one machine.
    "group.initial.rebalance.delay.ms": "0",
    # Tests stop a worker for longer than its session; they can't wait for the default floor of 6 s.
    "group.min.session.timeout.ms": "1000",
    # Topics ask for up to 8 MiB (`leadsync topics`); the broker's own limit stays above theirs.
    "message.max.bytes": str(16 * MIB),
    "replica.fetch.max.bytes": str(16 * MIB),
    # Transactions of a worker that died are aborted soon after their own time-out, not ten seconds later.
    "transaction.abort.timed.out.transaction.cleanup.interval.ms": "1000",
}


def as_environment(settings: Mapping[str, str]) -> dict[str, str]:
    """The same for the official image, which reads settings from variables such as KAFKA_NODE_ID."""
    return {"KAFKA_" + name.upper().replace(".", "_"): value for name, value in settings.items()}


@dataclass(frozen=True)
class Ports:
    client: int
    controller: int


def broker_settings(ports: Ports) -> dict[str, str]:
    """For listeners on the loopback interface only, and a data folder that is Java's current one."""
    return {
        **SHARED,
        "listeners": f"PLAINTEXT://{HOST}:{ports.client},CONTROLLER://{HOST}:{ports.controller}",
        "advertised.listeners": f"PLAINTEXT://{HOST}:{ports.client}",
        # Static voters: the address is read from here at each start. With dynamic ones it stands in the log, and
        # kept data would hold the broker to the ports of its first run.
        "controller.quorum.voters": f"1@{HOST}:{ports.controller}",
        # Relative to where Java runs: in this setting a comma separates, and in this file an umlaut is two characters.
        "log.dirs": "logs",
        # Its coordinator goes on while the partitions have no leader any more, and halves transactions: see fencing.py.
        "controlled.shutdown.enable": "false",
        # A stalled machine must not end the session of its only broker: nobody could take over, and see fencing.py.
        "broker.session.timeout.ms": "30000",
    }


def controller_settings(ports: Ports) -> dict[str, str]:
    """For the short run of the controller alone, in which the session of a killed broker runs out (fencing.py)."""
    settings = broker_settings(ports)
    del settings["advertised.listeners"]
    return {
        **settings,
        "process.roles": "controller",
        "listeners": f"CONTROLLER://{HOST}:{ports.controller}",
        "broker.session.timeout.ms": "200",
        "broker.heartbeat.interval.ms": "100",
        # An idle controller writes a record that often; fencing.py waits for two.
        "metadata.max.idle.interval.ms": "50",
    }


def as_properties(settings: Mapping[str, str]) -> str:
    return "".join(f"{name}={value}\n" for name, value in settings.items())
