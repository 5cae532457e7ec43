"""Several things at once: none outlives the others."""

from __future__ import annotations

import asyncio

import pytest

from streams.connectors.dynamics.side_by_side import side_by_side
from streams.connectors.rest import OutcomeUnknown


async def test_when_one_fails_the_rest_has_ended_before_anybody_hears_of_it() -> None:
    """What lets go slowly has let go by then."""
    ended = list[str]()

    async def fails() -> None:
        await asyncio.sleep(0)
        raise OutcomeUnknown("timed out")

    async def lets_go_slowly() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            for _ in range(5):
                await asyncio.sleep(0)
            ended.append("slowly")

    with pytest.raises(OutcomeUnknown):
        await side_by_side([lets_go_slowly(), fails()])
    assert ended == ["slowly"]


async def test_outcomes_come_in_order() -> None:
    """However long each takes."""

    async def after(turns: int) -> int:
        for _ in range(turns):
            await asyncio.sleep(0)
        return turns

    assert await side_by_side([after(3), after(1), after(2)]) == [3, 1, 2]
