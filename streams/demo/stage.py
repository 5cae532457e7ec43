"""Everything that plays in a demo, put together: the simulation, what carries, our end of Kafka, the workers."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from pathlib import Path

from schemas.topics import INPUT_TOPICS
from schemas.vocabulary import SYSTEMS
from streams.broker import LocalBroker
from streams.codec import decode_apply_command
from streams.demo.between import Between
from streams.demo.carrier import Carrier
from streams.demo.carrying import Carrying
from streams.demo.chaos.disorder import DisorderlySender
from streams.demo.chaos.setting import Chaos
from streams.demo.feeding import Feeding
from streams.demo.fleet import Fleet, worker_members
from streams.demo.ledger import Ledger
from streams.demo.rest.connecting import Connecting
from streams.demo.rest.instances import behind_rest, faults_of
from streams.demo.rest.standing import Standing
from streams.demo.wire import COMMAND_TOPICS, HEARD_TOPICS, Heard, Listener, Sender, Watch
from streams.demo.world import World, build_world, chance
from streams.policy import default_policy
from streams.settings import Settings
from streams.sync.policy import Policy


@dataclass(frozen=True)
class Plan:
    """What shall happen. `seconds` bounds the time of editing; `kill_worker_at` is a share of the edits.

    `rest`: everything goes through REST and connectors, with `faults` unless told otherwise; `kill_connectors` of them are killed.
    `chaos`: everything is struck for `seconds`, which must be given.
    """

    people: int = 300
    edits: int = 1_500
    seconds: float | None = None
    seed: int = 1
    workers: int = 1
    kill_worker_at: float | None = None
    rest: bool = False
    faults: bool = True
    kill_connectors: int = 0
    chaos: bool = False


@dataclass(frozen=True)
class Stage:
    """The parts, and nothing that they do."""

    settings: Settings
    plan: Plan
    policy: Policy
    world: World
    between: Between
    ledger: Ledger
    listener: Listener
    watch: Watch
    fleet: Fleet
    chaos: Chaos | None = None

    async def connect(self) -> None:
        """To the broker."""
        await asyncio.gather(self.between.start(), self.listener.start(), self.watch.start())

    async def close(self) -> None:
        """Workers first, so that none of them meets a broker that is gone."""
        await asyncio.gather(self.fleet.stop(), self.between.stop())
        await asyncio.gather(self.listener.stop(), self.watch.stop())

    @property
    def edits(self) -> int:
        """Saves by users so far, set-up included."""
        return self.world.landings.edits

    @property
    def people(self) -> int:
        """Everybody there ever was."""
        return len(self.world.oracle.people)


def set_stage(settings: Settings, plan: Plan, folder: Path, broker: LocalBroker | None = None) -> Stage:
    """Connects to nothing. Logs of workers and connectors go to the folder. `broker`: where it is ours."""
    if plan.rest:
        return _stage_with_rest(settings, plan, folder)
    return _stage(settings, plan, folder, broker)


def _stage(settings: Settings, plan: Plan, folder: Path, broker: LocalBroker | None) -> Stage:
    policy, watch = default_policy(), Watch(settings)
    world = build_world(policy, plan.seed, time.time)
    carrier = Carrier(world.marketo, world.dynamics, chance(plan.seed, "carrier"))
    ledger = Ledger(world.landings, policy.authority)
    commands = {name: lambda body: carrier.take(decode_apply_command(body), time.time()) for name in COMMAND_TOPICS}
    listener = Listener(settings, {**commands, **_heard(ledger)})
    feeding = Feeding(world.marketo, world.dynamics, chance(plan.seed, "feeding"))
    if not plan.chaos:
        between = Carrying(carrier, feeding, Sender(settings), watch)
        fleet = Fleet(worker_members(settings, plan.workers, folder))
        return Stage(settings, plan, policy, world, between, ledger, listener, watch, fleet)
    sender, rng = DisorderlySender(settings, chance(plan.seed, "disorder")), chance(plan.seed, "chaos")
    seconds = plan.seconds or 0.0
    chaos = Chaos(settings, plan.workers, seconds, folder, world.crowd, sender, broker, rng)
    between = Carrying(carrier, feeding, sender, watch)
    return Stage(settings, plan, policy, world, between, ledger, listener, watch, chaos.fleet, chaos)


def _stage_with_rest(settings: Settings, plan: Plan, folder: Path) -> Stage:
    policy, watch = default_policy(), Watch(settings)
    world = build_world(policy, plan.seed, time.time, behind_rest)
    ledger = Ledger(world.landings, policy.authority)
    standing = Standing()
    heard = {**_heard(ledger), "checkpoints": standing.heard}
    listener = Listener(settings, heard, (*INPUT_TOPICS, *HEARD_TOPICS, "checkpoints"))
    faults = {system: faults_of(plan.seed, system, plan.faults) for system in SYSTEMS}
    rng = chance(plan.seed, "kills")
    between = Connecting(settings, world, faults, listener, watch, folder, standing, plan.kill_connectors, rng)
    fleet = Fleet(worker_members(settings, plan.workers, folder))
    return Stage(settings, plan, policy, world, between, ledger, listener, watch, fleet)


def _heard(ledger: Ledger) -> dict[str, Heard]:
    return {"activity-log": ledger.activity, "dead-letter": ledger.dead_letter}
