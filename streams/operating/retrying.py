"""`leadsync errors retry`: a request to try again, put onto the record's own stream as anybody could put it there.

A retry forces nothing: what is still not valid under the rules in force stays where it is. Each invocation is a new request
by a person, so its change ids are random, unlike all that is computed from a cause.
"""

from __future__ import annotations

import asyncio
import getpass
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from uuid import uuid4

from aiokafka import AIOKafkaProducer

from schemas.limits import NAME_CHARACTERS_MAX
from streams import cloudevents
from streams.codec import encode
from streams.operating.people import Asking, Person, asking_of, find_person, people_in_error, streams_of
from streams.operating.reading import Reader
from streams.settings import Settings
from streams.sync.messages import SourceChange

SOURCE_CHANGE = cloudevents.type_of("source-change/1")
FROM_ERRORS = cloudevents.source_of("errors")
SENT_AT_ONCE = 1_000


async def whom_to_retry(reader: Reader, names: Iterable[str]) -> list[Person]:
    """The people named, once each; without names everybody in error. Raises Refused for one that is not known."""
    named = list(names)
    if not named:
        return await people_in_error(reader)
    found = [await find_person(reader, name) for name in named]
    return list({person.key: person for person in found}.values())


async def askings(reader: Reader, people: Sequence[Person]) -> dict[str, Asking | None]:
    """By person key: where each can be asked for. None for one without any record."""
    keys = [person.key for person in people]
    marketo = await streams_of(reader, "marketo", keys)
    dynamics = await streams_of(reader, "dynamics", keys)
    return {key: asking_of(state, marketo.get(key, {}), dynamics.get(key, {})) for key, state in people}


def request_of(key: str, asking: Asking, now: datetime) -> SourceChange:
    """The request, in the name of whoever runs the command."""
    return SourceChange(
        change_id=str(uuid4()),
        kind="requested",
        action="retry",
        record=asking.record,
        person_key=key,
        time=now.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        who=f"{_operator()}: leadsync errors retry"[-NAME_CHARACTERS_MAX:],
    )


def _operator() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        return "somebody"


async def send_requests(settings: Settings, requests: Iterable[tuple[Asking, SourceChange]]) -> int:
    """Put each request onto its stream: into the partition where that stands, so that it comes after what came before."""
    waiting: list[tuple[Asking, SourceChange]] = list(requests)
    async with AIOKafkaProducer(**settings.client("errors"), acks="all", enable_idempotence=True) as producer:
        for start in range(0, len(waiting), SENT_AT_ONCE):
            deliveries = [
                await producer.send(
                    settings.topic(f"{asking.record.system}.changes"),
                    encode(request),
                    asking.stream.encode(),
                    partition=asking.partition,
                    headers=list(cloudevents.headers(request.change_id, SOURCE_CHANGE, FROM_ERRORS, request.time)),
                )
                for asking, request in waiting[start : start + SENT_AT_ONCE]
            ]
            await asyncio.gather(*deliveries)
    return len(waiting)


def now_utc() -> datetime:
    """This moment, for a request's own time."""
    return datetime.now(UTC)
