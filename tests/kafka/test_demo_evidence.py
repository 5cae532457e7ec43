"""What a demo leaves where something differs: enough to find the cause without running it again."""

from __future__ import annotations

from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer
from click.testing import CliRunner

from schemas.vocabulary import MARKETO
from streams.demo.evidence import keep_evidence
from streams.demo.oracle.facts import Edit, PersonFacts
from streams.fixtures.command import replay
from streams.settings import Settings
from streams.topics import ensure_topics

ADA, BOB = "55e0e23f-a989-5cb8-a723-04bee7569999", "66e0e23f-a989-5cb8-a723-04bee7569999"
CHANGE = """{"contract":"source-change/1","change_id":"m-1","kind":"created","record":{"system":"marketo","type":"person","id":"%s"},"version":1,"fields":{"firstName":"Ada"}}"""

pytestmark = pytest.mark.kafka


def entered(key: str, record_id: str) -> PersonFacts:
    """Somebody whose first name was entered in Marketo."""
    facts = PersonFacts(key)
    facts.facts("first_name").edits = (Edit(1, MARKETO, record_id, "Ada", frozenset()),)
    return facts


async def test_the_messages_and_edits_of_who_differs_are_kept_and_nobody_elses(
    settings: Settings, tmp_path: Path
) -> None:
    """Each file is a recording, which `replay` folds."""
    await ensure_topics(settings)
    producer = AIOKafkaProducer(bootstrap_servers=settings.bootstrap_servers)
    await producer.start()
    for record_id in ("775", "776"):
        await producer.send_and_wait(
            settings.topic("marketo.changes"), (CHANGE % record_id).encode(), record_id.encode()
        )
    await producer.stop()
    people = {ADA: entered(ADA, "775"), BOB: entered(BOB, "776")}
    told = [f"{ADA} first_name: marketo 'Ada', dynamics None", "audit: something at large"]
    await keep_evidence(settings, people, told, tmp_path / "evidence")
    text = (tmp_path / "evidence" / "oracle.txt").read_text()
    assert "  first_name #1 marketo 775: 'Ada' by a person\n" in text and BOB not in text
    recorded = tmp_path / "evidence" / "marketo.changes.jsonl"
    assert '"775"' in recorded.read_text() and '"776"' not in recorded.read_text()
    assert CliRunner().invoke(replay, [str(recorded)]).exit_code == 0


async def test_where_the_difference_is_nobodys_nothing_is_kept(settings: Settings, tmp_path: Path) -> None:
    await keep_evidence(settings, {}, ["audit: something at large"], tmp_path / "evidence")
    assert not (tmp_path / "evidence").exists()
