"""Whatever a producer sends: every good message is handled, every bad one is in dead-letter with its origin and reason."""

from __future__ import annotations

import base64
import hashlib
import random
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from aiokafka import AIOKafkaProducer

from schemas import Rejection
from schemas.identity import person_key_of
from schemas.limits import REJECTED_BYTES_MAX
from schemas.topics import INPUT_TOPICS
from streams.codec import decode_person_change, encode
from streams.operating.reading import Reader
from streams.policy import default_policy
from streams.settings import Settings
from streams.sync.messages import ApplyResult, PersonChange, Record, SourceChange
from tests.kafka.load import drained
from tests.kafka.workers import workers

pytestmark = pytest.mark.kafka

TOPICS = (*INPUT_TOPICS, "person.changes")
GOOD_EACH = 20


def good(topic: str, number: int) -> tuple[bytes, dict[str, Any]]:
    """A good message of this topic: its key, and its body to be spoilt."""
    system, _, what = topic.partition(".")
    record = (
        Record("dynamics", "lead", f"{number}") if system == "dynamics" else Record("marketo", "person", f"{number}")
    )
    person = person_key_of(record.system, record.id)
    message: SourceChange | ApplyResult | PersonChange
    if topic == "person.changes":
        message = PersonChange(
            change_id=f"{topic}-{number}",
            person_key=person,
            policy=default_policy().digest,
            kind="updated",
            system="marketo",
            record=record,
            version=1,
            fields={"phone": "1"},
        )
        return person.encode(), msgspec.json.decode(encode(message))
    if what == "results":
        message = ApplyResult(
            result_id=f"{topic}-{number}", command_id="c", person_key=person, system=record.system, answer="superseded"
        )
        return person.encode(), msgspec.json.decode(encode(message))
    fields = {"phone": "1"} if system == "marketo" else {"telephone1": "1"}
    message = SourceChange(change_id=f"{topic}-{number}", kind="created", record=record, version=1, fields=fields)
    return record.id.encode(), msgspec.json.decode(encode(message))


def plain(body: dict[str, Any]) -> bytes:
    return msgspec.json.encode(body)


def random_bytes(body: dict[str, Any]) -> bytes:
    return random.Random(len(body)).randbytes(300)


def nested(body: dict[str, Any]) -> bytes:
    return plain(body)[:-1] + b',"deep":' + b"[" * 50_000 + b"]" * 50_000 + b"}"


SPOILT: dict[str, tuple[Callable[[dict[str, Any]], bytes], set[str]]] = {
    "random bytes": (random_bytes, {"unreadable"}),
    "truncated JSON": (lambda body: plain(body)[:-7], {"unreadable"}),
    "wrong types": (lambda body: plain({**body, "person_key": 7, "version": "one"}), {"invalid"}),
    "a list": (lambda body: plain([body]), {"invalid"}),  # type: ignore[arg-type]
    "a wrong version": (lambda body: plain({**body, "contract": body["contract"][:-1] + "99"}), {"unknown_version"}),
    "another contract": (lambda body: plain({**body, "contract": "activity/1"}), {"unknown_version"}),
    "a 2 MB body": (lambda body: plain({**body, "who": "x" * 2_000_000}), {"oversized"}),
    "missing ids": (lambda body: plain({"contract": body["contract"], "kind": "created"}), {"invalid"}),
    "deep nesting": (nested, {"unreadable"}),
    "broken UTF-8": (lambda body: plain(body).replace(b'"contract"', b'"\xff\xfe":1,"contract"'), {"unreadable"}),
    "a lone surrogate": (lambda body: plain(body)[:-1] + b',"who":"\\ud800"}', {"unreadable"}),
    "no body": (lambda body: b"", {"unreadable"}),
}
KEYLESS = {None: "no_key", b"": "no_key", b"\xff\xfe": "no_key", b"k" * 200: "no_key", b"somebody else": "wrong_key"}


