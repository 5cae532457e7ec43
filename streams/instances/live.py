"""What a live instance says of the records that are synced: its columns, as a rule file would have them, and what no rule file holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from schemas.vocabulary import RecordKind, System
from streams.connectors.our_fields import DYNAMICS_KEY, DYNAMICS_REVISION, MARKETO_KEY, MARKETO_REVISION
from streams.policy.cross_checks import SYSTEM_OF_KIND
from streams.sync.policy import AttributeRule, FieldType

OUR_COLUMNS: Mapping[System, tuple[str, str]] = {
    "marketo": (MARKETO_KEY, MARKETO_REVISION),
    "dynamics": (DYNAMICS_KEY, DYNAMICS_REVISION),
}
"""Key and revision, by system."""

THE_COLUMN: Mapping[System, str] = {"marketo": "field", "dynamics": "column"}
"""What each system calls a column."""


@dataclass(frozen=True)
class LiveColumn:
    """One column. `type` in the system's own words; `holds`: the field types whose values it takes as they are written.

    `labels`: the words of its option numbers. `fills_itself`: the system puts a value in where a new record has none.
    `is_lookup`: it names a row of another table. `searchable`: people can be looked up by it.
    """

    rule: AttributeRule
    type: str
    holds: tuple[FieldType, ...]
    labels: Mapping[int, str] = field(default_factory=dict)
    fills_itself: bool = False
    is_lookup: bool = False
    searchable: bool = True

    @property
    def name(self) -> str:
        """In the system's spelling."""
        return self.rule.name


@dataclass(frozen=True)
class LiveTable:
    """The columns of one kind of record, by name. `tracks_changes`, `checks_versions`: None where there is no such switch."""

    kind: RecordKind
    columns: Mapping[str, LiveColumn]
    tracks_changes: bool | None = None
    checks_versions: bool | None = None

    @property
    def system(self) -> System:
        """Whose records they are."""
        return SYSTEM_OF_KIND[self.kind]
