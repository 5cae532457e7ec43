"""A demo from its topics to its verdict.

One loop carries everything between the simulated systems and Kafka (`Between.run`), one reads what the workers commit
(`Listener.run`), one keeps the workers alive (`Fleet.run`), one asks how far they are; `Playing.play` goes through the phases
meanwhile. Whichever of these fails ends the demo.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

from streams.broker import LocalBroker
from streams.demo.evidence import keep_evidence
from streams.demo.fleet import WorkerFailed
from streams.demo.playing import Playing
from streams.demo.progress import Progress
from streams.demo.quiet import NotQuiet
from streams.demo.report import report
from streams.demo.stage import Plan, set_stage
from streams.demo.summary import Summary
from streams.demo.wire import Watch
from streams.policies import apply_policy
from streams.policy import default_policy_text, default_rule_texts
from streams.settings import Settings
from streams.topics import ensure_topics, wanted_topics

ASK_EVERY_SECONDS = 0.5


class Demo:
    """One run, on topics of its own. `progress` may be asked at any time. `broker`: where it is the demo's own."""

    def __init__(self, settings: Settings, plan: Plan, folder: Path, broker: LocalBroker | None = None) -> None:
        self._stage, self._folder = set_stage(settings, plan, folder, broker), folder
        self._playing = Playing(self._stage)

    async def run(self) -> Summary:
        """Raises WorkerFailed, NotQuiet, and whatever Kafka's clients raise."""
        settings = self._stage.settings
        try:
            await ensure_topics(settings)
            await apply_policy(settings, default_policy_text(), default_rule_texts())
            await self._stage.connect()
            return await self._run_connected()
        except ExceptionGroup as failures:
            raise _first(failures) from None
        finally:
            await self._stage.close()

    def progress(self) -> Progress:
        """A glance."""
        return self._playing.progress()

    async def delete_topics(self) -> None:
        """Leave a broker that is not ours as it was."""
        watch = Watch(self._stage.settings)
        await watch.start()
        try:
            await watch.delete_topics(wanted_topics(self._stage.settings))
        finally:
            await watch.stop()

    async def _run_connected(self) -> Summary:
        stage = self._stage
        async with asyncio.TaskGroup() as group:
            loops = [stage.listener.run(), stage.fleet.run(), stage.between.run(), self._ask()]
            if stage.chaos is not None:
                loops.append(stage.chaos.run())
            tasks = [group.create_task(each) for each in loops]
            course = await self._playing.play()
            summary = await report(stage, course)
            if not summary.is_alike:
                people, differences = stage.world.oracle.people, summary.differences
                await keep_evidence(stage.settings, people, differences, self._folder / "evidence")
            await stage.fleet.stop()
            for task in tasks:
                task.cancel()
        return summary

    async def _ask(self) -> None:
        """How far the workers are behind: for the view, and so that people don't run away from them."""
        while True:
            self._playing.unread = await self._stage.between.unread()
            await asyncio.sleep(ASK_EVERY_SECONDS)


def _first(failures: ExceptionGroup[Exception]) -> Exception:
    """The failure that ended the rest: of several, one whose message is meant for the user."""
    found: Exception = failures.subgroup((WorkerFailed, NotQuiet)) or failures
    while isinstance(found, ExceptionGroup):
        found = found.exceptions[0]
    return found