async def test_bad_messages_are_rejected_among_good_ones_on_every_input_topic(settings: Settings) -> None:
    """Each kind of bad message on each topic, good ones before and after."""
    bad: dict[tuple[str, bytes], set[str]] = {}
    ids: set[str] = set()
    async with workers(settings, "one"):
        producer = AIOKafkaProducer(**settings.client("bad-input"), max_request_size=4_000_000)
        await producer.start()

        async def put(topic: str, key: bytes | None, body: bytes) -> Any:
            return await (await producer.send(settings.topic(topic), body, key))

        for topic in TOPICS:
            for number, (spoil, reasons) in enumerate(SPOILT.values()):
                key, body = good(topic, 1000 + number)
                ids.add(body.get("change_id") or body["result_id"])
                await put(topic, key, plain(body))
                sent = await put(topic, key, spoil(body))
                bad[f"{sent.topic}[{sent.partition}]", str(sent.offset).encode()] = reasons
            for number, (key_sent, reason) in enumerate(KEYLESS.items()):
                _, body = good(topic, 2000 + number)
                sent = await put(topic, key_sent, plain(body))
                bad[f"{sent.topic}[{sent.partition}]", str(sent.offset).encode()] = {reason}
            for number in range(GOOD_EACH):
                key, body = good(topic, 3000 + number)
                ids.add(body.get("change_id") or body["result_id"])
                await put(topic, key, plain(body))
        await producer.stop()
        await drained(settings)

    handled, rejections = await _read(settings)
    assert ids <= handled
    assert rejections.keys() == bad.keys()
    for place, rejection in rejections.items():
        assert rejection.reason in bad[place], (place, rejection.reason, rejection.detail)
        assert rejection.detail


@pytest.mark.parametrize("packed_with", ["gzip", "lz4", "zstd"])
async def test_a_small_batch_that_unpacks_to_a_large_one_is_rejected_as_it_came(
    settings: Settings, packed_with: str
) -> None:
    """On a topic of each agent: a few KiB that hold 48 MiB, between good messages, which are handled."""
    ids: set[str] = set()
    bad: set[tuple[str, bytes]] = set()
    async with workers(settings, "one"):
        producer = AIOKafkaProducer(
            **settings.client("bad-input"), max_request_size=1 << 30, compression_type=packed_with
        )
        await producer.start()
        for topic in ("marketo.changes", "person.changes"):
            key, body = good(topic, 1)
            for number, value in enumerate(
                (plain(body), b" " * (48 << 20), plain({**body, "change_id": f"{topic}-2"}))
            ):
                sent = await (await producer.send(settings.topic(topic), value, key))
                if number == 1:
                    bad.add((f"{sent.topic}[{sent.partition}]", str(sent.offset).encode()))
            ids |= {body["change_id"], f"{topic}-2"}
        await producer.stop()
        await drained(settings)

    handled, rejections = await _read(settings)
    assert ids <= handled
    assert rejections.keys() == bad
    for rejection in rejections.values():
        assert rejection.reason == "oversized" and f"packed with {packed_with}; it unpacks to more" in rejection.detail
        assert rejection.body_bytes < 1 << 20


async def _read(settings: Settings) -> tuple[set[str], dict[tuple[str, bytes], Rejection]]:
    """The ids of all changes in the event log that could be read, and all rejections by origin, checked for themselves."""
    handled: set[str] = set()
    rejections: dict[tuple[str, bytes], Rejection] = {}
    async with Reader(settings) as reader:
        async for record in reader.records(settings.topic("person.changes")):
            try:
                handled.add(decode_person_change(record.value).change_id)
            except Exception:  # a bad one that this test put there itself
                continue
        async for record in reader.records(settings.topic("dead-letter")):
            rejection = Rejection.model_validate_json(record.value)
            kept = base64.b64decode(rejection.body)
            assert len(kept) == min(rejection.body_bytes, REJECTED_BYTES_MAX)
            if len(kept) == rejection.body_bytes:
                assert rejection.body_sha256 == hashlib.sha256(kept).hexdigest()
            rejections[f"{rejection.topic}[{rejection.partition}]", str(rejection.offset).encode()] = rejection
    return handled, rejections
