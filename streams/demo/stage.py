"""Everything that plays in a demo, put together: the simulation, what carries, our end of Kafka, the workers."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from pathlib import Path

from streams.codec import decode_apply_command
from streams.demo.carrier import Carrier
from streams.demo.feeding import Feeding
from streams.demo.fleet import Fleet
from streams.demo.ledger import Ledger
from streams.demo.wire import COMMAND_TOPICS, Listener, Sender, Watch
from streams.demo.world import World, build_world, chance
from streams.policy import default_policy
from streams.settings import Settings
from streams.sync.policy import Policy


@dataclass(frozen=True)
class Plan:
    """What shall happen. `seconds` bounds the time of editing; `kill_worker_at` is a share of the edits."""

    people: int = 300
    edits: int = 1_500
    seconds: float | None = None
    seed: int = 1
    workers: int = 1
    kill_worker_at: float | None = None


@dataclass(frozen=True)
class Stage:
    """The parts, and nothing that they do."""

    settings: Settings
    plan: Plan
    policy: Policy
    world: World
    carrier: Carrier
    feeding: Feeding
    ledger: Ledger
    sender: Sender
    listener: Listener
    watch: Watch
    fleet: Fleet

    async def connect(self) -> None:
        """To the broker."""
        await asyncio.gather(self.sender.start(), self.listener.start(), self.watch.start())

    async def close(self) -> None:
        """Workers first, so that none of them meets a broker that is gone."""
        await self.fleet.stop()
        await asyncio.gather(self.sender.stop(), self.listener.stop(), self.watch.stop())

    @property
    def edits(self) -> int:
        """Saves by users so far, set-up included."""
        return self.world.landings.edits

    @property
    def people(self) -> int:
        """Everybody there ever was."""
        return len(self.world.oracle.people)

    @property
    def on_the_way(self) -> int:
        """What is between the systems and Kafka."""
        return self.carrier.waiting + self.feeding.waiting + self.sender.unanswered


def set_stage(settings: Settings, plan: Plan, folder: Path) -> Stage:
    """Connects to nothing. Worker logs go to the folder."""
    policy = default_policy()
    world = build_world(policy, plan.seed, time.time)
    carrier = Carrier(world.marketo, world.dynamics, chance(plan.seed, "carrier"))
    ledger = Ledger(world.landings, policy.authority)
    heard = {
        **{name: lambda body: carrier.take(decode_apply_command(body), time.time()) for name in COMMAND_TOPICS},
        "activity-log": ledger.activity,
        "dead-letter": ledger.dead_letter,
    }
    return Stage(
        settings,
        plan,
        policy,
        world,
        carrier,
        Feeding(world.marketo, world.dynamics, chance(plan.seed, "feeding")),
        ledger,
        Sender(settings),
        Listener(settings, heard),
        Watch(settings),
        Fleet(settings, plan.workers, folder),
    )
