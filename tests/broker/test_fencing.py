"""A killed broker comes back only when its former session has ended: see streams/broker/fencing.py."""

from __future__ import annotations

import asyncio

import pytest

from streams.broker import LocalBroker, server
from tests.broker.test_local_broker import read_first, write

pytestmark = pytest.mark.kafka

# Longer than a start may take.
SESSION_MS = 300_000


@pytest.fixture
def long_sessions(monkeypatch: pytest.MonkeyPatch) -> None:
    """The session of a killed broker outlasts its next start, as with the usual 30 seconds it sometimes does."""
    usual = server.broker_settings
    monkeypatch.setattr(
        server, "broker_settings", lambda ports: usual(ports) | {"broker.session.timeout.ms": str(SESSION_MS)}
    )


@pytest.mark.usefixtures("long_sessions")
def test_the_former_session_is_over_before_a_killed_broker_starts_again(broker: LocalBroker) -> None:
    """Did it end under the new broker, transactions whose markers are still due would count as done, and stay hidden."""
    asyncio.run(write(broker.bootstrap_servers, "people", b"committed"))
    broker.kill()
    broker.restart()
    assert asyncio.run(read_first(broker.bootstrap_servers, "people")) == b"committed"
