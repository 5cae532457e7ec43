"""The columns of a Dynamics lead or contact, as Dataverse's attribute metadata tells them ("Attribute metadata", "Query table definitions").

One list has every column, a further one for each type has what only that type has. `ApplicationRequired` makes a column
required: the API itself would take a record without it, forms would not, and neither do we. `SystemRequired` columns are
filled by Dynamics. A time column is a date only if its *behavior* is DateOnly: the Web API shows all others as times, however
their forms show them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from schemas.vocabulary import RecordType
from streams.instances.live import LiveColumn, LiveTable
from streams.policy.rule_files import COLUMN_NAMES, LENGTH_MAX
from streams.sync.policy import TEXT_TYPES, AttributeRule, FieldType, Format

Told = Mapping[str, Any]
"""One attribute's metadata, of the general list or of the list of its type."""

GENERAL = (
    "LogicalName",
    "AttributeType",
    "AttributeTypeName",
    "AttributeOf",
    "RequiredLevel",
    "IsValidForCreate",
    "IsValidForUpdate",
    "IsValidForRead",
)
RANGE = ("LogicalName", "MinValue", "MaxValue")
OPTIONS = "OptionSet($select=Options),GlobalOptionSet($select=Options)"

QUERIES: Mapping[str, tuple[tuple[str, ...], str | None]] = {
    "String": (("LogicalName", "MaxLength", "FormatName"), None),
    "Memo": (("LogicalName", "MaxLength"), None),
    "Integer": (RANGE, None),
    "Decimal": (RANGE, None),
    "Double": (RANGE, None),
    "Money": (RANGE, None),
    "DateTime": (("LogicalName", "Format", "DateTimeBehavior"), None),
    "Picklist": (("LogicalName", "DefaultFormValue"), OPTIONS),
    "State": (("LogicalName",), OPTIONS),
    "Status": (("LogicalName",), OPTIONS),
    "MultiSelectPicklist": (("LogicalName",), OPTIONS),
}
"""The lists that are read: type -> what is selected, what is expanded."""

TEXTS: tuple[FieldType, ...] = tuple(sorted(TEXT_TYPES))
HOLDS: Mapping[str, tuple[FieldType, ...]] = {
    "String": TEXTS,
    "Memo": TEXTS,
    "Integer": ("integer",),
    "BigInt": ("integer",),
    "Decimal": ("decimal", "integer"),
    "Double": ("decimal", "integer"),
    "Money": ("decimal", "integer"),
    "Boolean": ("boolean",),
    "DateTime": ("datetime",),
    "Picklist": ("option",),
    "State": ("option",),
    "Status": ("option",),
    "MultiSelectPicklist": ("options",),
    "Lookup": TEXTS,
    "Owner": TEXTS,
    "Customer": TEXTS,
    "Uniqueidentifier": TEXTS,
}
"""Type -> the field types that fit; a type that is not here holds nothing that could be synced."""

LOOKUPS = ("Lookup", "Owner", "Customer")
FORMATS: Mapping[str, Format] = {
    "Integer": "integer",
    "BigInt": "integer",
    "Decimal": "decimal",
    "Double": "decimal",
    "Money": "decimal",
    "Boolean": "boolean",
}
TEXT_FORMATS: Mapping[str, Format] = {"Email": "email", "Phone": "phone", "Url": "url"}


def record_table(
    kind: RecordType, entity: Told, attributes: Iterable[Told], by_type: Mapping[str, Iterable[Told]]
) -> LiveTable:
    """From the table's definition, the general list and the lists of QUERIES."""
    special = {str(each.get("LogicalName")): each for told in by_type.values() for each in told}
    columns = (_column(each, special.get(str(each.get("LogicalName")), {})) for each in attributes)
    return LiveTable(
        kind,
        {column.name: column for column in columns if column is not None},
        _flag(entity, "ChangeTrackingEnabled"),
        _flag(entity, "IsOptimisticConcurrencyEnabled"),
    )


def _column(told: Told, special: Told) -> LiveColumn | None:
    """Columns that only repeat another one (the name of a lookup, the word of an option) are none of their own."""
    name, type_name = str(told.get("LogicalName", "")), _type(told)
    is_readable = told.get("IsValidForRead") is not False
    if (
        told.get("AttributeOf")
        or not is_readable
        or type_name not in HOLDS
        or not COLUMN_NAMES["dynamics"].fullmatch(name)
    ):
        return None
    options = {**_options(special.get("OptionSet")), **_options(special.get("GlobalOptionSet"))}
    level, shape = _value(told.get("RequiredLevel")), _format(type_name, special)
    rule = AttributeRule(
        name,
        required=level == "ApplicationRequired",
        length_max=_length(special),
        minimum=_number(special.get("MinValue")),
        maximum=_number(special.get("MaxValue")),
        options=frozenset(options) or None,
        multiple=type_name == "MultiSelectPicklist",
        format=shape,
        creatable=told.get("IsValidForCreate") is not False,
        updatable=told.get("IsValidForUpdate") is not False,
    )
    return LiveColumn(
        rule,
        type_name,
        ("date",) if shape == "date" else HOLDS[type_name],
        labels=options,
        fills_itself=level == "SystemRequired" or type_name == "Boolean" or _has_default(special),
        is_lookup=type_name in LOOKUPS,
    )


def _type(told: Told) -> str:
    """A multi-select's AttributeType is Virtual; AttributeTypeName tells them apart."""
    named = _value(told.get("AttributeTypeName"))
    return named.removesuffix("Type") if named else str(told.get("AttributeType", ""))


def _format(type_name: str, special: Told) -> Format | None:
    if type_name == "String":
        return TEXT_FORMATS.get(_value(special.get("FormatName")) or "")
    if type_name == "DateTime":
        behaviour = _value(special.get("DateTimeBehavior"))
        is_date = behaviour == "DateOnly" if behaviour else special.get("Format") == "DateOnly"
        return "date" if is_date else "datetime"
    return FORMATS.get(type_name)


def _options(option_set: Any) -> dict[int, str]:
    """Number -> word, of a column's own option set or of a global one."""
    options = option_set.get("Options") if isinstance(option_set, Mapping) else None
    return {each["Value"]: _label(each) for each in options or () if isinstance(each.get("Value"), int)}


def _label(option: Told) -> str:
    label = option.get("Label") or {}
    for each in (label.get("UserLocalizedLabel"), *(label.get("LocalizedLabels") or ())):
        if isinstance(each, Mapping) and each.get("Label"):
            return str(each["Label"])
    return ""


def _has_default(special: Told) -> bool:
    default = special.get("DefaultFormValue")
    return isinstance(default, int) and default >= 0


def _value(found: Any) -> str | None:
    """`{"Value": "Text"}`, or the value itself."""
    value = found.get("Value") if isinstance(found, Mapping) else found
    return value if isinstance(value, str) else None


def _length(special: Told) -> int | None:
    length = special.get("MaxLength")
    return length if isinstance(length, int) and 1 <= length <= LENGTH_MAX else None


def _number(found: Any) -> float | None:
    return found if isinstance(found, (int, float)) and not isinstance(found, bool) else None


def _flag(entity: Told, name: str) -> bool | None:
    found = entity.get(name)
    return found if isinstance(found, bool) else None
