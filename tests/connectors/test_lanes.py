"""Commands in waves: in order, and never two of one person at once."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

from streams.codec import encode
from streams.connectors.journal import Entry
from streams.connectors.lanes import CommandLane, Given, InHand, places_of, waves
from streams.connectors.pacing import Priority
from streams.settings import Security, Settings
from streams.sync.messages import ApplyCommand, Record
from tests.connectors.journal import FakeJournal


def given(person_key: str, revision: int) -> Given:
    return Given(
        ApplyCommand(
            command_id=f"{person_key}/{revision}",
            person_key=person_key,
            system="marketo",
            operation="delete",
            revision=revision,
            record=Record("marketo", "person", person_key),
        )
    )


def test_no_person_stands_twice_in_a_wave_and_each_ones_order_is_kept() -> None:
    """What follows an earlier command of the same person may have been done by then."""
    made = waves([given("a", 1), given("b", 1), given("a", 2), given("c", 1), given("a", 3), given("b", 2)])
    assert [[each.command.command_id for each in wave] for wave in made] == [
        ["a/1", "b/1", "c/1"],
        ["a/2", "b/2"],
        ["a/3"],
    ]
    assert [[each.maybe_done for each in wave] for wave in made] == [[False] * 3, [True] * 2, [True]]


async def test_a_batch_waits_for_persons_in_hand_and_for_no_others() -> None:
    """Two batches that want each other's persons never wait for each other."""
    in_hand, order = InHand(), []

    async def batch(name: str, *keys: str) -> None:
        async with in_hand.hold(keys):
            order.append(f"{name} in")
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            order.append(f"{name} out")

    async with asyncio.timeout(5):
        await asyncio.gather(batch("one", "a", "b"), batch("two", "b", "a"), batch("three", "c"))
    assert order.index("three in") < order.index("one out")
    assert order.index("one out") < order.index("two in")


class Scene:
    """A lane over a topic of these commands, and what it was seen to do, in order."""

    def __init__(self, *behind: str) -> None:
        self.seen: list[str] = []
        self.journal: Any = FakeJournal("marketo")
        self.journal.settings, self.journal.group = Settings("nowhere:9092", security=Security()), "group"
        self.in_hand = InHand()
        self.lane = CommandLane(
            self.journal,
            "first",
            self._apply,
            self.in_hand,
            300,
            put_behind=lambda each: each.command.person_key in behind,
        )

    async def _apply(self, wave: list[Given], priority: Priority) -> Entry:
        self.seen.append(" ".join(each.command.command_id for each in wave))
        return Entry(done=places_of(wave))

    async def handle(self, *records: Any) -> None:
        async with asyncio.timeout(5):
            await self.lane._handle(list(records))


def record(offset: int, value: bytes) -> Any:
    return SimpleNamespace(
        topic="marketo.commands", partition=0, offset=offset, key=b"k", value=value, timestamp=0, headers=()
    )


async def test_commands_are_written_down_as_taken_before_anything_is_done_of_them() -> None:
    """Then wave by wave as done, the unreadable ones at once."""
    scene = Scene()
    bodies = [encode(given("a", 1).command), b"{", encode(given("a", 2).command), encode(given("b", 1).command)]
    await scene.handle(*(record(offset, body) for offset, body in enumerate(bodies)))
    told = [([p.offset for p in each.taken], [p.offset for p in each.done]) for each in scene.journal.entries]
    assert told == [([0, 2, 3, 1], [1]), ([], [0, 3]), ([], [2])]
    assert scene.seen == ["a/1 b/1", "a/2"] and len(scene.journal.entries[0].rejected) == 1


async def test_whose_person_the_other_lane_has_in_hand_holds_up_nobody_else() -> None:
    """A batch of the background lane may be long at it, with hundreds of people in hand."""
    scene = Scene()
    bodies = [encode(given(person, 1).command) for person in ("a", "b", "c")]
    async with scene.in_hand.hold({"a", "x"}):
        handling = asyncio.create_task(scene.handle(*(record(n, body) for n, body in enumerate(bodies))))
        async with asyncio.timeout(5):
            while not scene.seen:
                await asyncio.sleep(0)
        assert scene.seen == ["b/1 c/1"] and not handling.done()
    await handling
    assert scene.seen == ["b/1 c/1", "a/1"]


async def test_who_comes_to_wait_while_the_others_go_on_is_not_waited_for() -> None:
    """The other lane has that person in hand still, and tells already that what it does waits."""
    scene = Scene()
    scene.lane._put_behind = lambda each: each.command.person_key == "a" and scene.seen != []
    async with scene.in_hand.hold({"a"}):
        await scene.handle(*(record(n, encode(given(person, 1).command)) for n, person in enumerate("ab")))
    assert scene.seen == ["b/1"]


async def test_whose_command_waits_is_not_waited_for() -> None:
    """That one may be tried just now, and hang; theirs stands behind it, taken and not done, and the others go on."""
    scene = Scene("a")
    async with scene.in_hand.hold({"a"}):
        await scene.handle(record(0, encode(given("a", 1).command)), record(1, encode(given("b", 1).command)))
    assert scene.seen == ["b/1"]
    assert [place.offset for entry in scene.journal.entries for place in entry.done] == [1]
