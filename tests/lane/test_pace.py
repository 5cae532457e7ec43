"""How much a worker takes in hand: less on a slow machine, all that is worth while on a quick one."""

import asyncio

from streams.lane import LaneSettings
from streams.lane.pace import RECORDS_AT_FIRST, Pace

SETTINGS = LaneSettings("app", "nowhere:1", batch_records=1_000, transaction_timeout_ms=10_000)
QUICK, SLOW = 0.05, 8.0


async def take(pace: Pace, records: int, seconds: float | None) -> int:
    """One batch, from its reading to its commit."""
    taken = await pace.begin(records)
    pace.end(taken, seconds)
    return taken


async def test_a_worker_begins_with_little_and_soon_takes_whole_batches() -> None:
    """The first batch after a start must not be what ended the process before it."""
    pace = Pace(SETTINGS)
    taken = [await take(pace, 1_000, QUICK) for _ in range(6)]
    assert taken == [RECORDS_AT_FIRST, 200, 400, 800, 1_000, 1_000]


async def test_what_took_too_long_is_followed_by_less() -> None:
    """By as much less as it was too long: the next one takes a fifth of the time-out."""
    pace = Pace(SETTINGS)
    for _ in range(6):
        await take(pace, 1_000, QUICK)
    most = pace.limit
    await take(pace, 1_000, SLOW)
    assert pace.limit == most // 4
    for _ in range(20):
        await take(pace, 1_000, SLOW)
    assert await take(pace, 1_000, SLOW) == 1


async def test_what_says_nothing_of_the_machine_changes_nothing() -> None:
    """An agent that waits for a policy is not slow."""
    pace = Pace(SETTINGS)
    await take(pace, 1_000, None)
    assert pace.limit == RECORDS_AT_FIRST


async def test_small_batches_of_all_lanes_go_on_side_by_side() -> None:
    """An edit never waits for another one's commit while there is little to do."""
    pace = Pace(SETTINGS)
    async with asyncio.timeout(1):
        assert [await pace.begin(1) for _ in range(20)] == [1] * 20


async def test_large_batches_wait_for_each_other_in_the_order_in_which_they_came() -> None:
    """A lane that has just committed does not overtake those that wait."""
    pace, order = Pace(SETTINGS), []

    async def lane(name: str) -> None:
        for _ in range(2):
            taken = await pace.begin(RECORDS_AT_FIRST)
            order.append(name)
            await asyncio.sleep(0)
            pace.end(taken, None)

    async with asyncio.timeout(1), asyncio.TaskGroup() as group:
        for name in "abc":
            group.create_task(lane(name))
    assert "".join(order) == "abcabc"


async def test_whoever_is_cancelled_while_waiting_takes_nothing_along() -> None:
    """A rebalance may come at any moment."""
    pace = Pace(SETTINGS)
    taken = await pace.begin(RECORDS_AT_FIRST)
    waiting = [asyncio.create_task(pace.begin(RECORDS_AT_FIRST)) for _ in range(2)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    await asyncio.sleep(0)
    pace.end(taken, None)
    async with asyncio.timeout(1):
        assert await waiting[1] == RECORDS_AT_FIRST
