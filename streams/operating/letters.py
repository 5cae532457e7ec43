"""Dead letters: what could not be read or folded, listed, shown, and put back where it came from."""

from __future__ import annotations

import base64
import heapq
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any, NamedTuple

from aiokafka import AIOKafkaProducer
from pydantic import ValidationError

from schemas.limits import MESSAGE_BYTES_MAX, REJECTED_HEADER_BYTES_MAX
from schemas.rejection import Rejection
from schemas.topics import INPUT_TOPICS
from streams.operating.display import note, plural
from streams.operating.reading import Reader
from streams.operating.refused import Refused
from streams.settings import Settings

ID_CHARACTERS_MIN = 4
HEAD_BYTES = 120
READ_BY_US = (*INPUT_TOPICS, "person.changes")
"""The only topics a letter of ours can come from; nothing is put anywhere else."""


class Letter(NamedTuple):
    """A rejection, the key under which it came, and when it was rejected (milliseconds since 1970, by the broker)."""

    key: bytes | None
    rejection: Rejection
    rejected_at_ms: int

    @property
    def body(self) -> bytes:
        """What is kept of the message."""
        return base64.b64decode(self.rejection.body)

    @property
    def cut(self) -> bool:
        """Whether only the beginning is kept."""
        return self.rejection.body_bytes > len(self.body)

    @property
    def rejected_at(self) -> str:
        """When it was rejected, in UTC."""
        at = datetime.fromtimestamp(self.rejected_at_ms / 1000, UTC)
        return at.isoformat(timespec="seconds").replace("+00:00", "Z")

    def whole_headers(self) -> list[tuple[str, bytes]]:
        """The headers as they came, without those of which only a part may be kept."""
        headers = [(name, base64.b64decode(value)) for name, value in self.rejection.headers]
        return [(name, value) for name, value in headers if len(value) < REJECTED_HEADER_BYTES_MAX]

    def members(self) -> dict[str, Any]:
        """What `--json` tells of it."""
        told = self.rejection
        return {
            "rejection_id": told.rejection_id,
            "topic": told.topic,
            "partition": told.partition,
            "offset": told.offset,
            "key": None if self.key is None else self.key.decode("utf-8", "backslashreplace"),
            "timestamp": told.timestamp,
            "rejected_at": self.rejected_at,
            "reason": told.reason,
            "detail": told.detail,
            "body_bytes": told.body_bytes,
            "body_sha256": told.body_sha256,
            "cut": self.cut,
            "head": self.body[:HEAD_BYTES].decode("utf-8", "backslashreplace"),
        }


async def letters(reader: Reader) -> AsyncIterator[Letter]:
    """Every dead letter that is still kept."""
    topic, strangers = reader.settings.topic("dead-letter"), 0
    async for record in reader.records(topic):
        try:
            yield Letter(record.key, Rejection.model_validate_json(record.value or b""), record.timestamp)
        except ValidationError:
            strangers += 1
    if strangers:
        note(f"{topic}: passed over {plural(strangers, 'message', 'messages')} of another kind")


async def newest(reader: Reader, limit: int, reason: str | None) -> tuple[list[Letter], int]:
    """The newest letters of a reason, oldest of them first, and how many there are in all. `limit` 0: all."""
    kept: list[tuple[int, str, int, int, int, Letter]] = []
    count = 0
    async for letter in letters(reader):
        told = letter.rejection
        if reason is not None and told.reason != reason:
            continue
        count += 1
        heapq.heappush(kept, (letter.rejected_at_ms, told.topic, told.partition, told.offset, count, letter))
        if limit and len(kept) > limit:
            heapq.heappop(kept)
    return [each[-1] for each in sorted(kept)], count


async def letter_of(reader: Reader, id_start: str) -> Letter:
    """The letter whose id is, or begins so and no other's does. Raises Refused."""
    if len(id_start) < ID_CHARACTERS_MIN:
        raise Refused(f"{id_start!r} is too short for an id; {ID_CHARACTERS_MIN} characters at least")
    found = {
        letter.rejection.rejection_id: letter
        async for letter in letters(reader)
        if letter.rejection.rejection_id.startswith(id_start)
    }
    if len(found) != 1:
        said = "no dead letter has" if not found else f"{len(found)} dead letters have"
        raise Refused(f"{said} an id that begins {id_start!r}; `leadsync dead-letters` lists them")
    return next(iter(found.values()))


async def put_back(settings: Settings, letter: Letter, key: bytes | None, body: bytes) -> tuple[int, int]:
    """Send a body to where the letter came from; partition and offset where it now stands.

    Under its own key it goes to its own partition, whatever way of choosing one its producer had, so that it stays in its
    stream; under another key it goes where that belongs.
    """
    partition = letter.rejection.partition if key == letter.key else None
    async with AIOKafkaProducer(
        **settings.client("dead-letters"), acks="all", enable_idempotence=True, max_request_size=MESSAGE_BYTES_MAX
    ) as producer:
        sent = await producer.send_and_wait(
            letter.rejection.topic, body, key, partition=partition, headers=letter.whole_headers()
        )
    return sent.partition, sent.offset


def check_origin(settings: Settings, letter: Letter) -> None:
    """Raises Refused where the letter names a topic that leadsync does not read under this prefix."""
    allowed = [settings.topic(name) for name in READ_BY_US]
    if letter.rejection.topic not in allowed:
        raise Refused(f"it came from {letter.rejection.topic}; leadsync reads {', '.join(allowed)}")
