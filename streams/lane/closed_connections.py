"""A request to a broker that has just closed the connection, told to aiokafka as the error that it is.

A transport of asyncio takes what is written to it after its end, and drops it. uvloop's raises RuntimeError, which aiokafka
expects nowhere: the task that keeps a client's view of the cluster ends by it, and whoever waits for the next view waits for
ever; a client that is closed raises it again. A `KafkaConnectionError` is what each of those places knows how to go on from.
"""

from typing import Any

from aiokafka import conn
from aiokafka.errors import KafkaConnectionError


class TellingConnection(conn.AIOKafkaConnection):  # type: ignore[misc]  # aiokafka publishes no types
    """aiokafka's own, but for what it says of a transport that is closed."""

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


def tell_of_closed_connections() -> None:
    """Have aiokafka's clients make such connections: they take the class by its name from its module."""
    conn.AIOKafkaConnection = TellingConnection
