"""A bootstrap from its start to its end: read, match, plan, ask, write. Each part can be gone on with after a crash.

What was read stays in the state folder until all is written. So a plan that was looked at is what will be done, and what happens
meanwhile comes in by the feeds, whose places were noted before and at the end of the reading.
"""

from __future__ import annotations

import contextlib
import random
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from schemas.checkpoint import Checkpoint
from schemas.vocabulary import DYNAMICS, MARKETO, SYSTEMS, System
from streams.connectors.dynamics.client import DataverseClient
from streams.connectors.dynamics.organisation import Organisation
from streams.connectors.journal import Journal
from streams.connectors.known import KnownRecords, read_standing
from streams.connectors.marketo.client import MarketoClient
from streams.connectors.marketo.columns import Columns
from streams.connectors.pacing import DYNAMICS_PACE, MARKETO_PACE, Backoff, Pacer
from streams.connectors.settings import DynamicsConnection, MarketoConnection
from streams.instances.bootstrapping.absent import ask_in_dynamics, ask_in_marketo
from streams.instances.bootstrapping.at_once import all_at_once
from streams.instances.bootstrapping.dynamics_reading import DynamicsReading
from streams.instances.bootstrapping.marketo_reading import MarketoReading
from streams.instances.bootstrapping.matching import match
from streams.instances.bootstrapping.plan import PlanLine, Summary, plan_lines, summarise
from streams.instances.bootstrapping.plan_file import plan_file
from streams.instances.bootstrapping.progress import Steps
from streams.instances.bootstrapping.store import Store
from streams.instances.bootstrapping.writing import Writing, Written, has_run_since, is_being_written, note_standing
from streams.instances.connecting import NAMES, asking
from streams.operating.display import note
from streams.policies import PolicyBook
from streams.settings import Settings, SettingsError

TRIES_MAX = 10
BACKOFF = Backoff(1.0, 30.0)
CALL_SECONDS_MAX = 300.0

Standing = dict[System, tuple[KnownRecords, Checkpoint | None]]


@dataclass(frozen=True)
class Choices:
    """What was asked for. `since` None: as noted in the state folder; `plan`: the file that is written instead of doing it."""

    state: Path
    since: datetime | None = None
    by_email: bool = False
    plan: Path | None = None
    again: bool = False
    fresh: bool = False
    poll_seconds: float = 60.0


