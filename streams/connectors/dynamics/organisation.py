"""Who we are in the organisation, and which columns it has: asked at the start, and again when the policy changes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Protocol

from schemas.vocabulary import RecordType
from streams.connectors.dynamics.client import DataverseClient
from streams.connectors.dynamics.columns import KEY, REVISION, Columns, columns_of, types_of
from streams.settings import SettingsError
from streams.sync.policy import Policy

log = logging.getLogger(__name__)

KINDS: tuple[RecordType, RecordType] = ("lead", "contact")
ATTRIBUTE_COLUMNS = ("LogicalName", "AttributeType", "AttributeOf", "IsValidForRead")


class InForce(Protocol):
    """Where the policy in force stands: a PolicyBook, or a test's own."""

    @property
    def in_force(self) -> Policy: ...


class Organisation:
    """`start` first. `ourselves` is the application user's id."""

    def __init__(self, client: DataverseClient, policies: InForce) -> None:
        self.ourselves = ""
        self._client, self._policies = client, policies
        self._digest: str | None = None
        self._columns: Mapping[RecordType, Columns] = {}
        self._warned: set[tuple[str, str]] = set()
        self._asking = asyncio.Lock()

    @property
    def policy(self) -> Policy:
        """The policy in force."""
        return self._policies.in_force

    async def start(self) -> None:
        """Get to know it. Raises SettingsError where leadsync was not set up there."""
        self.ourselves = await self._client.who_am_i()
        for kind in KINDS:
            table = await self._client.entity(kind, ("LogicalName", "ChangeTrackingEnabled"))
            if table.get("ChangeTrackingEnabled") is False:
                raise SettingsError(
                    f"change tracking is off for the table {kind}: turn on Track changes in its properties"
                )
        await self.columns()

    async def columns(self) -> Mapping[RecordType, Columns]:
        """What is read of each kind of record under the policy in force."""
        async with self._asking:
            policy = self.policy
            if policy.digest != self._digest:
                self._columns = {kind: self._checked(await self._read(kind, policy)) for kind in KINDS}
                self._digest = policy.digest
            return self._columns

    def ask_again(self) -> None:
        """A column that was there is no more: the next reading asks which there are."""
        self._digest = None

    async def _read(self, kind: RecordType, policy: Policy) -> Columns:
        types = types_of(await self._client.attributes(kind, select=ATTRIBUTE_COLUMNS))
        absent = [column for column in (KEY, REVISION) if column not in types]
        if absent:
            raise SettingsError(f"{kind} has no column {' and no '.join(absent)}: `leadsync setup` makes them")
        return columns_of(policy, kind, types)

    def _checked(self, columns: Columns) -> Columns:
        for column in sorted(columns.missing):
            if (columns.kind, column) not in self._warned:
                self._warned.add((columns.kind, column))
                log.warning("%s has no column %s, which the policy names: it is not synced", columns.kind, column)
        return columns
