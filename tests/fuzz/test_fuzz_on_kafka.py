"""A worker under hostile input: nothing stops it, nothing makes it grow, and each message has what it should."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.errors import MessageSizeTooLargeError

from schemas import Rejection
from schemas.limits import MESSAGE_BYTES_MAX, REJECTED_KEY_BYTES_MAX
from streams.codec import encode
from streams.operating.reading import Reader
from streams.settings import Settings
from streams.topics import ensure_topics
from tests.builders import marketo_change, person_change
from tests.fuzz.on_kafka import NO_NAME, RAW_NAME, run, with_raw_names
from tests.fuzz.sending import SEED
from tests.kafka.load import drained
from tests.kafka.workers import workers

pytestmark = pytest.mark.kafka

MESSAGES = 20_000
MARKETO, PEOPLE = "marketo.changes", "person.changes"


async def test_hostile_messages_among_good_ones_on_every_input_topic(settings: Settings) -> None:
    """Each bad one is in dead-letter once; each good one has its outcome; the worker is the same process throughout."""
    report = await run(settings, MESSAGES, SEED)
    assert not report.findings, report.findings[:5]
    assert report.good > MESSAGES / 2 and report.rejected.total() > MESSAGES / 5


GOOD = encode(marketo_change("775", kind="created", firstName="Ada"))
NO_DIGEST = encode(person_change(person_key="p", policy="latest"))
TOO_LONG = b"k" * 2_000_000

PILLS: dict[str, tuple[str, bytes, bytes | None, list[tuple[str, bytes | None]], str | None]] = {
    "a key of two megabytes": (MARKETO, TOO_LONG, GOOD, [], "no_key"),
    "such a key of the event log": (PEOPLE, TOO_LONG, NO_DIGEST, [], "no_key"),
    "a policy that can be none": (PEOPLE, b"p", NO_DIGEST, [], "invalid"),
    "a header whose name is no UTF-8": (MARKETO, b"775", b"{", [(RAW_NAME, b"x")], "unreadable"),
    "such a header of the event log": (PEOPLE, b"p", b"{", [(RAW_NAME, b"x")], "unreadable"),
    "such a header of a good message": (MARKETO, b"775", GOOD, [(RAW_NAME, b"x")], None),
    "a thousand headers": (
        MARKETO,
        b"775",
        b"{",
        [(f"h{number}", b"x" * 2_000) for number in range(1_000)],
        "unreadable",
    ),
    "the largest that a topic takes": (MARKETO, b"775", b"x" * (MESSAGE_BYTES_MAX - 200), [], "oversized"),
}
"""What has stopped a worker for good, or might: where, key, value, headers, and the reason for which it is rejected."""


async def test_what_has_stopped_a_worker_stops_none(settings: Settings) -> None:
    """Each by itself, so that one that does is known by its name."""
    async with workers(settings, "one") as (worker,):
        assert worker.process is not None
        for story, (topic, key, value, headers, _) in PILLS.items():
            await put(settings, topic, key, value, headers)
            await drained(settings)
            assert worker.process.returncode is None, f"{story}: {worker.log[-3_000:]}"
    letters = await rejections(settings)
    assert [letter.reason for _, letter in letters] == [reason for *_, reason in PILLS.values() if reason]
    assert letters[0][0] == TOO_LONG[:REJECTED_KEY_BYTES_MAX]
    shown = NO_NAME.decode(errors="replace")
    assert [name for _, letter in letters[3:5] for name, _ in letter.headers] == [shown, shown]
    assert base64.b64decode(letters[-1][1].body) == b"x" * 65_536


async def put(settings: Settings, topic: str, key: bytes, value: bytes | None, headers: Any) -> None:
    """By hand, since no producer takes such a header's name."""
    async with producer(settings) as sending:
        batch = sending.create_batch()
        assert batch.append(timestamp=None, key=key, value=value, headers=headers) is not None
        await (await sending.send_batch(with_raw_names(batch), settings.topic(topic), partition=0))


def producer(settings: Settings) -> AIOKafkaProducer:
    return AIOKafkaProducer(**settings.client("pills"), max_request_size=2 * MESSAGE_BYTES_MAX, acks="all")


async def rejections(settings: Settings) -> list[tuple[bytes, Rejection]]:
    """In the order in which they were rejected: there was time between them."""
    async with Reader(settings) as reader:
        found = [record async for record in reader.records(settings.topic("dead-letter"))]
    found.sort(key=lambda record: record.timestamp)
    return [(record.key, Rejection.model_validate_json(record.value)) for record in found]


async def test_a_topic_takes_the_largest_message_and_none_that_is_larger(settings: Settings) -> None:
    await ensure_topics(settings)
    async with producer(settings) as sending:

        def of(bytes_more: int) -> Any:
            batch = sending.create_batch()
            batch.append(timestamp=None, key=b"k", value=b"x" * (MESSAGE_BYTES_MAX - overhead + bytes_more), headers=[])
            return batch

        overhead = 0
        overhead = of(0).size() - MESSAGE_BYTES_MAX
        await (await sending.send_batch(of(0), settings.topic(MARKETO), partition=0))
        with pytest.raises(MessageSizeTooLargeError):
            await (await sending.send_batch(of(1), settings.topic(MARKETO), partition=0))
