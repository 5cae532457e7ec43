"""Connections that their broker closed a moment ago, or never answers, and clusters that take no transaction, on the loop that
every process of ours runs on."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from aiokafka import conn
from aiokafka.cluster import ClusterMetadata
from aiokafka.errors import GroupCoordinatorNotAvailableError, KafkaConnectionError
from aiokafka.producer import producer
from aiokafka.producer.message_accumulator import MessageAccumulator
from aiokafka.producer.transaction_manager import TransactionManager
from aiokafka.protocol.metadata import MetadataRequest
from aiokafka.protocol.transaction import InitProducerIdResponse_v0

from streams.lane.connections import TellingConnection
from streams.lane.loops import new_event_loop

STOCK = TellingConnection.__mro__[1]
UPSTREAM = pytest.mark.xfail(reason="aio-libs/aiokafka#1038", raises=RuntimeError, strict=True)
SASL = "sasl token"


@pytest.fixture
def loop() -> Iterator[asyncio.Runner]:
    """Ours: uvloop's."""
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        yield runner


async def after_its_end(connection_class: Any, what: str) -> None:
    """Send on a connection whose transport is closed, but whose reader has yet to notice."""
    server = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    connection = connection_class("127.0.0.1", port)
    connection._create_reader_task = lambda: asyncio.get_running_loop().create_future()
    connection._do_version_lookup = lambda: asyncio.sleep(0)
    await connection.connect()
    connection._versions = {3: (0, 5)}
    connection._writer.transport.abort()
    await connection._closed_fut
    try:
        if what == SASL:
            await connection._send_sasl_token(b"token")
        else:
            await connection.send(MetadataRequest(None))
    finally:
        server.close()
        assert (connection._writer is None) == (connection_class is TellingConnection)


@pytest.mark.parametrize("what", ["request", SASL])
@pytest.mark.parametrize("connection_class", [pytest.param(STOCK, marks=UPSTREAM), TellingConnection])
def test_a_request_on_a_closed_connection_is_a_broken_connection(
    connection_class: Any, what: str, loop: asyncio.Runner
) -> None:
    """That is an error from which every client of aiokafka goes on: it connects again."""
    with pytest.raises(KafkaConnectionError, match="broken"):
        loop.run(after_its_end(connection_class, what))


def test_clients_make_such_connections(loop: asyncio.Runner) -> None:
    """As soon as there is a loop of ours."""
    assert conn.AIOKafkaConnection is TellingConnection


async def to_a_mute_address(request_seconds: float) -> None:
    """Somebody listens, takes the connection, and that is all."""
    server = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0)
    try:
        await TellingConnection(
            "127.0.0.1", server.sockets[0].getsockname()[1], request_timeout_ms=int(request_seconds * 1000)
        ).connect()
    finally:
        server.close()


@pytest.mark.parametrize(("patience_seconds", "lines"), [(0.2, 1), (5.0, 0)])
def test_whoever_does_not_answer_is_named_and_waited_for(
    patience_seconds: float,
    lines: int,
    loop: asyncio.Runner,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Once, long before the request is given up; and that error has words of its own."""
    monkeypatch.setattr(TellingConnection, "patience_seconds", patience_seconds)
    with pytest.raises(TimeoutError, match="no answer within 1 seconds"):
        loop.run(to_a_mute_address(1.0))
    assert [record.getMessage().split(" ", 1)[1] for record in caplog.records] == [
        "has not answered for 0 seconds; still waiting"
    ] * lines


class WithoutCoordinator:
    """A cluster of fewer brokers than its log of transactions asks for: at first, or for as long as somebody waits."""

    _client_id = "somebody"

    def __init__(self, refusals: int) -> None:
        self._refusals = refusals

    async def coordinator_lookup(self, kind: Any, key: str) -> int:
        if self._refusals:
            self._refusals -= 1
            raise GroupCoordinatorNotAvailableError
        return 1

    async def force_metadata_update(self) -> None:
        """There is nothing new."""

    async def ready(self, node: int, group: Any) -> bool:
        return True

    def get_random_node(self) -> int:
        return 1

    async def send(self, node: int, request: Any, group: Any) -> Any:
        if self._refusals:
            self._refusals -= 1
            await asyncio.sleep(0.02)
            raise KafkaConnectionError
        return InitProducerIdResponse_v0(0, 0, 7, 0)


async def begin(
    client: WithoutCoordinator, sender_class: Any, transactional_id: str | None = "app-agent-topic-0"
) -> None:
    """Start what a transactional producer starts, or one that only repeats nothing."""
    transactions = TransactionManager(transactional_id, 10_000)
    accumulated = MessageAccumulator(ClusterMetadata(), 1_000, None, 30, txn_manager=transactions)
    starting = sender_class(
        client,
        acks=-1,
        txn_manager=transactions,
        message_accumulator=accumulated,
        retry_backoff_ms=20,
        request_timeout_ms=1_000,
    )
    await starting.start()
    await asyncio.sleep(0)
    await starting.close()


@pytest.mark.parametrize(("patience_seconds", "lines"), [(0.1, 1), (5.0, 0)])
def test_a_cluster_that_lets_no_transaction_begin_is_told_of_and_waited_for(
    patience_seconds: float,
    lines: int,
    loop: asyncio.Runner,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """aiokafka asks for ever, without a word: a worker would never have its partitions, and nobody would know why."""
    monkeypatch.setattr(producer.Sender, "patience_seconds", patience_seconds, raising=False)
    loop.run(begin(WithoutCoordinator(refusals=15), producer.Sender))
    told = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert len(told) == lines
    assert all("transaction.state.log.replication.factor" in line for line in told)


def test_a_producer_without_transactions_hears_nothing_of_them(
    loop: asyncio.Runner, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """`leadsync retry` has one: whatever it waits for, the log of transactions has no part in it."""
    monkeypatch.setattr(producer.Sender, "patience_seconds", 0.1, raising=False)
    loop.run(begin(WithoutCoordinator(refusals=15), producer.Sender, None))
    assert "let no transaction begin" not in caplog.text
