"""What the connectors' own topics hold of a person, computed from the contract: no benchmark runs connectors."""

from __future__ import annotations

from uuid import UUID

from aiokafka.record.default_records import DefaultRecordBatchBuilder

from schemas.identity import key_of
from schemas.vocabulary import DYNAMICS, MARKETO, System
from streams import cloudevents
from streams.codec import encode
from streams.connectors.journal import KNOWN_RECORD
from streams.connectors.known import KnownRecord
from streams.sync.messages import Record

SOME_ID = str(UUID(int=0))
EXAMPLES: dict[System, Record] = {
    MARKETO: Record(MARKETO, "person", "12345678"),
    DYNAMICS: Record(DYNAMICS, "contact", SOME_ID),
}
VERSION = 123_456_789


def known_bytes() -> int:
    """Of a person with a record in each system: one message on `marketo.records` and one on `dynamics.records`."""
    return sum(_message_bytes(system, record) for system, record in EXAMPLES.items())


def _message_bytes(system: System, record: Record) -> int:
    known = KnownRecord(record=record, stream=record.id, version=VERSION, key=key_of(SOME_ID, 1))
    headers = cloudevents.headers(f"{record.id}/{VERSION}", KNOWN_RECORD, cloudevents.source_of(f"connector-{system}"))
    size: int = DefaultRecordBatchBuilder.size_of(record.id.encode(), encode(known), headers)
    return size
