"""The broker for tests where a Docker engine answers: the image and the settings of docker-compose.yml, on a port of its own."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from streams.broker.lock import kafka_version
from streams.broker.probe import answers
from streams.broker.server import free_port
from streams.broker.settings import CLUSTER_ID, SHARED, as_environment

ENGINE_SECONDS_MAX = 3
START_SECONDS_MAX = 90


def engine_answers() -> bool:
    """That a `docker` command exists says nothing; an engine that takes longer than this is none to test with."""
    try:
        import docker
        from docker.errors import DockerException
    except ImportError:
        return False
    try:
        client = docker.from_env(timeout=ENGINE_SECONDS_MAX)
        client.ping()
    except (DockerException, OSError):
        return False
    client.close()
    return True


@contextmanager
def kafka_in_docker() -> Iterator[str]:
    """testcontainers' own KafkaContainer knows only another vendor's image, whose start scripts the official one lacks."""
    from testcontainers.core.container import DockerContainer

    port = free_port()
    container = DockerContainer(f"apache/kafka:{kafka_version()}").with_bind_ports(29092, port)
    # An IPv4 address: `localhost` may mean ::1, where the published port need not be.
    host = container.get_docker_client().host().replace("localhost", "127.0.0.1")
    with container.with_envs(**environment(f"{host}:{port}")):
        _wait_for(host, port)
        yield f"{host}:{port}"


def environment(advertised: str) -> dict[str, str]:
    """Two listeners, since the broker also connects to itself, and from inside the advertised port does not exist."""
    local = {
        "listeners": "INSIDE://localhost:9092,OUTSIDE://:29092,CONTROLLER://localhost:29093",
        "advertised.listeners": f"INSIDE://localhost:9092,OUTSIDE://{advertised}",
        "listener.security.protocol.map": "INSIDE:PLAINTEXT,OUTSIDE:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "inter.broker.listener.name": "INSIDE",
        "controller.quorum.voters": "1@localhost:29093",
        "log.dirs": "/var/lib/kafka/data",
    }
    return {"CLUSTER_ID": CLUSTER_ID, **as_environment({**SHARED, **local})}


def _wait_for(host: str, port: int) -> None:
    deadline = time.monotonic() + START_SECONDS_MAX
    while not answers(host, port):
        if time.monotonic() > deadline:
            raise TimeoutError(f"Kafka in Docker did not answer at {host}:{port} within {START_SECONDS_MAX} s")
        time.sleep(0.2)
