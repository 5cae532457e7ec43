"""Calls back to Marketo: a chunk of a flow step was taken. They wait in memory, and a repeat of the chunk makes another one.

A call back goes out after the requests are on Kafka, so losing one costs a message in Marketo's log, never a request.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import msgspec

from streams.connectors.marketo.patience import Patience
from streams.connectors.rest import CallFailed, Rest
from streams.connectors.settings import LOOPBACK

log = logging.getLogger(__name__)

WAITING_MAX = 1_000
TRIES_MAX = 12
SECONDS_MAX = 30.0


@dataclass(frozen=True)
class Callback:
    """Where to, with which keys, and what."""

    url: str
    key: str = field(repr=False)
    token: str = field(repr=False)
    body: Mapping[str, Any] = field(repr=False)


def is_callable(url: Any) -> bool:
    """Keys travel over https, or to a simulator on this machine."""
    if not isinstance(url, str):
        return False
    parts = urlsplit(url)
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK)


class Callbacks:
    """`add` and forget; `run` in a task."""

    def __init__(self, rest: Rest, patience: Patience) -> None:
        self._rest, self._patience = rest, patience
        self._waiting: deque[Callback] = deque(maxlen=WAITING_MAX)
        self._came = asyncio.Event()

    def add(self, callback: Callback) -> None:
        """To be made soon."""
        self._waiting.append(callback)
        self._came.set()

    async def run(self) -> None:
        """Make them, one after the other, until cancelled."""
        while True:
            await self._came.wait()
            self._came.clear()
            while self._waiting:
                await self._make(self._waiting.popleft())

    async def _make(self, callback: Callback) -> None:
        pause, body = self._patience.begin(), msgspec.json.encode(callback.body)
        keys = {"x-api-key": callback.key, "x-callback-token": callback.token, "Content-Type": "application/json"}
        for _ in range(TRIES_MAX):
            try:
                answer = await self._rest.call("POST", callback.url, headers=keys, body=body, seconds_max=SECONDS_MAX)
            except CallFailed as error:
                reason = str(error)
            else:
                if (
                    answer.status < 300 or answer.status == 404
                ):  # 404: the token was used, so an earlier try came through
                    return
                reason = f"HTTP {answer.status}"
                if answer.status < 500 and answer.status != 429:
                    break
            await pause()
        log.error("Marketo does not take the word that a chunk of a flow step was taken: %s", reason)
