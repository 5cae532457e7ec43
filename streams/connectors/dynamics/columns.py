"""Which columns are asked for: those of the policy that the organisation has, and what leadsync itself needs. Pure.

A look-up column is read as `_<name>_value`. It comes with the id of what it points to, and with its display name beside it, which
is what goes to Marketo; leadsync writes none but the owner of a new record. A column of the policy that the organisation lacks
is not asked for, and so never stated.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from schemas.vocabulary import RecordType
from streams.connectors.our_fields import DYNAMICS_KEY, DYNAMICS_REVISION
from streams.sync.policy import Policy

KEY, REVISION = DYNAMICS_KEY, DYNAMICS_REVISION
"""Our two columns, on leads and contacts."""

EntitySet = Literal["leads", "contacts"]
ENTITY_SETS: Mapping[RecordType, EntitySet] = {"lead": "leads", "contact": "contacts"}
ID_COLUMNS: Mapping[RecordType, str] = {"lead": "leadid", "contact": "contactid"}
ORIGIN = "_originatingleadid_value"

LOOKUP_TYPES = frozenset({"Lookup", "Owner", "Customer"})
ALWAYS: Mapping[RecordType, tuple[str, ...]] = {
    "lead": ("merged", "masterid"),
    "contact": ("merged", "masterid", "originatingleadid"),
}
"""Read where the organisation has them: who won a merge, and which lead a contact came from."""
NEEDED = ("versionnumber", "modifiedon", "_modifiedby_value", "statecode", "statuscode", KEY, REVISION)


@dataclass(frozen=True)
class Columns:
    """What is read of one kind of record. `stated`: the policy's column -> its name in a row. `lookups`: those that point elsewhere.

    `missing`: columns of the policy that the organisation lacks; `present`: every column that it has.
    """

    kind: RecordType
    stated: Mapping[str, str]
    lookups: frozenset[str]
    select: tuple[str, ...]
    missing: frozenset[str] = field(default_factory=frozenset)
    present: frozenset[str] = field(default_factory=frozenset, repr=False)

    @property
    def entity_set(self) -> EntitySet:
        """`leads` or `contacts`."""
        return ENTITY_SETS[self.kind]

    @property
    def id_column(self) -> str:
        """`leadid` or `contactid`."""
        return ID_COLUMNS[self.kind]

    @property
    def digest(self) -> str:
        """Of what is asked for: a delta link that was made for something else cannot be used."""
        return hashlib.sha256(",".join(self.select).encode()).hexdigest()[:16]

    def along_with(self, wanted: Iterable[str]) -> Columns:
        """With further columns, where the organisation has them: a command may have been made under a newer policy, or an older one."""
        further = {column: name_in_row(column, self.lookups) for column in wanted if column in self.present}
        select = tuple(sorted({*self.select, *further.values()}))
        return replace(self, stated={**self.stated, **further}, select=select)


def columns_of(policy: Policy, kind: RecordType, types: Mapping[str, str]) -> Columns:
    """What is asked for under a policy. `types`: the organisation's columns, logical name -> type, such as `Lookup`."""
    wanted = dict.fromkeys(policy.inbound[kind])
    missing = frozenset(column for column in wanted if column not in types)
    if policy.filter_column is not None:
        wanted[policy.filter_column] = None  # it need not be there: then everything is synced
    present = [column for column in wanted if column in types]
    lookups = frozenset(column for column in types if types[column] in LOOKUP_TYPES)
    stated = {column: name_in_row(column, lookups) for column in present}
    ours = [name_in_row(column, lookups) for column in ALWAYS[kind] if column in types]
    select = tuple(sorted({ID_COLUMNS[kind], *NEEDED, *ours, *stated.values()}))
    return Columns(kind, stated, lookups, select, missing, frozenset(types))


def name_in_row(column: str, lookups: frozenset[str]) -> str:
    """How the Web API spells a column when it is read."""
    return f"_{column}_value" if column in lookups else column


def types_of(attributes: list[Mapping[str, Any]]) -> dict[str, str]:
    """The columns that can be read, logical name -> type, from a table's attribute metadata."""
    return {
        str(attribute["LogicalName"]): str(attribute.get("AttributeType"))
        for attribute in attributes
        if attribute.get("IsValidForRead", True) and attribute.get("AttributeOf") is None
    }
