"""The tables: what they are called, which columns they have, what may be added to them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from schemas.identity import uuid5
from schemas.vocabulary import RecordType
from streams.simulators.dynamics.columns import Column, our_columns, record_columns
from streams.sync.policy import Policy

AlternateKeys = Mapping[RecordType, tuple[tuple[str, ...], ...]]
"""Record type -> the columns of each alternate key."""

_USER_TEXTS = ("fullname", "internalemailaddress", "domainname")


@dataclass
class Table:
    """A table. `columns` by logical name; `keys`: the alternate keys, name -> columns."""

    logical_name: str
    entity_set: str
    primary_id: str
    primary_name: str
    columns: dict[str, Column]
    tracks_changes: bool = True
    checks_versions: bool = True
    keys: dict[str, tuple[str, ...]] = field(default_factory=dict)
    version: int = 0  # rises with every change of its columns

    @property
    def schema_name(self) -> str:
        """Its name with capitals."""
        return {"systemuser": "SystemUser"}.get(self.logical_name, self.logical_name.capitalize())

    @property
    def metadata_id(self) -> str:
        """The id of its definition."""
        return uuid5(f"dynamics/metadata/{self.logical_name}")

    def column_of(self, property_name: str) -> Column | None:
        """The column that a row shows under this name."""
        column = self.columns.get(property_name)
        if column is None and property_name.startswith("_") and property_name.endswith("_value"):
            column = self.columns.get(property_name[1 : -len("_value")])
        return column

    def add(self, column: Column) -> None:
        """One more column."""
        self.columns[column.name] = column
        self.version += 1

    def remove(self, name: str) -> None:
        """One column less."""
        del self.columns[name]
        self.version += 1


class Schema:
    """All tables, by logical name and by entity set."""

    def __init__(self, tables: tuple[Table, ...]) -> None:
        self.tables = {table.logical_name: table for table in tables}
        self.by_set = {table.entity_set: table for table in tables}

    def __iter__(self) -> Iterator[Table]:
        return iter(self.tables.values())


def build_schema(
    policy: Policy, with_our_columns: bool, keys: AlternateKeys, tracks_changes: bool, checks_versions: bool
) -> Schema:
    """Leads and contacts as the policy knows them, users and accounts with what leadsync asks of them."""
    kinds: tuple[RecordType, ...] = ("lead", "contact")
    records = [
        Table(kind, f"{kind}s", f"{kind}id", "fullname", record_columns(kind, policy), tracks_changes, checks_versions)
        for kind in kinds
    ]
    for table, kind in zip(records, kinds, strict=True):
        if with_our_columns:
            for column in our_columns():
                table.add(column)
        for columns in keys.get(kind, ()):
            for name in columns:
                table.columns.setdefault(name, Column(name, "String", length_max=100, format="Text"))
            table.keys[f"{'_'.join(columns)}_key"] = columns
    return Schema((*records, _users(), _accounts()))


def _users() -> Table:
    columns = [
        Column("systemuserid", "Uniqueidentifier", updatable=False),
        *(Column(name, "String", length_max=1024, format="Text") for name in _USER_TEXTS),
        Column("isdisabled", "Boolean"),
        Column("accessmode", "Picklist"),
        Column("applicationid", "Uniqueidentifier"),
        Column("azureactivedirectoryobjectid", "Uniqueidentifier"),
        Column("businessunitid", "Lookup", targets=("businessunit",)),
    ]
    return Table("systemuser", "systemusers", "systemuserid", "fullname", _by_name(columns), tracks_changes=False)


def _accounts() -> Table:
    columns = [
        Column("accountid", "Uniqueidentifier", updatable=False),
        Column("name", "String", length_max=160, format="Text"),
        Column("statecode", "State"),
        Column("statuscode", "Status"),
    ]
    return Table("account", "accounts", "accountid", "name", _by_name(columns), tracks_changes=False)


def _by_name(columns: list[Column]) -> dict[str, Column]:
    return {column.name: column for column in columns}
