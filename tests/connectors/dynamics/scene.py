"""A simulated organisation behind its Web API, and the connector's parts before it."""

from __future__ import annotations

import random
import time
import uuid
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import msgspec
from pydantic import SecretStr

from schemas.identity import dynamics_id_of, key_of
from schemas.vocabulary import DYNAMICS
from streams.connectors.dynamics.applier import Applier
from streams.connectors.dynamics.batch import Part
from streams.connectors.dynamics.client import DataverseClient
from streams.connectors.dynamics.feed import Feed
from streams.connectors.dynamics.organisation import Organisation
from streams.connectors.dynamics.relations import Relations
from streams.connectors.dynamics.telling import Telling
from streams.connectors.lanes import Given, InHand
from streams.connectors.options import Options
from streams.connectors.pacing import Pace, Pacer, Priority
from streams.connectors.rest import Answer, CallFailed
from streams.connectors.settings import DynamicsConnection
from streams.demo.record import HeldRecord
from streams.demo.stock import stock_saving
from streams.demo.users import SELLERS
from streams.policy import default_policy
from streams.simulators.dynamics.app import GATE, TOKENS, build_dynamics_app
from streams.simulators.dynamics.instance import DynamicsInstance
from streams.simulators.dynamics.tokens import DynamicsCredentials
from streams.simulators.faults import FaultPlan, Faults
from streams.simulators.serving import serving
from streams.sync.messages import ApplyCommand, ApplyResult, Record, SourceChange
from streams.sync.policy import Policy
from tests.connectors.journal import FakeJournal
from tests.connectors.stand_ins import QUICK, Calls, PolicyHeld

SECRET = "a-secret-that-no-log-may-tell"
TENANT = "tenant-1"
ADA, SAM = SELLERS[:2]
PACE = Pace(100_000, 300.0, 20)
BEGINNING = Options(PACE, "beginning")


class Scene:
    """One organisation, and one connector's life before it. `restart` is the next life."""

    def __init__(self, instance: DynamicsInstance, faults: Faults, app: Any, address: str, policy: Policy) -> None:
        self.instance, self.faults, self.app, self.address = instance, faults, app, address
        self.policies = PolicyHeld(policy)
        self.journal = FakeJournal(DYNAMICS)
        self.calls = Calls()
        self.clients: list[DataverseClient] = []
        self.options = BEGINNING

    @property
    def gate(self) -> Any:
        return self.app[GATE]

    @property
    def tokens(self) -> Any:
        return self.app[TOKENS]

    def connection(self, secret: str = SECRET) -> DynamicsConnection:
        return DynamicsConnection(self.address, self.address, TENANT, "leadsync", SecretStr(secret))

    def client(self, **members: Any) -> DataverseClient:
        members.setdefault("backoff", QUICK)
        pacer = members.pop("pacer", None) or Pacer(PACE)
        connection = members.pop("connection", None) or self.connection()
        client = DataverseClient(connection, pacer, self.calls, rng=random.Random(1), **members)
        self.clients.append(client)
        return client

    async def start(self, **members: Any) -> Scene:
        """Put the connector's parts together over what its journal knows."""
        client = self.client(**members)
        self.organisation = Organisation(client, self.policies)
        await self.organisation.start()
        relations = Relations(client, self.organisation, self.journal)
        self.telling = Telling(self.journal, relations, client.caller)
        checkpoint = self.journal.checkpoint if not hasattr(self, "_left_at") else self._left_at
        self.feed = Feed(client, self.organisation, self.telling, self.journal, checkpoint, self.options)
        self.in_hand = InHand()
        self.applier = Applier(
            client, self.organisation, relations, self.telling, self.journal, self.feed.read_once, self.in_hand
        )
        return self

    async def restart(self, **members: Any) -> Scene:
        """Another process, which knows what was committed."""
        self._left_at = self.journal.checkpoint or getattr(self, "_left_at", None)
        self.journal = self.journal.restarted()
        return await self.start(**members)

    async def apply(self, *commands: ApplyCommand, maybe_done: bool = False) -> list[ApplyResult]:
        """Carry out commands, and give the answers."""
        given = [Given(command, maybe_done) for command in commands]
        entry = await self.applier.apply(given, Priority.FIRST)
        await self.journal.write(entry)
        return list(entry.results)

    async def see_through(self, *commands: ApplyCommand, maybe_done: bool = False) -> list[ApplyResult]:
        """Carry out commands, those that wait too, and give the answers."""
        before = len(self.journal.results)
        await self.apply(*commands, maybe_done=maybe_done)
        while self.applier.waiting:
            await self.applier.try_again()
        return self.journal.results[before:]

    def answer_instead(self, record_id: str, answer: Answer | CallFailed, *, writes: bool) -> Callable[[], None]:
        """Every operation that writes a record, or that reads it, is answered so, or ends its whole batch so; gives what ends that."""
        client = self.clients[-1]
        batch = client.batch

        async def instead(parts: Sequence[Part], **members: Any) -> list[Answer]:
            is_meant = [record_id in part.target and part.writes is writes for part in parts]
            others = [part for part, is_it in zip(parts, is_meant, strict=True) if not is_it]
            there = iter(await batch(others, **members))
            if any(is_meant) and isinstance(answer, CallFailed):
                raise answer
            return [answer if is_it else next(there) for is_it in is_meant]  # type: ignore[misc]

        def end() -> None:
            client.batch = batch  # type: ignore[method-assign]

        client.batch = instead  # type: ignore[method-assign]
        return end

    async def read(self) -> list[SourceChange]:
        """Read the feed once, and give what was told by that."""
        before = len(self.journal.changes)
        await self.feed.read_once()
        return [each.change for each in self.journal.changes[before:]]

    async def read_through(self) -> bool:
        """Read the feed once, and tell what was put aside too."""
        await self.feed.read_once()
        while self.telling.aside:
            await self.telling.tell(self.telling.aside.rows())
        return True

    def lead(self, who: str = SAM, **values: Any) -> HeldRecord:
        """A person types in a lead."""
        return self.instance.create("lead", who, {"lastname": "Lovelace", **values}, time.time())

    def contact(self, who: str = SAM, **values: Any) -> HeldRecord:
        return self.instance.create("contact", who, {"lastname": "Lovelace", **values}, time.time())

    def edit(self, held: HeldRecord, who: str = SAM, **values: Any) -> None:
        self.instance.edit(held.id, who, values, time.time())

    def delete(self, held: HeldRecord) -> None:
        self.instance.delete(held.id, SAM, time.time())

    def held(self, record_id: str) -> HeldRecord:
        return self.instance.records[record_id]


