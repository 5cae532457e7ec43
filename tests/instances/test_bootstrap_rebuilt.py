"""What the core makes of records that an earlier installation wrote to, and of pairs that are alike already."""

from __future__ import annotations

from itertools import permutations
from typing import Any

from schemas.identity import key_of
from schemas.vocabulary import DYNAMICS, MARKETO
from streams.connectors.journal import StreamChange
from streams.instances.bootstrapping.store import Pair, ReadRecord
from streams.instances.bootstrapping.telling import told_of_dynamics, told_of_marketo
from streams.intake import resolve_change
from streams.policy import default_policy
from streams.sync.messages import ApplyCommand, SourceChange
from streams.sync.person import PersonState
from streams.sync.step import step

ADA = "11111111-1111-5111-8111-111111111111"
PAIR = Pair("1", "d1", ADA, "key")


def told(revision: int | None = None) -> tuple[list[StreamChange], list[StreamChange]]:
    """What is told of a pair whose records hold the same, in either stream."""
    ours: Any = {} if revision is None else {"key": key_of(ADA, 0), "revision": revision}
    person = ReadRecord(MARKETO, "person", "1", "1", {"lastName": "Lovelace", "jobTitle": "CTO"}, **ours)
    lead = ReadRecord(DYNAMICS, "lead", "d1", "d1", {"lastname": "Lovelace", "jobtitle": "CTO"}, version=5, **ours)
    return (
        list(told_of_marketo(person, PAIR, lead.record, 1, None).changes),
        list(told_of_dynamics(lead, PAIR, person.record, None, kept_out=False).changes),
    )


def folded(changes: list[StreamChange]) -> tuple[PersonState, list[ApplyCommand]]:
    """The person and the commands that come of it."""
    policy, state, commands = default_policy(), None, list[ApplyCommand]()
    for stream, change in changes:
        outcome = step(state, resolve_change(stream, change, None, policy).changes[-1], policy)
        state = outcome.state
        commands += outcome.commands
    assert state is not None
    return state, commands


def test_a_pair_that_is_alike_is_sent_no_value_whichever_stream_is_read_first() -> None:
    for order in sorted(set(permutations((MARKETO, MARKETO, DYNAMICS, DYNAMICS)))):
        marketo, dynamics = told()
        state, _ = folded([(marketo if system == MARKETO else dynamics).pop(0) for system in order])
        due = {name for name, field in state.moving.items() if field.marketo.held != field.dynamics.held}
        assert due <= {"microsoft_type"}, order


def test_commands_go_on_above_the_revisions_that_records_show() -> None:
    marketo, dynamics = told(revision=7)
    edit = SourceChange(
        change_id="edit",
        kind="updated",
        record=marketo[0].change.record,
        version=2,
        fields={"jobTitle": "CEO"},
        who="mia",
        person_key=ADA,
    )
    _, commands = folded([*marketo, *dynamics, StreamChange("1", edit)])
    carrying = [each for each in commands if each.fields and "jobtitle" in each.fields]
    assert [each.revision > 7 for each in carrying] == [True]
