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

from typing import Any

from aiokafka import conn
from aiokafka.errors import KafkaConnectionError
from aiokafka.producer import producer, sender

from streams.lane.long_waits import TOLD_AFTER_SECONDS, told_when_long

BROKERS_NEEDED = ": are there as many brokers as its transaction.state.log.replication.factor and transaction.state.log.min.isr ask for?"


class TellingConnection(conn.AIOKafkaConnection):  # type: ignore[misc]  # aiokafka publishes no types
    """aiokafka's own, but for what it says of a transport that is closed, and of a broker that does not answer."""

    patience_seconds = TOLD_AFTER_SECONDS

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

    patience_seconds = TOLD_AFTER_SECONDS

    async def _maybe_wait_for_pid(self) -> None:
        manager = self._txn_manager
        if manager is None or manager.transactional_id is None or manager.has_pid():
            await super()._maybe_wait_for_pid()  # for nothing, or for what is no matter of transactions
            return
        with told_when_long("the cluster has let no transaction begin", self.patience_seconds, BROKERS_NEEDED):
            await super()._maybe_wait_for_pid()


def make_telling_clients() -> None:
    """Have aiokafka's clients make such connections, and its producers such senders: they take a class by its name from a module."""
    conn.AIOKafkaConnection = TellingConnection
    producer.Sender = TellingSender
