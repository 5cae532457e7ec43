"""What the columns of a lead and a contact are: type, length, range, options, who may write them.

Lengths, ranges, options and writability come from the policy's rule files, which were taken from Microsoft's references;
what these files don't say (memo or text, money or decimal, which table a lookup points to) stands in the tables below.
Columns that the policy maps and no rule file knows are custom columns.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from schemas.vocabulary import RecordType
from streams.simulators.dynamics.option_labels import BOOLEAN_LABELS, OPTION_LABELS
from streams.sync.policy import AttributeRule, FieldRule, FieldType, Policy

ColumnType = Literal[
    "String", "Memo", "Integer", "BigInt", "Decimal", "Double", "Money", "Boolean", "DateTime", "Picklist", "MultiSelectPicklist",
    "State", "Status", "Lookup", "Owner", "Customer", "Uniqueidentifier",
]  # fmt: skip
NUMERIC_TYPES: frozenset[ColumnType] = frozenset(
    ("Integer", "BigInt", "Decimal", "Double", "Money", "Picklist", "State", "Status")
)
"""Types whose values are numbers in JSON."""

RequiredLevel = Literal["None", "Recommended", "ApplicationRequired", "SystemRequired"]

KEY_COLUMN, REVISION_COLUMN = "new_leadsynckey", "new_leadsyncrevision"
TEXT_LENGTH = 100
MEMO_LENGTH = 2_000
INTEGER_LARGEST = 2_147_483_647
MONEY_LARGEST = 922_337_203_685_477.0
DECIMAL_LARGEST = 100_000_000_000.0

MEMOS = frozenset({"description", "qualificationcomments"})
MONEYS = frozenset({"revenue", "estimatedamount"})
RECOMMENDED = frozenset({"firstname", "companyname"})
SYSTEM_REQUIRED = frozenset({"ownerid", "statecode", "leadid", "contactid"})
USERS = ("systemuser",)
LOOKUPS: Mapping[str, tuple[ColumnType, tuple[str, ...]]] = {
    "ownerid": ("Owner", ("systemuser", "team")),
    "owninguser": ("Lookup", USERS),
    "createdby": ("Lookup", USERS),
    "modifiedby": ("Lookup", USERS),
    "masterid": ("Lookup", ()),
    "originatingleadid": ("Lookup", ("lead",)),
    "parentcustomerid": ("Customer", ("account", "contact")),
}
"""Lookup column -> its type and the tables that it points to; none: to its own."""

SYSTEM_MANAGED = ("owninguser", "createdby", "modifiedby")
FORMATS: Mapping[str, str] = {"email": "Email", "phone": "Phone", "url": "Url"}
NUMBERS: Mapping[str, ColumnType] = {"integer": "Integer", "decimal": "Decimal"}
TYPES: Mapping[FieldType, ColumnType] = {
    "integer": "Integer",
    "decimal": "Decimal",
    "boolean": "Boolean",
    "date": "DateTime",
    "datetime": "DateTime",
    "option": "Picklist",
    "options": "MultiSelectPicklist",
}


@dataclass(frozen=True)
class Column:
    """One column, by logical name. `targets`: logical names of the tables that a lookup points to.

    `format`: of a text (Text, Email, Phone, Url, TextArea), and of a time (DateOnly, DateAndTime).
    """

    name: str
    type: ColumnType
    length_max: int | None = None
    minimum: float | None = None
    maximum: float | None = None
    options: Mapping[int, str] | None = None
    required: RequiredLevel = "None"
    format: str | None = None
    creatable: bool = True
    updatable: bool = True
    targets: tuple[str, ...] = ()
    schema_name: str = ""
    display_name: str = ""

    @property
    def is_lookup(self) -> bool:
        """Whether it is read as `_<name>_value`."""
        return bool(self.targets)

    @property
    def property_name(self) -> str:
        """Its name in a row."""
        return f"_{self.name}_value" if self.is_lookup else self.name

    @property
    def is_custom(self) -> bool:
        """Whether somebody added it to the table as shipped."""
        return "_" in self.name and not self.name.startswith("address1_")


def record_columns(kind: RecordType, policy: Policy) -> dict[str, Column]:
    """The columns of a lead or contact, by logical name."""
    columns = {column.name: column for column in _system_columns(kind)}
    for name, asked in policy.rules.get(kind, {}).items():
        columns[name] = _ruled(kind, asked, policy.inbound[kind].get(name))
    for name, field in policy.inbound[kind].items():
        columns.setdefault(name, _mapped(kind, name, field))
    if policy.filter_column is not None:
        column = Column(policy.filter_column, "Boolean", options=BOOLEAN_LABELS["new_synctomkto"])
        columns.setdefault(policy.filter_column, column)
    return columns


def our_columns() -> tuple[Column, Column]:
    """Key and revision, as `leadsync setup` makes them."""
    return (
        Column(KEY_COLUMN, "String", length_max=TEXT_LENGTH, format="Text", schema_name=KEY_COLUMN),
        Column(REVISION_COLUMN, "Integer", minimum=-INTEGER_LARGEST - 1, maximum=INTEGER_LARGEST, format="None"),
    )


def _system_columns(kind: RecordType) -> Iterator[Column]:
    yield Column(f"{kind}id", "Uniqueidentifier", required="SystemRequired", updatable=False)
    for name in (*SYSTEM_MANAGED, *(("originatingleadid",) if kind == "contact" else ())):
        yield Column(name, LOOKUPS[name][0], targets=LOOKUPS[name][1], creatable=False, updatable=False)


def _ruled(kind: RecordType, asked: AttributeRule, field: FieldRule | None) -> Column:
    column_type = _type(asked)
    minimum, maximum = _range(column_type, asked)
    return Column(
        asked.name,
        column_type,
        length_max=asked.length_max or {"String": TEXT_LENGTH, "Memo": MEMO_LENGTH}.get(column_type),
        minimum=minimum,
        maximum=maximum,
        options=_options(kind, asked, field) if column_type != "Boolean" else _boolean_options(asked.name),
        required=_required(asked),
        format=_format(asked, column_type),
        creatable=asked.creatable,
        updatable=asked.updatable,
        targets=_targets(kind, asked.name),
    )


def _mapped(kind: RecordType, name: str, field: FieldRule) -> Column:
    """A column that only the policy knows."""
    targets = _targets(kind, name)
    column_type: ColumnType = LOOKUPS[name][0] if targets else TYPES.get(field.type, "String")
    options: Mapping[int, str] | None = {number: label for label, number in (field.options or {}).items()} or None
    if column_type == "Boolean":
        options = _boolean_options(name)
    minimum, maximum = _range(column_type, AttributeRule(name))
    length = TEXT_LENGTH if column_type == "String" else None
    return Column(
        name, column_type, length, minimum, maximum, options, format=_mapped_format(field, column_type), targets=targets
    )


def _type(asked: AttributeRule) -> ColumnType:
    name = asked.name
    if name in LOOKUPS:
        return LOOKUPS[name][0]
    if name in ("statecode", "statuscode"):
        return "State" if name == "statecode" else "Status"
    if name == "versionnumber":
        return "BigInt"
    if asked.options is not None:
        return "MultiSelectPicklist" if asked.multiple else "Picklist"
    if asked.format in ("date", "datetime"):
        return "DateTime"
    if asked.format == "boolean":
        return "Boolean"
    if name in MONEYS:
        return "Money"
    return NUMBERS.get(asked.format or "", "Memo" if name in MEMOS else "String")


def _range(column_type: ColumnType, asked: AttributeRule) -> tuple[float | None, float | None]:
    largest = {"Integer": INTEGER_LARGEST, "Money": MONEY_LARGEST, "Decimal": DECIMAL_LARGEST}.get(column_type)
    if largest is None:
        return None, None
    return (
        -largest if asked.minimum is None else asked.minimum,
        largest if asked.maximum is None else asked.maximum,
    )


def _required(asked: AttributeRule) -> RequiredLevel:
    if asked.name in SYSTEM_REQUIRED:
        return "SystemRequired"
    if asked.required:
        return "ApplicationRequired"
    return "Recommended" if asked.name in RECOMMENDED else "None"


def _format(asked: AttributeRule, column_type: ColumnType) -> str | None:
    if column_type == "String":
        return FORMATS.get(asked.format or "", "Text")
    if column_type == "DateTime":
        return "DateOnly" if asked.format == "date" else "DateAndTime"
    return "TextArea" if column_type == "Memo" else None


def _mapped_format(field: FieldRule, column_type: ColumnType) -> str | None:
    if column_type == "DateTime":
        return "DateOnly" if field.type == "date" else "DateAndTime"
    return FORMATS.get(field.type, "Text") if column_type == "String" else None


def _targets(kind: RecordType, name: str) -> tuple[str, ...]:
    return (LOOKUPS[name][1] or (kind,)) if name in LOOKUPS else ()


def _options(kind: RecordType, asked: AttributeRule, field: FieldRule | None) -> Mapping[int, str] | None:
    if asked.options is None:
        return None
    labels = OPTION_LABELS.get((kind, asked.name)) or OPTION_LABELS.get((None, asked.name)) or {}
    if field is not None and field.options is not None:
        labels = {**labels, **{number: label for label, number in field.options.items()}}
    numbers = sorted(option for option in asked.options if isinstance(option, int))
    return {number: labels.get(number, f"Option {number}") for number in numbers}


def _boolean_options(name: str) -> Mapping[int, str]:
    return BOOLEAN_LABELS.get(name, BOOLEAN_LABELS["new_synctomkto"])
