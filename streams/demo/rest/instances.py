"""The two systems behind REST: instances, their faults, their credentials, and the addresses where they answer."""

from __future__ import annotations

import random
import secrets
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

from schemas.vocabulary import DYNAMICS, MARKETO, System
from streams.demo.record import HeldRecord
from streams.demo.saving import Saving
from streams.demo.users import Crowd
from streams.demo.witness import Witness
from streams.demo.world import Systems, chance
from streams.simulators.dynamics.app import build_dynamics_app
from streams.simulators.dynamics.instance import DynamicsInstance
from streams.simulators.dynamics.tokens import DynamicsCredentials
from streams.simulators.faults import FaultPlan, Faults
from streams.simulators.marketo.app import build_marketo_app
from streams.simulators.marketo.identity import MarketoCredentials
from streams.simulators.marketo.instance import MarketoInstance
from streams.simulators.serving import serving
from streams.sync.policy import Policy

MARKETO_FAULTS: Mapping[str, float] = {
    "latency": 0.5,
    "dropped_before": 0.005,
    "dropped_after": 0.01,
    "edited_between": 0.02,
    "rate_606": 0.01,
    "quota_607": 0.002,
    "timeout_604_after": 0.01,
    "concurrency_615": 0.01,
    "token_602": 0.01,
    "empty_page": 0.02,
    "repeated_activity": 0.02,
}
DYNAMICS_FAULTS: Mapping[str, float] = {
    "latency": 0.5,
    "dropped_before": 0.005,
    "dropped_after": 0.01,
    "edited_between": 0.01,
    "throttled_429": 0.01,
    "server_5xx_after": 0.01,
    "expired_delta": 0.002,
}
LATENCY_SECONDS = (0.01, 0.15)
BY_THEMSELVES: Mapping[System, tuple[str, ...]] = {
    MARKETO: ("rewritten_on_save",),
    DYNAMICS: ("rewritten_on_save", "duplicate_rule"),
}
"""What no share decides: it follows from what is written, and people write such things."""


@dataclass(frozen=True)
class PlannedFaults:
    """What shall go wrong in a system, each for a share of the calls, and what has."""

    faults: Faults
    shares: Mapping[str, float]

    def lacking(self) -> list[str]:
        """The planned faults that have not struck yet."""
        return [name for name in self.shares if not self.faults.counts[name]]


def behind_rest(policy: Policy, seed: int, saving: Mapping[System, Saving], witness: Witness) -> Systems:
    """The two systems as REST instances; `leadsync setup` has yet to make our fields there."""
    return (
        MarketoInstance(policy, chance(seed, MARKETO), saving[MARKETO], witness),
        DynamicsInstance(policy, chance(seed, DYNAMICS), saving[DYNAMICS], witness, reads_show=False),
    )


def faults_of(seed: int, system: System, is_faulty: bool) -> PlannedFaults:
    """The faults that a demo plans for a system; none where it shall be faultless."""
    shares = (MARKETO_FAULTS if system == MARKETO else DYNAMICS_FAULTS) if is_faulty else {}
    plan = FaultPlan(shares, LATENCY_SECONDS if is_faulty else (0.0, 0.0), quota_seconds=1.5, retry_after_seconds=1)
    return PlannedFaults(Faults(plan, chance(seed, f"{system} faults")), shares)


class Interfering:
    """People who edit a record between a connector's read and its write."""

    def __init__(self, crowd: Crowd) -> None:
        self._crowd = crowd

    def __call__(self, held: HeldRecord) -> None:
        self._crowd.edit_now(held, time.time())


@asynccontextmanager
async def served(
    marketo: MarketoInstance, dynamics: DynamicsInstance, faults: Mapping[System, PlannedFaults]
) -> AsyncIterator[dict[str, str]]:
    """Serve both; yields the environment that a connector needs to reach them."""
    rng = random.SystemRandom()
    tenant = f"{rng.getrandbits(64):016x}"
    of_marketo = MarketoCredentials("leadsync-demo", secrets.token_urlsafe(24))
    of_dynamics = DynamicsCredentials(tenant, "leadsync-demo", secrets.token_urlsafe(24))
    marketo_app = build_marketo_app(marketo, faults[MARKETO].faults, credentials=of_marketo)
    dynamics_app = build_dynamics_app(dynamics, faults[DYNAMICS].faults, credentials=of_dynamics)
    async with serving(marketo_app) as marketo_url, serving(dynamics_app) as dynamics_url:
        yield {
            "LEADSYNC_MARKETO_URL": marketo_url,
            "LEADSYNC_MARKETO_CLIENT_ID": of_marketo.client_id,
            "LEADSYNC_MARKETO_CLIENT_SECRET": of_marketo.client_secret,
            "LEADSYNC_DYNAMICS_URL": dynamics_url,
            "LEADSYNC_DYNAMICS_AUTHORITY": dynamics_url,
            "LEADSYNC_DYNAMICS_TENANT": tenant,
            "LEADSYNC_DYNAMICS_CLIENT_ID": of_dynamics.client_id,
            "LEADSYNC_DYNAMICS_CLIENT_SECRET": of_dynamics.client_secret,
        }
