"""KnownRecord: what a connector has read of one record of its system, so that a restart neither repeats nor skips it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from schemas.vocabulary import Contract, Id, Record, Time, Version

RecordState = Literal["living", "closed", "deleted"]


class KnownRecord(Contract):
    """An entry of `marketo.records` or `dynamics.records`. Key of its message: the record's id.

    `stream` is the key under which the record's changes stand (for a contact, the id of the lead it came from), and `key` what
    our key field was last seen to hold. A `deleted` one is kept, since a create that is repeated must find that its record was
    there; `closed` is one that a merge or a conversion closed.
    """

    model_config = ConfigDict(title="KnownRecord")

    contract: Literal["known-record/1"] = "known-record/1"
    record: Record
    stream: Id
    version: Annotated[Version, Field(description="Of the last change that was published.")] = 0
    key: Annotated[Id | None, Field(description="`<person_key>#<n>`, where the record holds it.")] = None
    state: RecordState = "living"
    shown_before: Annotated[
        Time | None,
        Field(
            description="Of a row that a bootstrap read: what the feed lists from before this time, it shows already."
        ),
    ] = None
