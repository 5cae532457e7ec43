"""Policy is part of the history: applied on a topic, followed by workers, stamped on every change."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from streams.codec import decode_person_change
from streams.operating.reading import Reader
from streams.policies import apply_policy
from streams.policy import default_policy, default_policy_text, default_rule_texts
from streams.settings import Settings
from tests.kafka.load import drained, edits, send
from tests.kafka.workers import WorkerProcess, workers

pytestmark = pytest.mark.kafka

PATIENCE_SECONDS = 30.0


async def stamped(settings: Settings) -> dict[str, str]:
    """The digest on each change of the event log."""
    async with Reader(settings) as reader:
        records = [record async for record in reader.records(settings.topic("person.changes"))]
    return {change.change_id: change.policy for change in map(decode_person_change, (r.value for r in records))}


async def test_a_running_worker_follows_a_policy_that_is_applied(settings: Settings) -> None:
    """What came before keeps its digest; what comes afterwards has the new one, and is folded under it."""
    async with workers(settings, "one") as [worker]:
        messages, before = edits(3, 2)
        await send(settings, messages)
        await drained(settings)
        digest = await apply_policy(settings, default_policy_text() + "# a new one\n", default_rule_texts())
        found: dict[str, str] = {}
        async with asyncio.timeout(PATIENCE_SECONDS):
            for first in range(100, 100_000):
                messages, _ = edits(1, 1, first=first)
                await send(settings, messages)
                await drained(settings)
                found = await stamped(settings)
                if digest in found.values():
                    break
        assert {found[change_id] for change_id in before} == {default_policy().digest}
        assert worker.process is not None and worker.process.returncode is None


async def test_a_policy_file_that_differs_from_the_one_in_force_is_refused(settings: Settings, tmp_path: Path) -> None:
    """`--policy` never changes what is in force; the worker says so and ends with status 2."""
    async with workers(settings, "one") as [worker]:
        (tmp_path / "mine.yaml").write_text(default_policy_text() + "# mine\n")
        other = await WorkerProcess(settings, "two", tmp_path).start("--policy", str(tmp_path / "mine.yaml"))
        assert other.process is not None
        async with asyncio.timeout(PATIENCE_SECONDS):
            assert await other.process.wait() == 2
        assert "leadsync policy apply" in other.log
        assert worker.process is not None and worker.process.returncode is None
