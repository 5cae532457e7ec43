"""What both agents do with a record that they reject, and with what they send."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

from schemas.limits import BODY_BYTES_MAX, REJECTED_KEY_BYTES_MAX
from schemas.rejection import Reason
from streams import cloudevents
from streams.codec import Unreadable, rejection_of_record
from streams.lane import Batch, Output, Record
from streams.sync.policy import Policy
from streams.tally import Tally

RECORDS_AT_ONCE = 16
"""How many records of a batch go through each loop together; what they need fits into a processor's cache."""
REJECTION = cloudevents.type_of("rejection/1")

Topic = Callable[[str], str]


class Policies(Protocol):
    """The policies that a worker knows."""

    @property
    def in_force(self) -> Policy: ...
    def known(self, digest: str) -> Policy | None: ...
    async def find(self, digests: Iterable[str]) -> None: ...


def rejected(batch: Batch, record: Record, error: Unreadable, source: str, topic: Topic, tally: Tally) -> Output:
    """The dead letter of a record: same key, so that corrected ones can be put back in order; cut where no key can be so long."""
    tally.rejections[error.reason] += 1
    body = rejection_of_record(batch.topic, batch.partition, record, error)
    ce_id = f"{batch.topic}/{batch.partition}/{record.offset}"
    key = record.key and record.key[:REJECTED_KEY_BYTES_MAX]
    return Output(topic("dead-letter"), key, body, cloudevents.headers(ce_id, REJECTION, source))


def fault(error: Exception, reason: Reason = "failed") -> Unreadable:
    return Unreadable(reason, f"{type(error).__name__}: {error}")


def fitting(body: bytes) -> bytes:
    if len(body) > BODY_BYTES_MAX:
        raise Unreadable(
            "outcome_oversized", f"it would cause a message of {len(body)} bytes; allowed are {BODY_BYTES_MAX}"
        )
    return body
