"""Words that several contracts share: systems, records, values, and which members each kind of change needs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, model_validator

from schemas.limits import (
    CREATIONS_MAX,
    FIELDS_MAX,
    ID_CHARACTERS_MAX,
    INTEGER_MAX,
    NAME_CHARACTERS_MAX,
    OPTIONS_MAX,
    TEXT_CHARACTERS_MAX,
    TIME_CHARACTERS_MAX,
    VALUE_CHARACTERS_MAX,
    VERSION_MAX,
)

System = Literal["marketo", "dynamics"]
RecordType = Literal["lead", "contact"]
RecordKind = Literal["person", "lead", "contact"]
Lane = Literal["first", "background"]
Operation = Literal["create", "update", "qualify", "delete"]
Answer = Literal["created", "linked", "refused", "conflict", "superseded", "gone"]
Scope = Literal["partial", "row"]

MARKETO: System = "marketo"
DYNAMICS: System = "dynamics"
SYSTEMS: tuple[System, System] = (MARKETO, DYNAMICS)

RECORD_KINDS: Mapping[System, tuple[RecordKind, ...]] = {MARKETO: ("person",), DYNAMICS: ("lead", "contact")}

OURSELVES = "leadsync"
"""What `who` says of a write that leadsync's own appliers made."""


def _whole_or_number(value: Any) -> Any:
    """Refuse what JSON can spell but no reader of ours may meet: NaN, infinities, integers beyond 64 bits."""
    if isinstance(value, float) and not (-1.7976931348623157e308 <= value <= 1.7976931348623157e308):
        raise ValueError("a number must be finite")
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > INTEGER_MAX:
        raise ValueError("an integer must fit in 64 bits")
    return value


Id = Annotated[str, StringConstraints(min_length=1, max_length=ID_CHARACTERS_MAX)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=NAME_CHARACTERS_MAX)]
Text = Annotated[str, StringConstraints(max_length=TEXT_CHARACTERS_MAX)]
ValueText = Annotated[str, StringConstraints(max_length=VALUE_CHARACTERS_MAX)]
Number = Annotated[int | float, BeforeValidator(_whole_or_number)]
Value = Annotated[
    ValueText | bool | Number | Annotated[tuple[ValueText, ...], Field(max_length=OPTIONS_MAX)] | None,
    Field(description="One field's value; null and the empty string both mean empty. A list is a multi-select."),
]
Fields = Annotated[Mapping[Name, Value], Field(max_length=FIELDS_MAX)]
Version = Annotated[int, Field(ge=0, le=VERSION_MAX)]
Revision = Annotated[int, Field(ge=0, le=VERSION_MAX)]
CreationNumber = Annotated[
    int,
    Field(
        ge=0, le=CREATIONS_MAX, description="n of the record's key `<person_key>#<n>`: 0 on a record that we linked."
    ),
]
TIME_PATTERN = (
    r"^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{1,9})?"
    r"(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$"
)
Time = Annotated[
    str,
    StringConstraints(pattern=TIME_PATTERN, max_length=TIME_CHARACTERS_MAX),
    Field(description="RFC 3339 with a zone, kept as it came.", json_schema_extra={"format": "date-time"}),
]


class Contract(BaseModel):
    """What every contract has in common: it cannot be changed, and members that a later writer added are passed over."""

    # Built when first used: a worker reads and writes by structs, and need not wait for the models at each start.
    model_config = ConfigDict(frozen=True, extra="ignore", strict=True, allow_inf_nan=False, defer_build=True)


class Record(Contract):
    """A Marketo person, a Dynamics lead or a Dynamics contact, under the id that its system gave it."""

    model_config = ConfigDict(
        json_schema_extra={
            "oneOf": [
                {"properties": {"system": {"const": system}, "type": {"enum": list(kinds)}}}
                for system, kinds in RECORD_KINDS.items()
            ]
        }
    )

    system: System
    type: RecordKind
    id: Id

    @model_validator(mode="after")
    def _type_is_of_its_system(self) -> Self:
        if self.type not in RECORD_KINDS[self.system]:
            raise ValueError(f"{self.system} has no record type {self.type!r}: {', '.join(RECORD_KINDS[self.system])}")
        return self


def kind_rules(required: Mapping[str, tuple[str, ...]], discriminator: str = "kind") -> dict[str, Any]:
    """JSON Schema's `if`/`then` for a table of what each kind needs, so that other tools refuse what we refuse."""
    return {
        "allOf": [
            {
                "if": {"properties": {discriminator: {"const": kind}}},
                "then": {"required": list(names), "properties": {name: {"not": {"type": "null"}} for name in names}},
            }
            for kind, names in required.items()
            if names
        ]
    }


def check_kind(model: BaseModel, required: Mapping[str, tuple[str, ...]], kind: str) -> None:
    """Raise ValueError naming the members that this kind needs and the message lacks."""
    missing = [name for name in required[kind] if getattr(model, name) is None]
    if missing:
        raise ValueError(f"a change of kind {kind!r} needs {', '.join(missing)}")
