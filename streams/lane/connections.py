"""What aiokafka's connections leave unsaid, or say in a way that it does not understand itself.

- A request to a broker that has just closed the connection. A transport of asyncio takes what is written to it after its end,
  and drops it. uvloop's raises RuntimeError, which aiokafka expects nowhere: the task that keeps a client's view of the
  cluster ends by it, and whoever waits for the next view waits for ever; a client that is closed raises it again. A
  `KafkaConnectionError` is what each of those places knows how to go on from.
- An address at which somebody listens, or nobody even refuses, and nothing is answered: each try waits in silence for as long
  as a request may take, and the error after it has no words.
"""

import logging
from typing import Any

from aiokafka import conn
from aiokafka.errors import KafkaConnectionError

log = logging.getLogger(__name__)


class TellingConnection(conn.AIOKafkaConnection):  # type: ignore[misc]  # aiokafka publishes no types
    """aiokafka's own, but for what it says of a transport that is closed, and of a broker that does not answer."""

    patience_seconds = 10.0
    """A broker that is there has answered by then, on a machine however slow."""

    async def connect(self) -> Any:
        told = "%s:%s has not answered for %.0f seconds; still waiting"
        telling = self._loop.call_later(
            self.patience_seconds, log.warning, told, self._host, self._port, self.patience_seconds
        )
        try:
            return await super().connect()
        except TimeoutError:
            raise TimeoutError(f"no answer within {self._request_timeout:.0f} seconds") from None
        finally:
            telling.cancel()

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


def make_telling_connections() -> None:
    """Have aiokafka's clients make such connections: they take the class by its name from its module."""
    conn.AIOKafkaConnection = TellingConnection
