"""When a demo is at rest: what the workers' own states say, and when all is quiet."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from streams.demo.carrying import Carrying
from streams.demo.quiet import NotQuiet, until_quiet
from streams.demo.resting import errors_open, miscounted, receivers_in_error, unfinished
from streams.policy import default_policy
from streams.sync.person import Flight, Link, PersonState, SyncError, SystemState
from streams.sync.step import step
from tests.builders import lead, marketo, person_change

POLICY = default_policy()
ERROR = SyncError("c-1", "too_long", "too long", "update", "job_title")


def linked_person() -> PersonState:
    """At rest: both records hold the same, and our key."""
    return PersonState(
        SystemState(Link("person", marketo().id, 1, 1), revision=1),
        SystemState(Link("lead", lead().id, 1, 1), revision=1),
        "lead",
        at_rest={"city": "Utrecht", "last_name": "Hopper", "first_name": "Grace", "topic": "Trial"},
    )


def found(state: PersonState) -> list[str]:
    return [str(each) for each in unfinished({"p-1": state}, POLICY)]


def test_a_person_at_rest_has_nothing_unfinished() -> None:
    """Settling once more sends nothing."""
    assert found(linked_person()) == []


def test_a_command_in_flight_is_unfinished() -> None:
    """At rest nothing is."""
    state = linked_person()
    state.dynamics.flight = Flight("c-9", 2, "update", lead(), {})
    assert found(state) == ["p-1 dynamics: update is still in flight, revision 2"]


def test_an_edit_in_flight_shows_what_is_due_to_the_other_system() -> None:
    """A state that was never settled after its edit: its command is due."""
    change = person_change("updated", {"city": "Leeds"}, version=2, policy=POLICY.digest)
    state = step(linked_person(), change, POLICY).state
    assert state is not None and state.dynamics.flight is not None
    state.dynamics.flight = None
    assert found(state) == ["p-1 dynamics: due and not sent: update {'address1_city': 'Leeds'}"]


def test_errors_by_who_does_not_get_what_is_due() -> None:
    """A duplicate is the error of the system in which it shows."""
    state = linked_person()
    state.errors = {"dynamics": ERROR, "duplicate/marketo": ERROR}
    people = {"p-1": state, "p-2": linked_person()}
    assert receivers_in_error(people) == {"p-1": {"dynamics", "marketo"}}
    assert errors_open(people) == 2


def test_who_has_other_errors_open_than_the_activity_log_says_is_named() -> None:
    """Also where two such people would make the sum right."""
    state = linked_person()
    state.errors = {"dynamics": ERROR}
    people = {"p-1": state, "p-2": linked_person()}
    assert list(miscounted(people, {"p-1": 1})) == []
    assert sorted(map(str, miscounted(people, {"p-2": 1, "p-3": 0}))) == [
        "p-1 errors: 1 are open; by the activity log 0",
        "p-2 errors: 0 are open; by the activity log 1",
    ]


def stage(**waiting: int) -> Any:
    """A stage on which something waits."""
    numbers = {"feeding": 0, "carrier": 0, "sender": 0, **waiting}
    carrying: Any = Carrying(
        SimpleNamespace(waiting=numbers["carrier"], applied=0),  # type: ignore[arg-type]
        SimpleNamespace(waiting=numbers["feeding"]),  # type: ignore[arg-type]
        SimpleNamespace(unanswered=numbers["sender"], sent=0),  # type: ignore[arg-type]
        SimpleNamespace(),  # type: ignore[arg-type]
    )
    return SimpleNamespace(between=carrying, listener=SimpleNamespace(read=0))


@pytest.mark.parametrize(
    ("waiting", "told"),
    [
        ({"feeding": 3, "carrier": 1}, "3 changes to be read from the systems"),
        ({"carrier": 2}, "2 commands or answers on their way"),
        ({"sender": 4}, "the broker to take 4 messages"),
    ],
)
async def test_what_is_waited_for_is_told_when_the_time_is_up(waiting: dict[str, int], told: str) -> None:
    """The first of it, going downstream."""
    with pytest.raises(NotQuiet, match=told):
        await until_quiet(stage(**waiting), seconds_max=0.0)
