"""The broker for tests: the one named by LEADSYNC_BOOTSTRAP_SERVERS, else one in Docker where an engine answers, else our own.

Fixtures start things only when a test asks for them, and nothing here imports Docker or runs Java before that.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings

from streams.broker import LocalBroker
from tests.broker.in_docker import engine_answers, kafka_in_docker

# How long an example takes says something of the machine; what is slow stands in the benchmarks.
hypothesis_settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
hypothesis_settings.load_profile("untimed")


@pytest.fixture(scope="session")
def kafka() -> Iterator[str]:
    """Bootstrap servers of a broker that all tests share: use topics, groups and ids of your own, and don't stop it."""
    if given := os.environ.get("LEADSYNC_BOOTSTRAP_SERVERS"):
        yield given
    elif engine_answers():
        with kafka_in_docker() as bootstrap_servers:
            yield bootstrap_servers
    else:
        with LocalBroker() as own:
            yield own.bootstrap_servers


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[LocalBroker]:
    """A broker of the test's own, to kill and to restart; starts in about three seconds."""
    with LocalBroker(data_dir=tmp_path / "broker") as own:
        yield own
