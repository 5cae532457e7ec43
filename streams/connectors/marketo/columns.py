"""Which fields of a person the connector asks for: those that the policy in force maps and that the instance has, and our two."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from streams.connectors.marketo.client import MarketoClient
from streams.connectors.marketo.names import OUR_FIELDS
from streams.connectors.pacing import Priority
from streams.policies import PolicyBook
from streams.settings import SettingsError

log = logging.getLogger(__name__)

DESCRIBED_SECONDS = 3_600.0
"""A field that is added in Marketo is found within the hour; it costs 24 calls a day."""


class Columns:
    """Follows the policy in force. `current` may call Marketo; `mapped` never does."""

    def __init__(
        self, client: MarketoClient, policies: PolicyBook, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._client, self._policies, self._clock = client, policies, clock
        self._present: frozenset[str] = frozenset()
        self._described_at: float | None = None
        self._missed: set[str] = set()

    async def current(self) -> tuple[str, ...]:
        """The mapped fields that are there, ours not among them. Raises SettingsError where ours are missing."""
        if self._described_at is None or self._clock() >= self._described_at + DESCRIBED_SECONDS:
            await self._describe()
        return self.mapped()

    def mapped(self) -> tuple[str, ...]:
        """The same, by what was last described."""
        wanted = tuple(name for name in self._policies.in_force.inbound["person"] if name not in OUR_FIELDS)
        for name in sorted({*wanted} - self._present - self._missed):
            self._missed.add(name)
            log.warning("Marketo has no field %s, which the policy maps: it is left out", name)
        return tuple(name for name in wanted if name in self._present)

    async def _describe(self) -> None:
        described = await self._client.describe(Priority.FEED)
        self._present = frozenset(str(each["rest"]["name"]) for each in described if each.get("rest"))
        missing = [name for name in OUR_FIELDS if name not in self._present]
        if missing:
            raise SettingsError(f"Marketo has no field {' and no field '.join(missing)}: `leadsync setup` makes them")
        self._missed -= self._present
        self._described_at = self._clock()
