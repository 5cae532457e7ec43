"""Commands in waves: in order, and never two of one person at once."""

from __future__ import annotations

import asyncio

from streams.connectors.lanes import Given, InHand, waves
from streams.sync.messages import ApplyCommand, Record


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
