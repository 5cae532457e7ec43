"""Rejection: a message that could not be read or folded, with where it stood and why."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from schemas.limits import REJECTED_BYTES_MAX, REJECTED_HEADERS_MAX
from schemas.vocabulary import Contract, Id, Text, Time

Reason = Literal[
    "unreadable",  # not JSON in UTF-8
    "unknown_version",  # a contract we do not read here
    "invalid",  # JSON of another shape than the contract
    "no_key",  # the topic's key is missing or not readable
    "wrong_key",  # the key names another person than the body
    "oversized",  # longer than the limit
    "failed",  # the core raised on it
    "outcome_oversized",  # what it would cause is too large to send
]


class PutBack(Contract):
    """Where the message stands, on the topic that it came from, since somebody put it back: corrected, or as it was."""

    partition: Annotated[int, Field(ge=0)]
    offset: Annotated[int, Field(ge=0)]
    at: Time


class Rejection(Contract):
    """An entry of `dead-letter`. Key of its message: the key as it came.

    One with `put_back` is no other rejection: it repeats the one of its id, with its key and timestamp and in its partition,
    and says that its message was put back.
    """

    model_config = ConfigDict(title="Rejection")

    contract: Literal["rejection/1"] = "rejection/1"
    rejection_id: Id
    topic: Annotated[Id, Field(max_length=249)]
    partition: Annotated[int, Field(ge=0)]
    offset: Annotated[int, Field(ge=0)]
    timestamp: Annotated[Time | None, Field(description="The message's own Kafka timestamp.")] = None
    reason: Reason
    detail: Text
    body: Annotated[
        str, Field(description="The first 64 KiB of the bytes, in base64.", max_length=-(-REJECTED_BYTES_MAX // 3) * 4)
    ]
    body_bytes: Annotated[int, Field(ge=0, description="How many bytes there were.")]
    body_sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    headers: Annotated[
        tuple[tuple[str, str], ...], Field(description="Names, and values in base64.", max_length=REJECTED_HEADERS_MAX)
    ] = ()
    put_back: Annotated[
        PutBack | None, Field(description="A mark: the message of the rejection that has this id was put back.")
    ] = None
