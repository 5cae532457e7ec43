"""A simulated instance behind REST, and the connector's parts before it."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from pydantic import SecretStr

from schemas.identity import key_of
from schemas.vocabulary import MARKETO
from streams.connectors.lanes import Given
from streams.connectors.marketo.applier import Applier
from streams.connectors.marketo.client import MarketoClient
from streams.connectors.marketo.columns import Columns
from streams.connectors.marketo.feed import Feed, read_at
from streams.connectors.marketo.late_writes import LateWrites
from streams.connectors.marketo.patience import Patience
from streams.connectors.metrics import ConnectorMetrics
from streams.connectors.options import Options
from streams.connectors.pacing import Pace, Pacer, Priority
from streams.connectors.settings import MarketoConnection
from streams.demo.record import HeldRecord
from streams.simulators.marketo.limits import Limits
from streams.sync.messages import ApplyCommand, ApplyResult, Record, SourceChange, Value
from tests.connectors.journal import FakeJournal
from tests.connectors.stand_ins import QUICK, Calls, PolicyHeld
from tests.simulators.marketo.served import CONNECTOR, Served, served

SECRET = CONNECTOR.client_secret
PACE = Pace(100_000, 20.0, 9)
BEGINNING = Options(PACE, "beginning")


class Scene:
    """One instance, and one connector's life before it. `restart` is the next life."""

    def __init__(self, stage: Served) -> None:
        self.stage, self.instance, self.faults, self.clock = stage, stage.instance, stage.faults, stage.clock
        self.policies = PolicyHeld(stage.instance.policy)
        self.journal: Any = FakeJournal(MARKETO)
        self.calls = Calls()
        self.clients: list[MarketoClient] = []
        self.options = BEGINNING
        self.expected = 0
        self._checkpoint: Any = None
        self.journals = [self.journal]

    def connection(self, secret: str = SECRET) -> MarketoConnection:
        url = self.stage.url
        return MarketoConnection(url, f"{url}/identity", CONNECTOR.client_id, SecretStr(secret))

    def client(self, **members: Any) -> MarketoClient:
        members.setdefault("backoff", QUICK)
        members.setdefault("now", self.clock)
        connection = members.pop("connection", None) or self.connection()
        pacer = members.pop("pacer", None) or Pacer(PACE)
        client = MarketoClient(connection, pacer, self.calls, rng=random.Random(1), **members)
        self.clients.append(client)
        return client

    async def start(self, **members: Any) -> Scene:
        """Put the connector's parts together over what its journal knows."""
        self.connector = self.client(**members)
        self.columns = Columns(self.connector, self.policies)  # type: ignore[arg-type]
        await self.columns.current()
        metrics, self.late = ConnectorMetrics(MARKETO), LateWrites(self.clock)
        self.feed = Feed(
            self.connector, self.journal, self._checkpoint, self.columns, metrics, self.options, self.late, self.clock
        )
        await self.feed.start()
        self.applier = Applier(
            self.connector,
            self.journal,
            Patience(random.Random(1), backoff=QUICK),
            columns=self.columns.mapped,
            expect=self._expect,
            late=self.late,
            now=self.clock,
            last_read=read_at(self._checkpoint),
        )
        return self

    async def restart(self, **members: Any) -> Scene:
        """Another process, which knows what was committed."""
        self._checkpoint = self.journal.checkpoint or self._checkpoint
        self.journal = self.journal.restarted()
        self.journals.append(self.journal)
        return await self.start(**members)

    async def apply(self, *commands: ApplyCommand, maybe_done: bool = False) -> list[ApplyResult]:
        """Carry out commands, and give the answers."""
        given = [Given(command, maybe_done) for command in commands]
        entry = await self.applier.apply(given, Priority.FIRST)
        await self.journal.write(entry)
        return list(entry.results)

    async def read(self) -> list[SourceChange]:
        """Read the feed until nothing more comes, a second later once more where anything waits, and give what was told by that."""
        before = len(self.journal.changes)
        await self._read_to_end()
        if self.holds_entries:
            self.clock.now += 1.0
            await self._read_to_end()
        return [each.change for each in self.journal.changes[before:]]

    @property
    def holds_entries(self) -> bool:
        """Whether anything that was read waits for more."""
        checkpoint = self.journal.checkpoint or self._checkpoint
        return checkpoint is not None and bool(checkpoint.held)

    async def _read_to_end(self) -> None:
        while await self.feed.poll() or not self.feed.is_read:
            pass

    def person(self, **values: Value) -> HeldRecord:
        """Somebody typed in in Marketo's own screens."""
        return self.stage.person(**values)

    def edit(self, held: HeldRecord, **values: Value) -> None:
        self.instance.edit(held.id, "marketing", values, self.clock.now)

    def delete(self, held: HeldRecord) -> None:
        self.instance.delete(held.id, "marketing", self.clock.now)

    def held(self, record_id: str) -> HeldRecord:
        return self.instance.records[record_id]

    def of_key(self, key: str) -> list[HeldRecord]:
        """Every living person with this key."""
        return [held for held in self.instance.records.values() if held.key == key]

    def _expect(self) -> None:
        self.expected += 1


@asynccontextmanager
async def scene(**members: Any) -> AsyncIterator[Scene]:
    """A scene with our fields set up. Members: of `served`; its clock stands still, so that a window of calls would never pass."""
    members.setdefault("limits", Limits(window_calls=1_000_000, daily_calls=1_000_000))
    async with served(**members) as stage:
        made = Scene(stage)
        try:
            yield made
        finally:
            for client in made.clients:
                await client.close()


def update(held: HeldRecord | str, revision: int = 1, *, person: str = "p-1", **fields: Value) -> ApplyCommand:
    """An update of a person."""
    record_id = held if isinstance(held, str) else held.id
    return ApplyCommand(
        command_id=f"update-{record_id}-{revision}",
        person_key=person,
        system=MARKETO,
        operation="update",
        revision=revision,
        record=Record(MARKETO, "person", record_id),
        fields=fields,
        key=key_of(person, 0),
    )


def create(person: str = "p-1", revision: int = 1, creation: int = 1, **members: Any) -> ApplyCommand:
    """A create of a person."""
    members.setdefault("fields", {"lastName": "Lovelace", "jobTitle": "CTO", "email": f"{person}@example.com"})
    return ApplyCommand(
        command_id=f"create-{person}-{revision}",
        person_key=person,
        system=MARKETO,
        operation="create",
        revision=revision,
        key=key_of(person, creation),
        creation=creation,
        **members,
    )


def delete(held: HeldRecord, revision: int = 2, person: str = "p-1") -> ApplyCommand:
    """A delete of a person."""
    return replace_operation(update(held, revision, person=person), "delete")


def replace_operation(command: ApplyCommand, operation: Any) -> ApplyCommand:
    """The same command for something else."""
    import msgspec

    return msgspec.structs.replace(command, operation=operation, fields=None, key=None)


def kinds(changes: list[SourceChange]) -> list[str]:
    """What happened, in order."""
    return [each.kind for each in changes]


__all__ = ["Scene", "create", "delete", "kinds", "replace", "scene", "update"]
