"""The audit's teeth: each thing that can be wrong with what stands on the topics is found and named."""

from __future__ import annotations

from collections import Counter

import pytest

from streams.demo.audit.attempts import Attempts, Written
from streams.demo.audit.lanes import Lanes, Said, compared, follows, lanes
from streams.demo.audit.laws import ids, quiet
from streams.demo.audit.people import Course, People
from streams.demo.audit.sources import Sources
from streams.demo.oracle.facts import PersonFacts
from streams.policy import default_policy
from streams.sync.messages import PersonChange, Record
from tests.builders import apply_command

LANE = ("activity-log", "ada")
ONE, TWO = Said("one", b"1"), Said("two", b"2")


def holding(*said: Said) -> Lanes:
    """One key's messages."""
    found = lanes()
    if said:
        found[LANE] = list(said)
    return found


@pytest.mark.parametrize(
    ("found", "text"),
    [
        ((ONE,), "activity-log ada: two is lost"),
        ((ONE, TWO, TWO), "activity-log ada: two stands 2 times, not 1"),
        ((ONE, TWO, Said("three", b"3")), "activity-log ada: three is not what the log gives"),
        ((TWO, ONE), "activity-log ada: 2 messages stand in another order than their causes"),
    ],
)
def test_what_differs_is_named(found: tuple[Said, ...], text: str) -> None:
    """Lost, repeated, invented, out of order."""
    assert list(compared(holding(ONE, TWO), holding(*found))) == [text]
    assert list(compared(holding(ONE, TWO), holding(ONE, TWO))) == []


def test_one_id_with_another_content_is_a_loss_and_an_invention() -> None:
    """An id says nothing of what the message says."""
    assert len(list(compared(holding(ONE), holding(Said("one", b"other"))))) == 2


def test_writes_are_steps_of_the_fold_in_its_order() -> None:
    """Batches leave steps out; none goes back, and none is written twice where the fold passed it once."""
    trail = [b"a", b"b", b"c"]
    assert follows(trail, [b"a", b"c"]) and follows(trail, [])
    assert not follows(trail, [b"c", b"a"]) and not follows(trail, [b"b", b"b"]) and not follows(trail, [b"d"])


def test_an_attempt_that_says_something_else_is_found() -> None:
    """A batch that was given up is handled again from the same place: it can have said nothing new."""
    attempts = Attempts()
    attempts.given_up["t"] = [Written("ada", b"1"), Written("ada", b"2")]
    assert len(list(attempts.unlike("t", {"ada": {b"1"}}))) == 1
    assert list(attempts.unlike("t", {"ada": {b"1", b"2"}})) == []


def test_every_source_message_has_one_outcome_and_every_id_its_one_place() -> None:
    """A message that was sent twice stands twice in the event log; a create may stand on both lanes."""
    sources, people = Sources(), People()
    sources.sent = Counter({"sent twice": 2, "lost": 1})
    people.folded = Counter({"sent twice": 2, "invented": 1})
    people.commands["dynamics.commands"] = Counter({"moved up": 1, "doubled": 2})
    people.commands["dynamics.commands.background"] = Counter({"moved up": 1})
    people.activities = Counter({"logged twice": 2})
    assert list(ids(sources, people)) == [
        "change invented: sent 0 times, and 1 times in the event log",
        "change lost: sent 1 times, and 0 times in the event log",
        "command doubled: 2 times on dynamics.commands",
        "activity logged twice: 2 times on activity-log",
    ]


def test_more_commands_than_causes_are_not_quiet() -> None:
    """Edits and what else happened allow so many, and no more."""
    few, many = Course(events=1, commands={"1", "2"}), Course(events=1, commands=set("12345"))
    people = {"few": PersonFacts("few"), "many": PersonFacts("many")}
    assert [text.partition(":")[0] for text in quiet({"few": few, "many": many}, people)] == ["many"]


def test_a_revision_that_follows_neither_the_last_nor_the_record_is_found() -> None:
    """It rises by one; above that only where the record shows one that an earlier installation wrote."""
    people, record = People(), Record("marketo", "person", "775")
    shown = PersonChange(
        change_id="c", person_key="ada", policy=default_policy().digest, kind="updated", system="marketo",
        record=record, version=1, fields={}, revision=7,
    )  # fmt: skip
    course = Course()
    for revision, found in ((1, 0), (2, 0), (8, 0), (10, 1)):
        if revision == 8:
            people._note(course, shown, ())
        command = apply_command(person_key="ada", system="marketo", record=record, revision=revision)
        people._check_revision(course, command)
        assert len(people.complaints) == found, revision
