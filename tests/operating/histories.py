"""People in every state that an operator can meet, made by the core itself from what happened to them."""

from __future__ import annotations

from typing import NamedTuple

from streams.policy import default_policy
from streams.sync.messages import Activity, ApplyCommand, PersonChange, Record, Value
from streams.sync.person import PersonState
from streams.sync.step import step
from tests.builders import PERSON, contact, lead, marketo, person_change

POLICY = default_policy()
AGREED: dict[str, Value] = {
    "first_name": "Ann",
    "last_name": "Lee",
    "email": "ann@example.org",
    "company": "Acme",
    "job_title": "CTO",
}


class History(NamedTuple):
    """What became of a person, and what that caused."""

    state: PersonState
    activities: list[Activity]
    commands: list[ApplyCommand]


def folded(*changes: PersonChange) -> History:
    state: PersonState | None = None
    activities: list[Activity] = []
    commands: list[ApplyCommand] = []
    for change in changes:
        outcome = step(state, change, POLICY)
        state = outcome.state
        activities += outcome.activities
        commands += outcome.commands
    assert state is not None
    return History(state, activities, commands)


def in_marketo(version: int, /, *, revision: int | None = None, person: str = PERSON, **fields: Value) -> PersonChange:
    """Ann edits in Marketo."""
    kind = "created" if version == 1 else "updated"
    time = f"2026-03-02T10:00:{version:02d}Z"
    members = {"record": marketo(person), "version": version, "revision": revision, "who": "ann", "time": time}
    return person_change(kind, fields, **members)


def in_dynamics(
    version: int, /, *, revision: int | None = None, record: Record | None = None, **fields: Value
) -> PersonChange:
    """Bob edits in Dynamics."""
    kind = "created" if version == 1 else "updated"
    time = f"2026-03-02T11:00:{version:02d}Z"
    members = {"record": record or lead(), "version": version, "revision": revision, "who": "bob", "time": time}
    return person_change(kind, fields, scope="row", **members)


AT_REST = (
    in_marketo(1, **AGREED),
    person_change("linked", record=lead(), change_id="bootstrap"),
    in_dynamics(1, **AGREED),
    in_marketo(2, revision=1, microsoft_type="Lead"),
    in_dynamics(2, revision=1, **AGREED),
)
IN_FLIGHT = in_marketo(3, job_title="CEO")
BEHIND_IT = in_marketo(4, city="Oslo")
IN_ERROR = in_dynamics(3, **AGREED | {"email": "no address", "salutation": "Dr"})


def at_rest() -> History:
    return folded(*AT_REST)


def in_every_state() -> History:
    """One field in flight to Dynamics, one waiting behind it; one in error towards Marketo, one held back by that."""
    return folded(*AT_REST, IN_FLIGHT, BEHIND_IT, IN_ERROR)


def converted() -> History:
    """The lead has become a contact."""
    return folded(
        *AT_REST,
        person_change("converted", record=lead(), version=4, contact=contact()),
        in_dynamics(5, record=contact(), **AGREED),
    )