@asynccontextmanager
async def scene(
    shares: Mapping[str, float] | None = None, *, policy: Policy | None = None, retry_after: int = 1, **members: Any
) -> AsyncIterator[Scene]:
    """A scene with our columns set up. `shares`: of faults."""
    policy = policy or default_policy()
    members.setdefault("with_our_columns", True)
    instance = DynamicsInstance(policy, random.Random(7), stock_saving(policy)[DYNAMICS], **members)
    faults = Faults(FaultPlan(shares or {}, retry_after_seconds=retry_after), random.Random(11))
    app = build_dynamics_app(instance, faults, credentials=DynamicsCredentials(TENANT, "leadsync", SECRET))
    async with AsyncExitStack() as stack:
        address = await stack.enter_async_context(serving(app))
        made = Scene(instance, faults, app, address, policy)
        try:
            yield made
        finally:
            for client in made.clients:
                await client.close()


def with_dedupe(policy: Any) -> Any:
    """The shipped policy, which looks for twins."""
    return msgspec.structs.replace(policy, dedupe="email", digest="1" * 64)


def update(held: HeldRecord, revision: int = 1, *, person: str = "p-1", **values: tuple[Any, Any]) -> ApplyCommand:
    """An update that expects the first and writes the second of each pair."""
    return ApplyCommand(
        command_id=f"update-{held.id}-{revision}",
        person_key=person,
        system=DYNAMICS,
        operation="update",
        revision=revision,
        record=held.record,
        fields={column: new for column, (_, new) in values.items()},
        expected={column: old for column, (old, _) in values.items()},
        key=key_of(person, 0),
    )


def create(person: str = "p-1", revision: int = 1, creation: int = 1, **members: Any) -> ApplyCommand:
    """A create of a lead."""
    key = key_of(person, creation)
    members.setdefault("fields", {"lastname": "Lovelace", "jobtitle": "CTO", "emailaddress1": f"{person}@example.com"})
    return ApplyCommand(
        command_id=f"create-{person}-{revision}",
        person_key=person,
        system=DYNAMICS,
        operation="create",
        revision=revision,
        record=Record(DYNAMICS, "lead", dynamics_id_of(key)),
        key=key,
        creation=creation,
        **members,
    )


def qualify(record: Record, revision: int = 2, person: str = "p-1") -> ApplyCommand:
    """A qualify of a lead."""
    return ApplyCommand(
        command_id=f"qualify-{record.id}-{revision}",
        person_key=person,
        system=DYNAMICS,
        operation="qualify",
        revision=revision,
        record=record,
    )


def delete(record: Record, revision: int = 2, person: str = "p-1") -> ApplyCommand:
    """A delete of a record."""
    return ApplyCommand(
        command_id=f"delete-{record.id}-{revision}",
        person_key=person,
        system=DYNAMICS,
        operation="delete",
        revision=revision,
        record=record,
    )


def new_person() -> str:
    """A person key that nobody has."""
    return f"p-{uuid.uuid4().hex[:8]}"
