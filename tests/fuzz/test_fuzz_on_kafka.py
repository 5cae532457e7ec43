"""A worker under hostile input: nothing stops it, nothing makes it grow, and each message has what it should."""

from __future__ import annotations

import pytest

from streams.settings import Settings
from tests.fuzz.on_kafka import run
from tests.fuzz.sending import SEED

pytestmark = pytest.mark.kafka

MESSAGES = 20_000


async def test_hostile_messages_among_good_ones_on_every_input_topic(settings: Settings) -> None:
    """Each bad one is in dead-letter once; each good one has its outcome; the worker is the same process throughout."""
    report = await run(settings, MESSAGES, SEED)
    assert not report.findings, report.findings[:5]
    assert report.good > MESSAGES / 2 and report.rejected.total() > MESSAGES / 5
