"""ApplyResult: a system's answer to a command. A result's word is never a landing; a row that it brings is folded as a row."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from schemas.vocabulary import (
    Answer,
    Contract,
    CreationNumber,
    Fields,
    Id,
    Name,
    Record,
    Revision,
    System,
    Text,
    Time,
    Version,
)


class Row(Contract):
    """A record as it was read: its values in the system's own names, with the version, revision and last writer it showed."""

    record: Record
    version: Version
    fields: Fields
    revision: Revision | None = None
    creation: CreationNumber | None = None
    time: Time | None = None
    who: Name | None = None


class ApplyResult(Contract):
    """The answer to one command. Key of its message: the person key.

    created: the record exists now. linked: dedupe found a twin, whose row it brings; one in Dynamics stays its own person's,
    who gets the record in Marketo. refused: the system would not have it (code, field, message). conflict: a commanded
    field holds something else than `expected` (Dynamics; with the row).
    superseded: the record is at or above the command's revision. gone: there is no such record any more (`closed` when
    a merge or a conversion closed it, else deleted).
    """

    model_config = ConfigDict(title="ApplyResult")

    contract: Literal["apply-result/1"] = "apply-result/1"
    result_id: Id
    command_id: Id
    person_key: Id
    system: System
    answer: Answer
    record: Record | None = None
    row: Row | None = None
    twin_person_key: Annotated[
        Id | None,
        Field(
            description="Of a `linked` from Dynamics: whom the twin stands for. Absent: the command's own person gets it."
        ),
    ] = None
    gone: Annotated[Literal["deleted", "closed"], Field(description="Of a `gone`: why.")] = "deleted"
    code: Annotated[Name | None, Field(description="The system's error code, for example 0x80044331.")] = None
    field: Annotated[Name | None, Field(description="The field at fault, in the system's own name.")] = None
    message: Text | None = None
    time: Time | None = None
