"""A write of ours that comes through after its own repeat is told as what it is."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.identity import person_key_of
from schemas.vocabulary import MARKETO, OURSELVES
from streams.connectors.marketo.entries import FeedEntry, FieldChange
from streams.connectors.marketo.late_writes import API_SOURCE, COMMANDS_MAX, LATE_SECONDS, RECORDS_MAX, LateWrites
from streams.connectors.marketo.writes import Write, writes_of
from streams.simulators.marketo.coercion import in_seconds
from streams.simulators.marketo.origin import by_api
from tests.connectors.marketo.scene import create, scene, update
from tests.simulators.marketo.served import CONNECTOR, NOW, Clock


def write(source: str = API_SOURCE, lead: str = "775", at: float = NOW, **values: Any) -> Write:
    """What the feed lists of a write: field=new value. `at`: when it happened, in seconds since the epoch."""
    changes = tuple(FieldChange(name, new, "before") for name, new in values.items())
    [made] = writes_of([FeedEntry("1", lead, 13, in_seconds(at), changes, source, source, "r#1")])
    return made


async def test_what_a_late_repeat_covers_is_told_as_a_repeat_of_its_revision() -> None:
    """Somebody edited the person in between; the feed lists the value that the repeat put back, and no revision."""
    async with scene(shares={"dropped_after": 0.5}) as made:
        held = made.person(city="Rome")
        person = person_key_of(MARKETO, held.id)
        command = update(held, 3, person=person, city="Oslo")
        await made.start()
        await made.read()
        await made.apply(command, maybe_done=True)
        made.edit(held, city="Paris")
        with made.instance.origin(by_api(CONNECTOR.user, "syncLeads", "late#1")):
            made.instance.list_landing(held, command, made.instance.write(held, command, made.clock.now))
        landing, edit, repeat = await made.read()
        assert (landing.revision, edit.revision, edit.fields) == (3, None, {"city": "Paris"})
        assert (repeat.fields, repeat.revision, repeat.who) == ({"city": "Oslo"}, 3, OURSELVES)


def test_only_what_was_lost_can_come_late() -> None:
    """By another way, with other values, of another record, or another field: somebody's edit."""
    late = LateWrites(Clock())
    late.note(update("775", 3, city="Oslo", score=7, doNotCall=True, phone=None))
    assert late.revision_of(write(city="Oslo")) == late.revision_of(write(score="7", doNotCall="true", phone="")) == 3
    for other in (
        write(source="Web form fillout", city="Oslo"),
        write(city="Rome"),
        write(lead="776", city="Oslo"),
        write(city="Oslo", lastName="Byron"),
        write(phone="1"),
    ):
        assert late.revision_of(other) is None


def test_of_several_that_fit_it_is_the_newest() -> None:
    """And a command that is tried again and again is one."""
    late = LateWrites(Clock())
    for revision in (3, 4, 4, 4, 5):
        late.note(update("775", revision, city="Rome" if revision == 5 else "Oslo"))
    assert late.revision_of(write(city="Oslo")) == 4


@pytest.mark.parametrize("passed", [LATE_SECONDS - 1, LATE_SECONDS + 1])
@pytest.mark.parametrize("read_after", [0.0, 10 * LATE_SECONDS])
def test_after_an_hour_nothing_comes_any_more(passed: float, read_after: float) -> None:
    """The hour of the write itself: the feed may be read long after, when the day's calls were used up or Marketo was away."""
    clock = Clock()
    late = LateWrites(clock)
    late.note(update("775", 3, city="Oslo"))
    clock.now += passed + read_after
    late.note(update("775", 4, city="Rome"))  # what comes next in doubt makes it forget nothing
    found = late.revision_of(write(at=NOW + passed, city="Oslo"))
    assert (found == 3) is (passed < LATE_SECONDS)


def test_of_one_record_it_holds_so_many_commands() -> None:
    """The newest."""
    late = LateWrites(Clock())
    for revision in range(COMMANDS_MAX + 1):
        late.note(update("775", revision, city=f"Oslo {revision}"))
    assert late.revision_of(write(city="Oslo 0")) is None and late.revision_of(write(city="Oslo 1")) == 1


def test_it_holds_so_many_records_and_forgets_the_oldest() -> None:
    """A create of which nobody knows the record is none of them: its key makes a late one fail."""
    late = LateWrites(Clock())
    late.note(create("p-1"))
    for number in range(RECORDS_MAX + 1):
        late.note(update(str(number), 3, city="Oslo"))
    assert late.revision_of(write(lead="0", city="Oslo")) is None
    assert late.revision_of(write(lead="1", city="Oslo")) == 3
