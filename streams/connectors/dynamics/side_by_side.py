"""Several things at once, of which none outlives the others."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any, TypeVar

Each = TypeVar("Each")


async def side_by_side(work: Sequence[Coroutine[Any, Any, Each]]) -> list[Each]:
    """Everything's outcome, in order. The first failure is raised, and ends the rest."""
    tasks = [asyncio.ensure_future(each) for each in work]
    try:
        return list(await asyncio.gather(*tasks))
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
