"""Calls keep to what a system allows, and what is urgent goes first."""

from __future__ import annotations

import asyncio
import itertools
import random

from streams.connectors.pacing import Backoff, Pace, Pacer, Priority


class FakeTime:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 100.0

    def clock(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds
        await asyncio.sleep(0)


def pacer(calls: int = 100, window_seconds: float = 20.0, concurrent: int = 10) -> tuple[Pacer, FakeTime]:
    time = FakeTime()
    return Pacer(Pace(calls, window_seconds, concurrent), time.clock, time.sleep), time


async def test_no_window_holds_more_calls_than_allowed() -> None:
    """Whatever the moment at which the window begins."""
    pace, time = pacer(calls=5, window_seconds=20.0)
    granted = []
    for _ in range(23):
        async with pace.call():
            granted.append(time.now)
        time.now += 0.5
    for start in granted:
        assert sum(start <= moment < start + 20.0 for moment in granted) <= 5
    assert pace.calls == 23


async def test_no_more_calls_at_once_than_allowed() -> None:
    """The next one waits until one is over."""
    pace, _ = pacer(concurrent=2)
    at_once = most = 0

    async def call() -> None:
        nonlocal at_once, most
        async with pace.call():
            at_once += 1
            most = max(most, at_once)
            await asyncio.sleep(0)
            at_once -= 1

    await asyncio.gather(*(call() for _ in range(20)))
    assert most == 2


async def test_the_first_lane_goes_first_and_the_background_lane_last() -> None:
    """In whatever order they came, once there is a turn to give; the feeds take turns with it."""
    pace, _ = pacer(concurrent=1)
    order: list[str] = []

    async def call(name: str, priority: Priority) -> None:
        async with pace.call(priority):
            order.append(name)
            await asyncio.sleep(0)

    async with pace.call():
        waiting = [
            asyncio.create_task(call("background", Priority.BACKGROUND)),
            asyncio.create_task(call("feed", Priority.FEED)),
            asyncio.create_task(call("first", Priority.FIRST)),
            asyncio.create_task(call("first again", Priority.FIRST)),
        ]
        await asyncio.sleep(0)
    await asyncio.gather(*waiting)
    assert order == ["first", "feed", "first again", "background"]


async def test_the_feeds_are_not_starved_by_the_first_lane() -> None:
    """One of its calls, then one of theirs: what the commands wait for comes through the feeds."""
    pace, _ = pacer(calls=1_000, concurrent=1)
    order: list[Priority] = []

    async def call(priority: Priority) -> None:
        async with pace.call(priority):
            order.append(priority)
            await asyncio.sleep(0)

    async with pace.call():
        waiting = [asyncio.create_task(call(priority)) for priority in Priority for _ in range(6)]
        await asyncio.sleep(0)
    await asyncio.gather(*waiting)
    assert order[:11] == ([Priority.FIRST, Priority.FEED] * 6)[:11]
    assert order[11:].count(Priority.BACKGROUND) == 6


async def test_after_a_burst_calls_go_on_evenly() -> None:
    """A quarter of the window at once, the rest spread over it: no silence follows."""
    pace, time = pacer(calls=40, window_seconds=20.0)
    granted = []
    for _ in range(60):
        async with pace.call():
            granted.append(time.now)
    gaps = [later - earlier for earlier, later in itertools.pairwise(granted)]
    assert granted[9] == granted[0] and max(gaps) <= 1.0


async def test_whoever_gathers_work_waits_for_room_first() -> None:
    """And takes no turn by that."""
    pace, time = pacer(calls=4, window_seconds=4.0)
    async with pace.call():
        pass
    before = time.now
    await pace.room()
    assert time.now > before and pace.calls == 1


async def test_a_pause_holds_everybody_back() -> None:
    """As long as the system asked for."""
    pace, time = pacer()
    pace.pause(17.0)
    assert pace.paused_seconds == 17.0
    async with pace.call():
        assert time.now >= 117.0
    assert pace.paused_seconds == 0.0


async def test_who_gives_up_waiting_takes_no_turn() -> None:
    """Nor keeps one that was given in the same moment."""
    pace, _ = pacer(concurrent=1)

    async def call() -> None:
        async with pace.call():
            await asyncio.sleep(0)

    async with pace.call():
        given_up = asyncio.create_task(call())
        await asyncio.sleep(0)
        given_up.cancel()
        await asyncio.gather(given_up, return_exceptions=True)
    async with asyncio.timeout(5):
        await asyncio.gather(*(call() for _ in range(3)))


def test_backoff_doubles_up_to_its_limit_and_is_drawn_evenly() -> None:
    """Full jitter: two clients that failed together do not come back together."""
    seconds = Backoff(1.0, 8.0).seconds(random.Random(1))
    drawn = [next(seconds) for _ in range(8)]
    assert all(0.0 <= each <= bound for each, bound in zip(drawn, [1, 2, 4, 8, 8, 8, 8, 8], strict=True))
    assert len(set(drawn)) == 8
