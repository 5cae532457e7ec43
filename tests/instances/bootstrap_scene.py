"""Two simulated systems behind REST with people in them, an installation on the broker, and a bootstrap between."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from schemas.checkpoint import Checkpoint
from schemas.vocabulary import DYNAMICS, MARKETO, SYSTEMS, System
from streams.codec import decode_apply_command, decode_source_change
from streams.connectors.known import KnownRecords, read_standing
from streams.connectors.settings import DynamicsConnection, MarketoConnection
from streams.demo.record import HeldRecord
from streams.demo.stock import stock_saving
from streams.fixtures.folding import Replay, ReplayPolicies
from streams.fixtures.recording import Message
from streams.instances.bootstrap_command import carry_out
from streams.instances.bootstrapping.running import Choices
from streams.operating.reading import Reader
from streams.policies import apply_policy
from streams.policy import default_policy, default_policy_text, default_rule_texts
from streams.settings import Settings
from streams.simulators.dynamics.app import DynamicsCredentials, build_dynamics_app
from streams.simulators.dynamics.instance import DynamicsInstance
from streams.simulators.faults import FaultPlan, Faults
from streams.simulators.marketo.app import Limits, MarketoCredentials, build_marketo_app
from streams.simulators.marketo.instance import MarketoInstance
from streams.simulators.serving import serving
from streams.sync.messages import ApplyCommand, SourceChange
from streams.sync.person import PersonState, decode_person
from streams.topics import ensure_topics

TENANT, CLIENT, SECRET = "tenant-1", "leadsync", "not-a-real-secret"
BEGAN = time.time() - 2 * 86_400.0
SINCE = datetime.fromtimestamp(BEGAN - 86_400, UTC).replace(hour=0, minute=0, second=0, microsecond=0)
COMPLETE = {"firstname": "Ada", "lastname": "Lovelace", "subject": "Engines"}


@dataclass
class Scene:
    """`ada(…)` and `lead(…)` put people in; `bootstrap(…)` runs the command's own work."""

    settings: Settings
    state: Path
    marketo: MarketoInstance
    dynamics: DynamicsInstance
    at: dict[System, str] = field(default_factory=dict)
    now: float = BEGAN

    def person(self, key: str | None = None, revision: int | None = None, **values: Any) -> HeldRecord:
        """A person in Marketo."""
        self.now += 1.0
        held = self.marketo.create("mia", {"firstName": "Ada", "lastName": "Lovelace", **values}, self.now)
        if key is not None:
            self.marketo.enter(held, "mia", {"leadsyncKey": key, "leadsyncRevision": revision}, self.now)
        return held

    def lead(
        self, key: str | None = None, revision: int | None = None, kind: Any = "lead", **values: Any
    ) -> HeldRecord:
        """A lead, or a contact, in Dynamics."""
        self.now += 1.0
        complete = COMPLETE if kind == "lead" else {name: COMPLETE[name] for name in ("firstname", "lastname")}
        held = self.dynamics.create(kind, "sam", {**complete, **values}, self.now)
        held.key, held.revision = key, revision
        return held

    async def bootstrap(self, *, yes: bool = True, in_json: bool = False, **choices: Any) -> int:
        """Gives the exit status."""
        chosen = Choices(**{"state": self.state, "since": SINCE, "by_email": True, "poll_seconds": 0.01, **choices})
        return await carry_out(self.settings, chosen, self.marketo_here, self.dynamics_here, yes=yes, in_json=in_json)

    @property
    def marketo_here(self) -> MarketoConnection:
        address = self.at[MARKETO]
        return MarketoConnection(address, f"{address}/identity", CLIENT, SecretStr(SECRET))

    @property
    def dynamics_here(self) -> DynamicsConnection:
        address = self.at[DYNAMICS]
        return DynamicsConnection(address, address, TENANT, CLIENT, SecretStr(SECRET))

    @property
    def environment(self) -> dict[str, str]:
        """The same, as a process is told."""
        return {
            "LEADSYNC_MARKETO_URL": self.at[MARKETO],
            "LEADSYNC_MARKETO_CLIENT_ID": CLIENT,
            "LEADSYNC_MARKETO_CLIENT_SECRET": SECRET,
            "LEADSYNC_MARKETO_WEBHOOK_SECRET": SECRET,
            "LEADSYNC_DYNAMICS_URL": self.at[DYNAMICS],
            "LEADSYNC_DYNAMICS_AUTHORITY": self.at[DYNAMICS],
            "LEADSYNC_DYNAMICS_TENANT": TENANT,
            "LEADSYNC_DYNAMICS_CLIENT_ID": CLIENT,
            "LEADSYNC_DYNAMICS_CLIENT_SECRET": SECRET,
            "LEADSYNC_DYNAMICS_WEBHOOK_SECRET": SECRET,
        }

    async def told(self) -> Told:
        """Everything that stands on Kafka now."""
        found = Told()
        async with Reader(self.settings) as reader:
            for system in SYSTEMS:
                async for message in reader.records(self.settings.topic(f"{system}.changes")):
                    found.messages.append(message)
                    found.changes[system].append(decode_source_change(message.value))
        for system in SYSTEMS:
            found.known[system], found.checkpoints[system] = await read_standing(self.settings, system)
        return found


