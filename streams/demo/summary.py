"""What a demo ends with: one object, its keys and types stable, for `--json`; and the same in a few lines for people."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

DIFFERENCES_MAX = 50


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Winners(_Part):
    """Collisions of one record type, by who won."""

    marketo: int = 0
    dynamics: int = 0


class Collisions(_Part):
    """Collisions by the person's record type at the time."""

    lead: Winners = Winners()
    contact: Winners = Winners()

    @property
    def total(self) -> int:
        """All of them."""
        return sum(winners.marketo + winners.dynamics for winners in (self.lead, self.contact))


class Creations(_Part):
    """Records that leadsync created."""

    marketo: int = 0
    dynamics: int = 0


class Failures(_Part):
    """Sync errors: opened and closed over the whole demo, and open at its end. `for_good`: a Sync Person that can't be done."""

    opened: int = 0
    closed: int = 0
    open: int = 0
    for_good: int = 0


class LandingSeconds(_Part):
    """Time from an edit to both systems, the simulated latencies included; of edits that no open sync error held up."""

    p50: float = 0.0
    p99: float = 0.0


class Calls(_Part):
    """Calls to one system: all of them, set-up and corrections included; beside the summary's `edits`; the most frequent endpoints; what is documented as allowed."""

    total: int = 0
    allowed: str = ""
    per_1000_edits: float = 0.0
    by_endpoint: dict[str, int] = {}


class OverRest(_Part):
    """What stood between the systems and Kafka: connectors, and REST with faults."""

    faults: Annotated[dict[str, int], Field(description="How often each fault struck, by name.")] = {}
    marketo_calls: Calls = Calls()
    dynamics_calls: Calls = Calls()
    connector_kills: Annotated[int, Field(description="Connectors killed on purpose.")] = 0
    connector_restarts: Annotated[
        int, Field(description="Connectors that ended by themselves and were started again.")
    ] = 0


class UnderChaos(_Part):
    """What was done on purpose, and what was read afterwards to see that it changed nothing."""

    strikes: Annotated[dict[str, int], Field(description="How often each kind struck, by name.")] = {}
    details: Annotated[dict[str, int], Field(description="What came of strikes, as far as it varies.")] = {}
    is_broker_ours: Annotated[bool, Field(description="Else the broker was left alone.")] = True
    messages_repeated: Annotated[int, Field(description="Messages that producers sent again.")] = 0
    messages_reordered: Annotated[int, Field(description="Messages that a later one, of another record, overtook.")] = 0
    messages_audited: Annotated[int, Field(description="Committed messages read and folded again.")] = 0
    messages_given_up: Annotated[int, Field(description="Messages written in transactions that were given up.")] = 0


class Summary(_Part):
    """What happened, and whether both systems hold what they must."""

    people: Annotated[int, Field(description="All people there ever were, deleted ones included.")]
    alike: Annotated[int, Field(description="People who are in both systems as the oracle says.")]
    edits: Annotated[
        int, Field(description="Saves by simulated users, new records included, set-up and corrections not.")
    ]
    corrections: Annotated[int, Field(description="Broken values that somebody corrected after the edits.")] = 0
    collisions: Collisions = Collisions()
    creations: Creations = Creations()
    failures: Failures = Failures()
    skipped: Annotated[int, Field(description="Sync Person for somebody whom Dynamics held already.")] = 0
    dead_letters: Annotated[int, Field(description="Messages in dead-letter.")] = 0
    landing_seconds: LandingSeconds = LandingSeconds()
    commands: Annotated[int, Field(description="Commands that were applied, repeats included.")] = 0
    events: Annotated[int, Field(description="Changes and results that the workers read.")] = 0
    events_per_second: Annotated[
        float, Field(description="Of the time in which users edited, until all was quiet.")
    ] = 0.0
    seconds: Annotated[float, Field(description="The whole demo, without the broker's start.")] = 0.0
    seed: int = 0
    workers: int = 1
    kills: Annotated[int, Field(description="Workers killed on purpose.")] = 0
    worker_restarts: Annotated[int, Field(description="Workers that ended by themselves and were started again.")] = 0
    rest: Annotated[OverRest | None, Field(description="With `--rest` only.")] = None
    chaos: Annotated[UnderChaos | None, Field(description="With `--chaos` only.")] = None
    differences: Annotated[tuple[str, ...], Field(description=f"At most {DIFFERENCES_MAX}.")] = ()

    @property
    def is_alike(self) -> bool:
        """Whether there is nothing to complain of."""
        return self.alike == self.people and not self.differences

    def lines(self) -> Iterator[str]:
        """What happened, for people."""
        lead, contact, failures = self.collisions.lead, self.collisions.contact, self.failures
        yield f"people      {self.people:,}"
        yield f"edits       {self.edits:,}, and {self.corrections:,} corrections"
        yield f"collisions  {self.collisions.total:,}"
        yield f"  leads     won by Marketo {lead.marketo:,}, by Dynamics {lead.dynamics:,}"
        yield f"  contacts  won by Marketo {contact.marketo:,}, by Dynamics {contact.dynamics:,}"
        yield f"creations   in Marketo {self.creations.marketo:,}, in Dynamics {self.creations.dynamics:,}"
        yield (
            f"failures    opened {failures.opened:,}, closed {failures.closed:,}, open {failures.open:,}; "
            f"for good {failures.for_good:,}"
        )
        yield f"skipped     {self.skipped:,}"
        yield f"dead-letter {self.dead_letters:,}"
        yield f"edit → both p50 {self.landing_seconds.p50:.2f} s, p99 {self.landing_seconds.p99:.2f} s"
        yield f"events      {self.events:,}, {self.events_per_second:,.0f}/s; {self.seconds:.1f} s in all"
        if self.kills or self.worker_restarts:
            yield f"workers     {self.workers}; killed {self.kills}, ended by themselves {self.worker_restarts}"
        if self.rest is not None:
            yield from _told(self.rest)
        if self.chaos is not None:
            yield from _struck(self.chaos)
        yield from (f"differs: {difference}" for difference in self.differences)
        yield f"alike: {self.alike} of {self.people} people"


def _told(rest: OverRest) -> Iterator[str]:
    for system, calls in (("Marketo ", rest.marketo_calls), ("Dynamics", rest.dynamics_calls)):
        for_each = f"{calls.per_1000_edits:,.0f} for each 1,000 edits"
        yield f"calls       to {system} {calls.total:,}, {for_each}; allowed are {calls.allowed}"
    yield f"connectors  killed {rest.connector_kills}, ended by themselves {rest.connector_restarts}"
    for system in ("marketo", "dynamics"):
        struck = [
            f"{name.removeprefix(f'{system}.')} {count:,}"
            for name, count in rest.faults.items()
            if name.startswith(system)
        ]
        yield f"faults      of {system.capitalize():8} {', '.join(sorted(struck)) or 'none'}"


def _struck(chaos: UnderChaos) -> Iterator[str]:
    strikes = [f"{name.replace('_', ' ')} {count:,}" for name, count in chaos.strikes.items()]
    yield f"strikes     {', '.join(strikes)}" + ("" if chaos.is_broker_ours else "; the broker is not ours: left alone")
    if chaos.details:
        yield f"  of which  {', '.join(f'{name} {count:,}' for name, count in chaos.details.items())}"
    yield f"producers   repeated {chaos.messages_repeated:,} messages, reordered {chaos.messages_reordered:,}"
    yield f"audit       {chaos.messages_audited:,} messages read; {chaos.messages_given_up:,} had been given up"
