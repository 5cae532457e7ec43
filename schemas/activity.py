"""Activity: one entry of a person's activity log."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from schemas.vocabulary import Contract, Id, Name, Operation, Record, RecordType, System, Text, Time, Value

ActivityKind = Literal[
    "collision",  # two edits of one field, neither made in sight of the other
    "failed",  # a sync error opened
    "closed",  # a sync error closed
    "skipped",  # a Sync Person that found a Dynamics record, or one on its way
    "created",  # a record that we created is there
    "linked",
    "unlinked",
    "deleted",
    "converted",
    "merged",
    "overwritten",  # an edit on the receiving side of a one-way field
]


class CollidingEdit(Contract):
    """One of two colliding edits: its value, and who made it, when, by which change."""

    change_id: Id
    value: Value = None
    time: Time | None = None
    who: Name | None = None


class Activity(Contract):
    """What happened to a person, for people to read. Key of its message: the person key."""

    model_config = ConfigDict(title="Activity")

    contract: Literal["activity/1"] = "activity/1"
    activity_id: Id
    person_key: Id
    kind: ActivityKind
    cause: Annotated[Id, Field(description="The change on which it happened.")]
    time: Annotated[Time | None, Field(description="The cause's own time.")] = None
    who: Name | None = None
    record_type: RecordType | None = None
    system: Annotated[
        System | None, Field(description="The system concerned; of an error, the one that should receive.")
    ] = None
    record: Record | None = None
    field: Annotated[Name | None, Field(description="Canonical name.")] = None
    base: Annotated[Value, Field(description="Of a collision: the value at rest before both edits.")] = None
    marketo: CollidingEdit | None = None
    dynamics: CollidingEdit | None = None
    winner: System | None = None
    rule: Annotated[
        Literal["authority", "marketo", "dynamics", "latest", "unless_blank", "collision_window", "one_way"] | None,
        Field(description="Why the winner won."),
    ] = None
    operation: Operation | None = None
    code: Name | None = None
    value: Annotated[Value, Field(description="Of a failure or an overwriting: the value at fault.")] = None
    message: Text | None = None
