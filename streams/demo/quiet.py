"""When all is quiet: nothing is on its way anywhere, and nothing new has come while we looked.

One look goes downstream, in this order: the systems have nothing to show, no command or answer is on its way, Kafka has
everything that was sent; the workers have committed every change and result; we have read every `person.changes` that came of them, and the workers have
committed those; we have read every command and activity that came of those, and the commands have been carried out. Ends are asked for with open transactions
included, so that what is not yet committed counts as still to come.
"""

from __future__ import annotations

import asyncio
import time

from streams.demo.stage import Stage
from streams.demo.wire import HEARD_TOPICS

LOOK_EVERY_SECONDS = 0.1
PERSON_CHANGES = "person.changes"


class NotQuiet(Exception):  # noqa: N818 - it says how the demo is, which is no fault of the program
    """The time is up and something still moves; the message says what."""


async def until_quiet(stage: Stage, seconds_max: float) -> None:
    """Wait until all is quiet. Raises NotQuiet."""
    deadline = time.monotonic() + seconds_max
    while True:
        before = _events(stage)
        waiting_for = await _look(stage)
        if waiting_for is None and _events(stage) == before:
            return
        if time.monotonic() > deadline:
            what = waiting_for or "messages that keep coming"
            raise NotQuiet(f"after {seconds_max:.0f} s it is not quiet yet; still waiting for {what}")
        await asyncio.sleep(LOOK_EVERY_SECONDS)


def _events(stage: Stage) -> tuple[int, ...]:
    return (*stage.between.stirred, stage.listener.read)


async def _look(stage: Stage) -> str | None:
    """What is still to be waited for."""
    if upstream := await stage.between.upstream():
        return upstream
    if behind := await _behind(stage, PERSON_CHANGES):
        return f"{behind} offsets of {PERSON_CHANGES} to be committed"
    changes = {place: end for place, end in stage.listener.ends.items() if place.topic.endswith(PERSON_CHANGES)}
    if unread := await stage.watch.unread(changes):
        return f"the workers to fold {unread} changes of people"
    if behind := await _behind(stage, *HEARD_TOPICS):
        return f"{behind} offsets of commands and activities to be committed"
    return await stage.between.downstream()


async def _behind(stage: Stage, *names: str) -> int:
    return await stage.listener.behind(await stage.watch.heads(map(stage.settings.topic, names)))