class Bootstrap:
    """`read`, then `plan`, then `write`; or only the first two. Begun with `async with Bootstrap.begun(…)`."""

    def __init__(self, settings: Settings, choices: Choices, store: Store, policies: PolicyBook) -> None:
        self.settings, self.choices, self.store, self.policies = settings, choices, store, policies
        self.standing: Standing = {}

    @classmethod
    @asynccontextmanager
    async def begun(cls, settings: Settings, choices: Choices) -> AsyncIterator[Bootstrap]:
        """Opens the state and reads the policy in force. Raises SettingsError."""
        policies = PolicyBook(settings)
        store = Store.at(choices.state)
        try:
            await policies.read_to_end()
            if policies.digest_in_force is None:
                raise SettingsError("no policy is in force: start a worker, or `leadsync policy apply FILE`")
            yield cls(settings, choices, store, policies)
        finally:
            await policies.close()
            store.close()

    @property
    def is_being_written(self) -> bool:
        """Whether an earlier start was in the middle of writing."""
        return is_being_written(self.store)

    async def read(self, marketo: MarketoConnection, dynamics: DynamicsConnection, steps: Steps) -> None:
        """Read both systems, unless they were read. Raises SettingsError, NotAnswered."""
        self.standing = {system: await read_standing(self.settings, system) for system in SYSTEMS}
        self._refuse_what_runs()
        source = _source(self.settings, marketo, dynamics)
        self._refuse_what_is_from_elsewhere(source)
        self._begin_anew_where_asked(source)
        since = self._since()
        if self.store.note("read") is not None:
            note(f"what was read at {self.store.note('read')} is gone on with; --fresh reads again")
            return
        await all_at_once((self._read_marketo(marketo, since, steps), self._read_dynamics(dynamics, steps)))
        self.store.take_note("read", self.store.note("marketo.until"))

    def plan(self, steps: Steps) -> Summary:
        """Match, and say what would come of it; into the file too, where one was asked for. Raises SettingsError."""
        with steps.step("planned", sum(self.store.count(system) for system in SYSTEMS)) as so_far:
            if not self.is_being_written:
                match(self.store, by_email=self.choices.by_email)
            known = {system: found for system, (found, _) in self.standing.items()}
            lines = _counted(plan_lines(self.store, self.policies.in_force, known), so_far)
            if self.choices.plan is None:
                return summarise(lines)
            with plan_file(self.choices.plan) as write:
                return summarise(lines, write)

    async def write(self, steps: Steps) -> Written:
        """Do it. Raises SettingsError where a connector has run since the reading, TakenOver where one starts meanwhile, and what
        Kafka raises.
        """
        journals = {system: Journal(self.settings, system) for system in SYSTEMS}
        try:
            for system, journal in journals.items():
                await journal.start()
                self.standing[system] = await read_standing(self.settings, system)
                journal.known = self.standing[system][0]
            if self._is_out_of_date:
                raise SettingsError(
                    "a connector has run since the reading began, and what was read is older than what it has told: stop both "
                    "connectors, and run this again, which reads everything anew"
                )
            with contextlib.ExitStack() as stack:
                bars = {
                    system: stack.enter_context(steps.step(f"written, {NAMES[system]}", self.store.count(system)))
                    for system in SYSTEMS
                }
                written = await Writing(
                    self.store,
                    self.policies.in_force,
                    journals,
                    self._checkpoints,
                    lambda system, records: bars[system](records),
                ).write()
        finally:
            for journal in journals.values():
                await journal.stop()
        self.store.remove()
        return written

    @property
    def _checkpoints(self) -> Mapping[System, Checkpoint | None]:
        return {system: checkpoint for system, (_, checkpoint) in self.standing.items()}

    @property
    def _is_out_of_date(self) -> bool:
        """Whether a connector has run since the reading: rows from before that would be told as the newest. What is being written
        has its versions from its beginning, below those of a connector that runs now.
        """
        has_run = any(has_run_since(self.store, self._checkpoints, system) for system in SYSTEMS)
        return has_run and self.store.note("policy") is not None and not self.is_being_written

    def _refuse_what_runs(self) -> None:
        for system, (_, checkpoint) in self.standing.items():
            if checkpoint is not None and not self.choices.again and not self.is_being_written:
                raise SettingsError(
                    f"where the {NAMES[system]} connector goes on is known: it has run, or a bootstrap was done. To read "
                    "everything anew all the same, say --again, with both connectors stopped"
                )

    def _refuse_what_is_from_elsewhere(self, source: str) -> None:
        """Record ids mean nothing in another instance, or somebody else. Where no source is noted, nobody can tell: reading again
        costs time, and people in the wrong instance cannot be taken back.
        """
        noted = self.store.note("source")
        if self.choices.fresh or self.store.note("policy") is None or noted == source:
            return
        found = "by an earlier release, which did not note from where" if noted is None else f"from {noted}"
        raise SettingsError(
            f"--state {self.choices.state}: what lies there was read {found}, and this is {source}; --fresh reads again, or "
            "name another --state"
        )

    def _begin_anew_where_asked(self, source: str) -> None:
        """Under another policy other columns are read. What is being written is written to its end first."""
        digest, read_under = self.policies.digest_in_force, self.store.note("policy")
        changed = "a connector has run since" if read_under == digest else "the policy in force has changed"
        if self.choices.fresh:
            self.store.forget()
        elif self._is_out_of_date or (read_under not in (None, digest) and not self.is_being_written):
            note(f"{changed}: everything is read again")
            self.store.forget()
        if self.store.note("policy") is None:
            with self.store.together():
                self.store.take_note("source", source)
                self.store.take_note("policy", digest)
                note_standing(self.store, self._checkpoints)

    def _since(self) -> datetime:
        asked, noted = self.choices.since, self.store.note("since")
        if asked is None and noted is None:
            raise SettingsError(
                "since when have there been people in Marketo? Say --since YYYY-MM-DD; who was created earlier is not read"
            )
        if asked is not None and noted not in (None, asked.isoformat()):
            raise SettingsError(f"--state: people since {noted} were read there; --fresh reads again")
        if asked is not None:
            self.store.take_note("since", asked.isoformat())
        return datetime.fromisoformat(noted or "") if asked is None else asked

    async def _read_marketo(self, connection: MarketoConnection, since: datetime, steps: Steps) -> None:
        client = MarketoClient(
            connection, Pacer(MARKETO_PACE), rng=random.Random(), backoff=BACKOFF, tries_max=TRIES_MAX
        )
        try:
            async with asking("marketo"):
                columns = await Columns(client, self.policies).current()
                with steps.step("read, Marketo") as so_far:
                    reading = MarketoReading(
                        client,
                        self.store,
                        columns,
                        since=since,
                        poll_seconds=self.choices.poll_seconds,
                        read_so_far=so_far,
                    )
                    await reading.read()
                    await ask_in_marketo(client, self.store, self.standing[MARKETO][0], columns)
                    so_far(self.store.count(MARKETO))
        finally:
            await client.close()

    async def _read_dynamics(self, connection: DynamicsConnection, steps: Steps) -> None:
        client = DataverseClient(
            connection, Pacer(DYNAMICS_PACE), backoff=BACKOFF, patient=False, seconds_max=CALL_SECONDS_MAX
        )
        try:
            async with asking("dynamics"):
                organisation = Organisation(client, self.policies)
                await organisation.start()
                columns, policy, ourselves = (
                    await organisation.columns(),
                    self.policies.in_force,
                    organisation.ourselves,
                )
                with steps.step("read, Dynamics") as so_far:
                    reading = DynamicsReading(client, self.store, columns, ourselves, policy, read_so_far=so_far)
                    await reading.read()
                    await ask_in_dynamics(client, self.store, self.standing[DYNAMICS][0], columns, ourselves, policy)
                    so_far(self.store.count(DYNAMICS))
        finally:
            await client.close()


def _source(settings: Settings, marketo: MarketoConnection, dynamics: DynamicsConnection) -> str:
    """Where people are read, and for which topics: in words, and the same for the same places."""
    return (
        f"Marketo {marketo.url.casefold()}, Dynamics {dynamics.url.casefold()} of tenant {dynamics.tenant.casefold()}, "
        f"for topics with the prefix {settings.prefix!r}"
    )


def _counted(lines: Iterator[PlanLine], so_far: Callable[[int], None]) -> Iterator[PlanLine]:
    done = 0
    for line in lines:
        done += 1 if line.marketo_id is None or line.dynamics_id is None else 2
        so_far(done)
        yield line