@dataclass
class Told:
    """What a bootstrap has left on Kafka, and what a worker makes of it."""

    messages: list[Any] = field(default_factory=list)
    changes: dict[System, list[SourceChange]] = field(default_factory=lambda: {MARKETO: [], DYNAMICS: []})
    known: dict[System, KnownRecords] = field(default_factory=dict)
    checkpoints: dict[System, Checkpoint | None] = field(default_factory=dict)

    def of(self, held: HeldRecord) -> list[SourceChange]:
        """The changes of a record."""
        return [each for each in self.changes[held.record.system] if each.record.id == held.id]

    def folded(self, order: int = 0) -> Folded:
        """Folded by a worker's own agents; `order` seeds which of the topics' partitions is read when."""
        waiting: dict[tuple[str, int], list[Any]] = {}
        for message in self.messages:
            waiting.setdefault((message.topic, message.partition), []).append(message)
        rng, replay, found = random.Random(order), Replay(ReplayPolicies(default_policy())), Folded()
        while waiting:
            place = rng.choice(sorted(waiting))
            message = waiting[place].pop(0)
            topic = next(name for name in ("marketo.changes", "dynamics.changes") if message.topic.endswith(name))
            read = Message(
                topic=topic,
                partition=message.partition,
                offset=message.offset,
                timestamp=message.timestamp,
                key=message.key,
                value=message.value,
                headers=(),
            )
            for output in replay.fold(read):
                found.take(output)
            if not waiting[place]:
                del waiting[place]
        found.replay = replay
        return found


@dataclass
class Folded:
    """What came out of a fold."""

    commands: list[ApplyCommand] = field(default_factory=list)
    replay: Any = None

    def take(self, output: Any) -> None:
        """A command, of whatever lane."""
        if ".commands" in output.topic:
            self.commands.append(decode_apply_command(output.value))
        assert "dead-letter" not in output.topic, output.value

    def person(self, key: str) -> PersonState | None:
        """The state of a person."""
        body = self.replay.person(key)
        return None if body is None else decode_person(body)

    def operations(self) -> Mapping[tuple[str, str], int]:
        """(system, operation) -> commands."""
        return Counter((each.system, each.operation) for each in self.commands)


@asynccontextmanager
async def scene_of(
    settings: Settings, state: Path, faults: Mapping[str, float] | None = None, **limits: Any
) -> AsyncIterator[Scene]:
    """An installation of its own: topics, the shipped policy, two systems set up for leadsync."""
    await ensure_topics(settings)
    await apply_policy(settings, default_policy_text(), default_rule_texts())
    policy, saving = default_policy(), stock_saving(default_policy())
    marketo = MarketoInstance(policy, random.Random(1), saving[MARKETO], with_our_fields=True)
    dynamics = DynamicsInstance(policy, random.Random(2), saving[DYNAMICS], with_our_columns=True)
    scene = Scene(settings, state, marketo, dynamics)
    plan = FaultPlan(faults or {})
    apps = {
        MARKETO: build_marketo_app(
            marketo, Faults(plan), credentials=MarketoCredentials(CLIENT, SECRET),
            limits=Limits(export_queue_seconds=0.0, export_work_seconds=0.0, **limits),
        ),
        DYNAMICS: build_dynamics_app(
            dynamics, Faults(plan), credentials=DynamicsCredentials(TENANT, CLIENT, SECRET)
        ),
    }  # fmt: skip
    async with AsyncExitStack() as stack:
        for system, app in apps.items():
            scene.at[system] = await stack.enter_async_context(serving(app))
        yield scene
