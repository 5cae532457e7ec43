"""Between bytes and messages: the one place where a body is read, refused with its reason, or written.

The good path is one msgspec decode. Only a body that fails is looked at again, to say which of three things it is: no
JSON at all, another contract than this topic's, or this contract in the wrong shape. `tests/test_codec.py` holds what
is accepted here equal to what the pydantic models accept, and lists the few differences.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from typing import Any, TypeVar

import msgspec

from schemas.identity import uuid5
from schemas.limits import (
    BODY_BYTES_MAX,
    NAME_CHARACTERS_MAX,
    NESTING_MAX,
    REJECTED_BYTES_MAX,
    REJECTED_HEADER_BYTES_MAX,
    REJECTED_HEADERS_MAX,
    TEXT_CHARACTERS_MAX,
)
from schemas.rejection import Reason, Rejection
from streams.checking import (
    check_activity,
    check_apply_command,
    check_apply_result,
    check_person_change,
    check_source_change,
)
from streams.faults import explained
from streams.sync.messages import Activity, ApplyCommand, ApplyResult, PersonChange, SourceChange

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
TIMESTAMP_MILLISECONDS_MAX = 253_402_300_799_999
"""The end of the year 9999. A producer may put any 64-bit number into a message's timestamp."""

M = TypeVar("M", bound=msgspec.Struct)


class Unreadable(Exception):  # noqa: N818 - it is about the message; nothing of ours has erred
    """A body that cannot be folded: goes to `dead-letter` under `reason`, with `detail` for who has to mend it."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


class _Head(msgspec.Struct):
    contract: Any = None


_head = msgspec.json.Decoder(_Head)
_to_its_end = msgspec.json.Decoder(msgspec.Raw)
_string = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)  # one without an end goes on to the body's
_STEP = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1}
_NO_BRACKETS = bytes(set(range(256)) - _STEP.keys())
_encoder = msgspec.json.Encoder()


def reader_of(struct: type[M], check: Callable[[M], None]) -> Callable[[bytes | None], M]:
    """Reads the bodies of one contract; `check` is told each message. Raises Unreadable, and nothing else."""
    decode = msgspec.json.Decoder(struct).decode

    def read(body: bytes | None) -> M:
        if not body:
            raise Unreadable("unreadable", "the message has no body")
        if body.__class__ is not bytes and (why := getattr(body, "why", None)):  # see streams/lane/unpacking.py
            raise Unreadable("oversized", why)
        if len(body) > BODY_BYTES_MAX:
            raise Unreadable("oversized", f"{len(body)} bytes; allowed are {BODY_BYTES_MAX}")
        # Deleting finds brackets four times as fast as counting them, and few bodies are so long and have so many.
        if len(body) > 2 * NESTING_MAX and len(body) - len(body.replace(b"{", b"").replace(b"[", b"")) > NESTING_MAX:
            _refuse_too_deep(body)
        try:
            if not body.isascii():
                str(body, "utf-8")  # msgspec passes over members that it does not know without reading their text
            message = decode(body)
            check(message)
            return message
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            refusal = _refusal(struct, body, error)
        try:
            raise refusal  # out here, or it would keep what was caught
        finally:
            del refusal  # or it would keep itself, and by its frames the whole batch, until the collector comes

    return read


def _refuse_too_deep(body: bytes) -> None:
    """What is nested too deep reads or not by where Python's stack ends, unless it has an end of its own."""
    brackets = _string.sub(b"", body).translate(None, _NO_BRACKETS)
    if max(accumulate(map(_STEP.__getitem__, brackets)), default=0) > NESTING_MAX:
        raise Unreadable("unreadable", f"objects and lists stand within each other; allowed are {NESTING_MAX} levels")


def _refusal(struct: type[msgspec.Struct], body: bytes, error: Exception) -> Unreadable:
    if not isinstance(error, msgspec.ValidationError):
        return Unreadable("unreadable", f"not JSON in UTF-8: {error}")
    try:
        _to_its_end.decode(body)
        named = _head.decode(body).contract
    except msgspec.ValidationError:  # JSON, but no object
        return Unreadable("invalid", str(error))
    except (msgspec.DecodeError, RecursionError) as broken:  # wrong in shape, and no JSON further on
        return Unreadable("unreadable", f"not JSON in UTF-8: {broken}")
    contract = struct.__struct_config__.tag
    if isinstance(named, str) and named != contract:
        return Unreadable("unknown_version", f"contract {named[:NAME_CHARACTERS_MAX]!r}; read here is {contract!r}")
    return Unreadable("invalid", explained(struct, body, str(error)))


decode_source_change = reader_of(SourceChange, check_source_change)
decode_apply_result = reader_of(ApplyResult, check_apply_result)
decode_person_change = reader_of(PersonChange, check_person_change)
decode_apply_command = reader_of(ApplyCommand, check_apply_command)
decode_activity = reader_of(Activity, check_activity)


def encode(message: msgspec.Struct) -> bytes:
    """The message's body: compact JSON in UTF-8, members in the contract's order, defaults left out."""
    return _encoder.encode(message)


def rejection_of(
    *,
    topic: str,
    partition: int,
    offset: int,
    timestamp_ms: int | None,
    value: bytes | None,
    headers: Iterable[tuple[str, bytes | None]],
    reason: Reason,
    detail: str,
) -> bytes:
    """The body of a Rejection: the same bytes for the same message, whatever the message held. Its key is the message's own."""
    body = value or b""
    rejection = Rejection(
        rejection_id=uuid5(f"rejection/{topic}/{partition}/{offset}"),
        topic=topic,
        partition=partition,
        offset=offset,
        timestamp=_rfc3339(timestamp_ms),
        reason=reason,
        detail=_text(detail, TEXT_CHARACTERS_MAX),
        body=_base64(body, REJECTED_BYTES_MAX),
        body_bytes=len(body),
        body_sha256=hashlib.sha256(body).hexdigest(),
        headers=tuple(
            (_text(name, NAME_CHARACTERS_MAX), _base64(content or b"", REJECTED_HEADER_BYTES_MAX))
            for name, content in tuple(headers)[:REJECTED_HEADERS_MAX]
        ),
    )
    return rejection.model_dump_json(exclude_none=True).encode()


def rejection_of_record(topic: str, partition: int, record: Any, error: Unreadable) -> bytes:
    """The same, of a record as any consumer hands it over, the lane's too, whose records know neither topic nor partition."""
    return rejection_of(
        topic=topic,
        partition=partition,
        offset=record.offset,
        timestamp_ms=record.timestamp,
        value=record.value,
        headers=record.headers,
        reason=error.reason,
        detail=error.detail,
    )


def _base64(content: bytes, bytes_max: int) -> str:
    return base64.b64encode(content[:bytes_max]).decode()


def _text(text: str, characters_max: int) -> str:
    """What fits, with lone surrogates replaced: no JSON in UTF-8 can hold them."""
    return text[:characters_max].encode("utf-8", "replace").decode()


def _rfc3339(timestamp_ms: int | None) -> str | None:
    if timestamp_ms is None or not 0 <= timestamp_ms <= TIMESTAMP_MILLISECONDS_MAX:
        return None
    at = EPOCH + timedelta(milliseconds=timestamp_ms)
    return at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{timestamp_ms % 1000:03d}Z"
