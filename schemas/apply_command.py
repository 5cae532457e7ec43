"""ApplyCommand: what one system shall do to one record."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from schemas.limits import CAUSES_MAX
from schemas.vocabulary import (
    Contract,
    CreationNumber,
    Fields,
    Id,
    Lane,
    Operation,
    Record,
    Revision,
    System,
    check_kind,
    kind_rules,
)

REQUIRED_BY_OPERATION: Mapping[str, tuple[str, ...]] = {
    "create": ("key", "creation", "fields"),
    "update": ("record", "key", "fields"),
    "qualify": ("record",),
    "delete": ("record",),
}


class ApplyCommand(Contract):
    """A command. Key of its message: the person key.

    `fields` stand in the system's own names. The applier writes `key` and `revision` into our two fields in the same
    write; it does nothing, and answers `superseded`, when the record is at or above `revision`. `expected` (Dynamics)
    is the value that the record is expected to hold for each of `fields`: the write happens only where it holds that, or
    the new value already. A create in Dynamics names the record to create: its id follows from `key`.
    """

    model_config = ConfigDict(title="ApplyCommand", json_schema_extra=kind_rules(REQUIRED_BY_OPERATION, "operation"))

    contract: Literal["apply-command/1"] = "apply-command/1"
    command_id: Id
    person_key: Id
    system: System
    operation: Operation
    revision: Revision
    record: Record | None = None
    fields: Fields | None = None
    expected: Fields | None = None
    key: Annotated[Id | None, Field(description="`<person_key>#<n>`, written into our key field.")] = None
    creation: CreationNumber | None = None
    owner: Id | None = None
    dedupe: Annotated[Literal["email"] | None, Field(description="Search for a twin before creating.")] = None
    lane: Lane = "first"
    causes: Annotated[tuple[Id, ...], Field(max_length=CAUSES_MAX)] = ()

    @model_validator(mode="after")
    def _has_what_its_operation_needs(self) -> Self:
        check_kind(self, REQUIRED_BY_OPERATION, self.operation)
        return self
