"""What aiokafka's clients leave unsaid of brokers, or say in a way that they do not understand themselves.

- A request to a broker that has just closed the connection. A transport of asyncio takes what is written to it after its end,
  and drops it. uvloop's raises RuntimeError, which aiokafka expects nowhere: the task that keeps a client's view of the
  cluster ends by it, and whoever waits for the next view waits for ever; a client that is closed raises it again. A
  `KafkaConnectionError` is what each of those places knows how to go on from.
- An address at which somebody listens, or nobody even refuses, and nothing is answered: each try waits in silence for as long
  as a request may take, and the error after it has no words.
- A cluster that has no coordinator for a transactional producer, because its log of transactions asks for more brokers than
  there are: the producer asks for one again and again, in silence and for ever.
"""

import asyncio
import contextlib
import logging
from collections.abc import Iterator
from typing import Any

from aiokafka import conn
from aiokafka.errors import KafkaConnectionError
from aiokafka.producer import producer, sender

log = logging.getLogger(__name__)

PATIENCE_SECONDS = 10.0
"""A broker that is there has answered by then, on a machine however slow."""

BROKERS_NEEDED = ": are there as many brokers as its transaction.state.log.replication.factor and transaction.state.log.min.isr ask for?"


@contextlib.contextmanager
def told_when_long(what: str, seconds: float, hint: str = "") -> Iterator[None]:
    """A wait that is told of once it has become long."""
    told = "%s for %.0f seconds; still waiting%s"
    telling = asyncio.get_running_loop().call_later(seconds, log.warning, told, what, seconds, hint)
    try:
        yield
    finally:
        telling.cancel()


class TellingConnection(conn.AIOKafkaConnection):  # type: ignore[misc]  # aiokafka publishes no types
    """aiokafka's own, but for what it says of a transport that is closed, and of a broker that does not answer."""

    patience_seconds = PATIENCE_SECONDS

    async def connect(self) -> Any:
        with told_when_long(f"{self._host}:{self._port} has not answered", self.patience_seconds):
            try:
                return await super().connect()
            except TimeoutError:
                raise TimeoutError(f"no answer within {self._request_timeout:.0f} seconds") from None

    def send(self, request: Any, expect_response: bool = True) -> Any:
        try:
            return super().send(request, expect_response)
        except RuntimeError as error:
            raise self._broken(error) from error

    def _send_sasl_token(self, payload: bytes, expect_response: bool = True) -> Any:
        try:
            return super()._send_sasl_token(payload, expect_response)
        except RuntimeError as error:
            raise self._broken(error) from error

    def _broken(self, error: RuntimeError) -> KafkaConnectionError:
        self.close(reason=conn.CloseReason.CONNECTION_BROKEN)
        return KafkaConnectionError(f"Connection at {self._host}:{self._port} broken: {error}")


class TellingSender(sender.Sender):  # type: ignore[misc]
    """aiokafka's own, but for what it says of a transactional producer that no coordinator lets begin."""

    patience_seconds = PATIENCE_SECONDS

    async def _maybe_wait_for_pid(self) -> None:
        manager = self._txn_manager
        if manager is None or manager.has_pid():
            return  # as ever: this is asked before each request
        what, is_told = "the cluster has let no transaction begin", manager.transactional_id is not None
        with told_when_long(what, self.patience_seconds, BROKERS_NEEDED) if is_told else contextlib.nullcontext():
            await super()._maybe_wait_for_pid()


def make_telling_clients() -> None:
    """Have aiokafka's clients make such connections, and its producers such senders: they take a class by its name from a module."""
    conn.AIOKafkaConnection = TellingConnection
    producer.Sender = TellingSender
