"""The phases of a demo, one after the other: people are set up, edit, and correct half of what they broke; then all becomes quiet."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable

from streams.demo.pace import EDITS_PER_SECOND, EDITS_PER_SECOND_OVER_REST, Pace
from streams.demo.progress import Progress
from streams.demo.quiet import until_quiet
from streams.demo.report import Course
from streams.demo.stage import Stage

TICK_SECONDS = 0.01
CROWDED_MESSAGES = 2_000
"""People pause while more than this is on its way: what is timed is leadsync, not a queue before it."""
QUIET_SECONDS_MAX = 90.0
QUIET_SECONDS_PER_PERSON = 0.05
CORRECTED_SHARE = 0.5
STORIES_SHOWN = 6

Act = Callable[[float], str | None]


class Playing:
    """`play` once; `progress` may be asked at any time. `unread`: how far the workers were behind when last asked."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.unread = 0
        self._phase, self._began = "creating topics", time.monotonic()
        self._edits_at_first: int | None = None
        self._stories: deque[str] = deque(maxlen=STORIES_SHOWN)

    async def play(self) -> Course:
        """From the workers' start until all is quiet. Raises NotQuiet."""
        self._phase = "starting workers"
        await self.stage.fleet.all_ready()
        await self.stage.between.ready()
        self._phase = "setting up"
        await self._set_up()
        self._phase = "editing"
        began, sent, self._edits_at_first = time.monotonic(), self.stage.between.sent, self.stage.edits
        await self._edit()
        edits = self._edits()
        self._phase = "settling"
        corrected = self.stage.world.crowd.correct(CORRECTED_SHARE, time.time())
        await self._until_quiet()
        self._phase = "comparing"
        ended = time.monotonic()
        return Course(edits, len(corrected), self.stage.between.sent - sent, ended - began, ended - self._began)

    def progress(self) -> Progress:
        """A glance."""
        stage, ledger = self.stage, self.stage.ledger
        done, planned, unit = self._measure()
        return Progress(
            phase=self._phase,
            seconds=time.monotonic() - self._began,
            done=done,
            planned=planned,
            unit=unit,
            people=stage.people,
            edits=self._edits(),
            sent=stage.between.sent,
            commands=stage.between.applied,
            on_the_way=stage.between.waiting,
            unread=self.unread,
            collisions=sum(ledger.collisions.values()),
            errors_opened=ledger.opened,
            errors_closed=ledger.closed,
            dead_letters=ledger.dead_letters,
            p50_seconds=stage.world.landings.percentile(0.5),
            workers=len(stage.fleet.members),
            workers_ready=stage.fleet.ready,
            stories=tuple(self._stories),
            strike="" if stage.chaos is None else stage.chaos.now,
        )

    def _measure(self) -> tuple[int, int, str]:
        if self._phase == "setting up":
            return self.stage.people, self.stage.plan.people, "people"
        return self._edits(), self.stage.plan.edits, "edits"

    def _edits(self) -> int:
        return 0 if self._edits_at_first is None else self.stage.edits - self._edits_at_first

    async def _set_up(self) -> None:
        while self.stage.people < self.stage.plan.people:
            self._act(self.stage.world.newcomers.act)
            await asyncio.sleep(TICK_SECONDS if self._is_crowded() else 0)
        await self._until_quiet()

    async def _edit(self) -> None:
        """At the pace of the plan, or as fast as things go; on the way, or at the latest then, the worker is killed.

        Under chaos, for as long as that lasts.
        """
        plan, began = self.stage.plan, time.monotonic()
        bounds = EDITS_PER_SECOND_OVER_REST if plan.rest else EDITS_PER_SECOND
        pace, kill_at = Pace(plan.edits, plan.seconds, bounds), plan.kill_worker_at
        if self.stage.chaos is not None:
            self.stage.chaos.begin()
        while not self._is_over(share := pace.share(self._edits(), time.monotonic() - began)):
            self.stage.between.disturb(share)
            if kill_at is not None and share >= kill_at:
                self.stage.fleet.kill_one()
                kill_at = None
            if pace.is_ahead(self._edits() - self._bursts(), time.monotonic() - began) or self._is_crowded():
                await asyncio.sleep(TICK_SECONDS)
            else:
                self._act(self.stage.world.crowd.act)
                await asyncio.sleep(0)
        if kill_at is not None:
            self.stage.fleet.kill_one()
        self.stage.between.disturb(1.0)

    def _is_over(self, share: float) -> bool:
        return share >= 1 if self.stage.chaos is None else self.stage.chaos.is_over

    def _bursts(self) -> int:
        return 0 if self.stage.chaos is None else self.stage.chaos.bursts

    def _act(self, act: Act) -> None:
        story = act(time.time())
        if story is not None:
            self._stories.append(story)

    def _is_crowded(self) -> bool:
        return self.stage.between.waiting + self.unread > CROWDED_MESSAGES

    async def _until_quiet(self) -> None:
        await until_quiet(self.stage, QUIET_SECONDS_MAX + QUIET_SECONDS_PER_PERSON * self.stage.people)
