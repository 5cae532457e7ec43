"""Everything simulated, of one seed: the two systems, the people who work in them, the oracle, and the habits of a demo."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from schemas.vocabulary import DYNAMICS, MARKETO, System
from streams.demo.dynamics import SimulatedDynamics
from streams.demo.entering import Inventor
from streams.demo.landings import Landings, Onlookers
from streams.demo.marketo import SimulatedMarketo
from streams.demo.oracle.follow import Oracle
from streams.demo.saving import Saving
from streams.demo.stock import stock_saving
from streams.demo.users import Crowd, Mix
from streams.demo.witness import Witness
from streams.sync.policy import Policy

SPOILING = 0.1
"""How often people type blanks and small letters that a system then rewrites."""

SETTING_UP = Mix({"create_in_marketo": 1, "create_in_dynamics": 1}, synced_at_once=1.0, background=0.2)
"""How the people get there with whom a demo starts: half of them typed in on each side, all of them to be in both."""

WORKING = Mix(
    {
        "edit_marketo": 40,
        "edit_dynamics": 40,
        "edit_both": 8,
        "create_in_marketo": 3,
        "create_in_dynamics": 2,
        "sync_person": 2,
        "break_value": 1.2,
        "qualify": 1.5,
        "delete_in_marketo": 0.5,
        "delete_in_dynamics": 0.5,
        "merge_in_marketo": 0.2,
        "merge_in_dynamics": 0.2,
        "turn_filter": 0.2,
        "retry": 0.3,
    },
    owner_unknown=0.05,
    kept_out=0.05,
    wrong_side=0.02,
)
"""A day's work: mostly single edits, a tenth of them on both sides at once, and now and then everything else."""


@dataclass(frozen=True)
class World:
    """The simulation of one seed. `crowd` works; `newcomers` is the same people, setting up."""

    marketo: SimulatedMarketo
    dynamics: SimulatedDynamics
    oracle: Oracle
    landings: Landings
    onlookers: Onlookers
    newcomers: Crowd
    crowd: Crowd


Systems = tuple[SimulatedMarketo, SimulatedDynamics]
MakeSystems = Callable[[Policy, int, Mapping[System, Saving], Witness], Systems]


def in_process(policy: Policy, seed: int, saving: Mapping[System, Saving], witness: Witness) -> Systems:
    """The two systems as they are, with nothing around them."""
    return (
        SimulatedMarketo(policy, chance(seed, MARKETO), saving[MARKETO], witness),
        SimulatedDynamics(policy, chance(seed, DYNAMICS), saving[DYNAMICS], witness),
    )


def build_world(
    policy: Policy, seed: int, clock: Callable[[], float] = time.time, systems: MakeSystems = in_process
) -> World:
    """Chance for each part comes from the seed, so that they don't disturb each other. What happens still depends on real time."""
    saving = stock_saving(policy)
    oracle, landings = Oracle(policy, saving), Landings(policy, clock)
    onlookers = Onlookers(oracle, landings)
    marketo, dynamics = systems(policy, seed, saving, onlookers)
    inventor = Inventor(policy, chance(seed, "values"), saving, SPOILING)

    def crowd(name: str, mix: Mix) -> Crowd:
        return Crowd(policy, marketo, dynamics, oracle, inventor, mix, chance(seed, name))

    return World(
        marketo, dynamics, oracle, landings, onlookers, crowd("newcomers", SETTING_UP), crowd("crowd", WORKING)
    )


def chance(seed: int, part: str) -> random.Random:
    """The chance of one part of a demo."""
    return random.Random(f"{seed}/{part}")
