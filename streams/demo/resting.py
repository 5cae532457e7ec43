"""The workers' own state when all is quiet: what the table `people` says of errors, commands in flight and what is due."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from schemas.vocabulary import SYSTEMS, System
from streams.demo.oracle.verdict import Difference
from streams.demo.wire import Watch, plain_consumer, stand_at_beginning
from streams.operating.reading import POLL_MILLISECONDS, up_to_the_end
from streams.settings import Settings
from streams.sync.messages import PersonChange
from streams.sync.person import PersonState, decode_person
from streams.sync.policy import Policy
from streams.sync.step import step
from streams.topics import changelog_topic

PEOPLE = "people"


async def read_people(settings: Settings, watch: Watch) -> dict[str, PersonState]:
    """Every person's state, from the table's changelog."""
    heads = await watch.heads([changelog_topic(settings, PEOPLE)])
    states: dict[bytes, bytes | None] = {}
    consumer: Any = plain_consumer(settings, "demo-people", "read_committed", fetch_max_wait_ms=POLL_MILLISECONDS)
    await consumer.start()
    try:
        await stand_at_beginning(consumer, list(heads))
        async for record in up_to_the_end(consumer, heads.keys(), heads):
            states[record.key] = record.value
    finally:
        await consumer.stop()
    return {key.decode(): decode_person(state) for key, state in states.items() if state is not None}


def receivers_in_error(people: Mapping[str, PersonState]) -> dict[str, set[System]]:
    """For whom a sync error is open, and which system does not get what is due to it."""
    return {
        key: {system for system in SYSTEMS if system in state.errors or f"duplicate/{system}" in state.errors}
        for key, state in people.items()
        if state.errors
    }


def errors_open(people: Mapping[str, PersonState]) -> int:
    """How many sync errors are open."""
    return sum(len(state.errors) for state in people.values())


def miscounted(people: Mapping[str, PersonState], logged: Mapping[str, int]) -> Iterator[Difference]:
    """Whose open sync errors are not as many as their activity log says."""
    for key in {*people, *logged}:
        found = len(people[key].errors) if key in people else 0
        if found != logged.get(key, 0):
            yield Difference(key, "errors", f"{found} are open; by the activity log {logged.get(key, 0)}")


def unfinished(people: Mapping[str, PersonState], policy: Policy) -> Iterator[Difference]:
    """What is in flight, or due and not under an error: at rest there is no such thing."""
    for key, state in people.items():
        for system in SYSTEMS:
            flight = state.system(system).flight
            if flight is not None:
                yield Difference(key, system, f"{flight.operation} is still in flight, revision {flight.revision}")
        for slot in state.errors:
            if slot.startswith("rewriting/"):
                yield Difference(key, slot, "a value was rewritten too often, and these systems agree on all")
        for command in step(state, _nothing_new(key, policy), policy).commands:
            yield Difference(key, command.system, f"due and not sent: {command.operation} {dict(command.fields or {})}")


def _nothing_new(key: str, policy: Policy) -> PersonChange:
    """An answer to no command: folding it settles everything again and changes nothing by itself."""
    return PersonChange(
        change_id="demo/at-rest", person_key=key, policy=policy.digest, kind="answered", system="marketo",
        command_id="demo/none", answer="superseded",
    )  # fmt: skip
