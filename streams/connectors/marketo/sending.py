"""A batch of records to write, however many calls it takes, and for each record what became of it.

A call that is refused as a whole because of what is in it is halved until the one to blame stands alone. After a call whose outcome nobody
knows every record of it is in doubt.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple

import msgspec

from streams.connectors.marketo.codes import is_about_the_body, meaning_of
from streams.connectors.marketo.names import LEADS_MAX
from streams.connectors.rest import OutcomeUnknown, Refused

BODY_BYTES_MAX = 900_000
"""Marketo takes 1 MB; this leaves room for what stands around the records."""

NOT_FOUND = "1004"
EXISTS = "1005"
SEVERAL = "1007"
DONE = ("created", "updated", "deleted", "added")

Send = Callable[[Sequence[Mapping[str, Any]]], Awaitable[list[dict[str, Any]]]]


class Verdict(NamedTuple):
    """What became of one record: done, refused with a code and a message, or nobody knows."""

    outcome: Literal["done", "refused", "unsure"]
    id: str = ""
    code: str = ""
    message: str = ""


UNSURE = Verdict("unsure")


async def sent(records: Sequence[Mapping[str, Any]], send: Send) -> list[Verdict]:
    """One verdict for each record, in their order. Raises Refused for what no record is to blame for."""
    verdicts: list[Verdict] = []
    for some in _loads(records):
        verdicts += await _sent(some, send)
    return verdicts


async def _sent(records: Sequence[Mapping[str, Any]], send: Send) -> list[Verdict]:
    try:
        results = await send(records)
    except OutcomeUnknown:
        return [UNSURE] * len(records)
    except Refused as error:
        if not is_about_the_body(error.code):
            raise
        if len(records) == 1:
            return [Verdict("refused", "", error.code, error.message)]
        half = len(records) // 2
        return [*await _sent(records[:half], send), *await _sent(records[half:], send)]
    if len(results) != len(records):
        return [UNSURE] * len(records)
    return [_verdict(each) for each in results]


def _verdict(told: Mapping[str, Any]) -> Verdict:
    record_id = str(told.get("id", ""))
    if told.get("status") in DONE:
        return Verdict("done", record_id)
    reasons = told.get("reasons") or told.get("errors") or [{}]
    code, message = str(reasons[0].get("code", "skipped")), str(reasons[0].get("message", ""))
    if meaning_of(code) != "refused":
        return UNSURE
    return Verdict("refused", record_id, code, message)


def _loads(records: Sequence[Mapping[str, Any]]) -> Iterator[Sequence[Mapping[str, Any]]]:
    """As many records as one call takes, by number and by size."""
    load: list[Mapping[str, Any]] = []
    size = 0
    for record in records:
        length = len(msgspec.json.encode(record)) + 1
        if load and (len(load) == LEADS_MAX or size + length > BODY_BYTES_MAX):
            yield load
            load, size = [], 0
        load.append(record)
        size += length
    if load:
        yield load
