"""Dead letters: what could not be read or folded, listed, shown, and put back where it came from."""

from __future__ import annotations

import base64
import heapq
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from aiokafka import AIOKafkaProducer
from pydantic import ValidationError

from schemas.limits import MESSAGE_BYTES_MAX, REJECTED_HEADER_BYTES_MAX
from schemas.rejection import PutBack, Rejection
from schemas.topics import INPUT_TOPICS
from streams import cloudevents
from streams.agents.packing import REJECTION
from streams.operating.display import note, plural
from streams.operating.reading import Reader
from streams.operating.refused import Refused
from streams.settings import Settings

ID_CHARACTERS_MIN = 4
HEAD_BYTES = 120
SOURCE = cloudevents.source_of("dead-letters")
TRANSACTION_TIMEOUT_MS = 10_000
"""Where the command is killed between its two sends, whoever reads that topic waits so long; a minute, if nobody says otherwise."""
READ_BY_US = (*INPUT_TOPICS, "person.changes")
"""The only topics a letter of ours can come from; nothing is put anywhere else."""


class Letter(NamedTuple):
    """A rejection, the key under which it came, its partition of `dead-letter`, and when it was rejected (milliseconds since 1970).

    `put_back`: where its message was put last, if it ever was.
    """

    key: bytes | None
    rejection: Rejection
    partition: int
    rejected_at_ms: int
    put_back: PutBack | None = None

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
        return in_utc(datetime.fromtimestamp(self.rejected_at_ms / 1000, UTC))

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
            "put_back": None if self.put_back is None else self.put_back.model_dump(),
            "reason": told.reason,
            "detail": told.detail,
            "body_bytes": told.body_bytes,
            "body_sha256": told.body_sha256,
            "cut": self.cut,
            "head": self.body[:HEAD_BYTES].decode("utf-8", "backslashreplace"),
        }


def in_utc(at: datetime) -> str:
    """To the second, as it is shown."""
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


async def letters(reader: Reader, marks: dict[str, PutBack]) -> AsyncIterator[Letter]:
    """Every dead letter that is still kept. `marks` takes, by their ids, where those that were put back now stand."""
    topic, strangers = reader.settings.topic("dead-letter"), 0
    async for record in reader.records(topic):
        try:
            rejection = Rejection.model_validate_json(record.value or b"")
        except ValidationError:
            strangers += 1
            continue
        if rejection.put_back is None:
            yield Letter(record.key, rejection, record.partition, record.timestamp)
        else:
            marks[rejection.rejection_id] = rejection.put_back
    if strangers:
        note(f"{topic}: passed over {plural(strangers, 'message', 'messages')} of another kind")


async def newest(reader: Reader, limit: int, reason: str | None) -> tuple[list[Letter], int]:
    """The newest letters of a reason, oldest of them first, and how many there are in all. `limit` 0: all."""
    kept: list[tuple[int, str, int, int, int, Letter]] = []
    marks: dict[str, PutBack] = {}
    count = 0
    async for letter in letters(reader, marks):
        told = letter.rejection
        if reason is not None and told.reason != reason:
            continue
        count += 1
        heapq.heappush(kept, (letter.rejected_at_ms, told.topic, told.partition, told.offset, count, letter))
        if limit and len(kept) > limit:
            heapq.heappop(kept)
    return [_marked(each[-1], marks) for each in sorted(kept)], count


def _marked(letter: Letter, marks: Mapping[str, PutBack]) -> Letter:
    return letter._replace(put_back=marks.get(letter.rejection.rejection_id))


async def letter_of(reader: Reader, id_start: str) -> Letter:
    """The letter whose id is, or begins so and no other's does. Raises Refused."""
    if len(id_start) < ID_CHARACTERS_MIN:
        raise Refused(f"{id_start!r} is too short for an id; {ID_CHARACTERS_MIN} characters at least")
    marks: dict[str, PutBack] = {}
    found = {
        letter.rejection.rejection_id: letter
        async for letter in letters(reader, marks)
        if letter.rejection.rejection_id.startswith(id_start)
    }
    if len(found) != 1:
        said = "no dead letter has" if not found else f"{len(found)} dead letters have"
        raise Refused(f"{said} an id that begins {id_start!r}; `leadsync dead-letters` lists them")
    return _marked(next(iter(found.values())), marks)


async def put_back(settings: Settings, letter: Letter, key: bytes | None, body: bytes, at: datetime) -> PutBack:
    """Send a body to where the letter came from, and the mark of it beside the letter, both or neither; where it now stands.

    Under its own key it goes to its own partition, whatever way of choosing one its producer had, so that it stays in its
    stream; under another key it goes where that belongs. Two who put back one letter at once fence each other.
    """
    told = letter.rejection
    partition = told.partition if key == letter.key else None
    async with (
        AIOKafkaProducer(
            **settings.client("dead-letters"),
            transactional_id=f"{settings.app_id}-put-back-{told.rejection_id}",
            transaction_timeout_ms=TRANSACTION_TIMEOUT_MS,
            max_request_size=MESSAGE_BYTES_MAX,
        ) as producer,
        producer.transaction(),
    ):
        sent = await producer.send_and_wait(told.topic, body, key, partition=partition, headers=letter.whole_headers())
        place = PutBack(partition=sent.partition, offset=sent.offset, at=in_utc(at))
        await producer.send_and_wait(
            settings.topic("dead-letter"),
            told.model_copy(update={"put_back": place}).model_dump_json(exclude_none=True).encode(),
            letter.key,
            partition=letter.partition,
            timestamp_ms=letter.rejected_at_ms,  # so that it goes when the letter goes
            headers=cloudevents.headers(f"{told.rejection_id}/put-back/{sent.offset}", REJECTION, SOURCE),
        )
    return place


def check_origin(settings: Settings, letter: Letter) -> None:
    """Raises Refused where the letter names a topic that leadsync does not read under this prefix."""
    allowed = [settings.topic(name) for name in READ_BY_US]
    if letter.rejection.topic not in allowed:
        raise Refused(f"it came from {letter.rejection.topic}; leadsync reads {', '.join(allowed)}")
