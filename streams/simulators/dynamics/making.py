"""What a definition in a request makes: a column, or an alternate key."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from streams.simulators.dynamics.answers import ApiError, bad_payload
from streams.simulators.dynamics.columns import INTEGER_LARGEST, MEMO_LENGTH, TEXT_LENGTH, Column, ColumnType
from streams.simulators.dynamics.schema import Table

MAKEABLE: tuple[ColumnType, ...] = (
    "String", "Memo", "Integer", "Decimal", "Double", "Money", "Boolean", "DateTime", "Picklist", "MultiSelectPicklist",
)  # fmt: skip
LEVELS = ("None", "Recommended", "ApplicationRequired")
STRING_LENGTH_MAX, MEMO_LENGTH_MAX = 4_000, 1_048_576
SCHEMA_NAME = re.compile(r"[a-z][a-z0-9]{1,7}_[A-Za-z][A-Za-z0-9_]*")
KEY_COLUMNS_MAX = 10
_TYPE = re.compile(r"#?Microsoft\.Dynamics\.CRM\.(\w+)AttributeMetadata")


def column_of(table: Table, body: Mapping[str, Any], column_type: ColumnType | None = None) -> Column:
    """The column that a body describes. Raises ApiError where it describes none that could be made."""
    made = column_type or _type_of(body)
    schema_name = body.get("SchemaName")
    if not isinstance(schema_name, str) or (column_type is None and not SCHEMA_NAME.fullmatch(schema_name)):
        raise ApiError(
            400,
            "0x8004F00B",
            f"The schema name '{schema_name}' is not valid: it begins with a publisher's prefix, as new_ does.",
        )
    minimum, maximum = _bounds(body, made)
    return Column(
        schema_name.lower(),
        made,
        length_max=_length(body, made),
        minimum=minimum,
        maximum=maximum,
        options=_options(body, made),
        required=_level(body),
        format=_format(body, made),
        schema_name=schema_name,
        display_name=_text(body.get("DisplayName")) or schema_name,
    )


def key_of(table: Table, body: Mapping[str, Any]) -> tuple[str, tuple[str, ...]]:
    """Name and columns of the alternate key that a body describes. Raises ApiError."""
    name, columns = body.get("SchemaName"), body.get("KeyAttributes")
    if not isinstance(name, str) or not isinstance(columns, list) or not 0 < len(columns) <= KEY_COLUMNS_MAX:
        raise bad_payload("EntityKeyMetadata", f"SchemaName and 1 to {KEY_COLUMNS_MAX} KeyAttributes are needed.")
    unknown = [column for column in columns if column not in table.columns]
    if unknown:
        raise ApiError(
            400, "0x80060888", f"Attributes {', '.join(map(str, unknown))} do not exist on {table.logical_name}."
        )
    return name, tuple(columns)


def _type_of(body: Mapping[str, Any]) -> ColumnType:
    match = _TYPE.fullmatch(str(body.get("@odata.type", "")))
    for column_type in MAKEABLE:
        if match is not None and match[1] == column_type:
            return column_type
    raise bad_payload("AttributeMetadata", f"'{body.get('@odata.type')}' is no type of a column that can be made here.")


def _length(body: Mapping[str, Any], made: ColumnType) -> int | None:
    if made not in ("String", "Memo"):
        return None
    length = body.get("MaxLength", TEXT_LENGTH if made == "String" else MEMO_LENGTH)
    longest = STRING_LENGTH_MAX if made == "String" else MEMO_LENGTH_MAX
    if isinstance(length, bool) or not isinstance(length, int) or not 0 < length <= longest:
        raise ApiError(400, "0x80044331", f"The length of the attribute is outside 1 to {longest}.")
    return length


def _bounds(body: Mapping[str, Any], made: ColumnType) -> tuple[float | None, float | None]:
    if made not in ("Integer", "Decimal", "Double", "Money"):
        return None, None
    lowest, highest = body.get("MinValue"), body.get("MaxValue")
    return -INTEGER_LARGEST - 1 if lowest is None else lowest, INTEGER_LARGEST if highest is None else highest


def _options(body: Mapping[str, Any], made: ColumnType) -> Mapping[int, str] | None:
    found = body.get("OptionSet") or {}
    if made == "Boolean":
        return {
            0: _text((found.get("FalseOption") or {}).get("Label")) or "No",
            1: _text((found.get("TrueOption") or {}).get("Label")) or "Yes",
        }
    if made not in ("Picklist", "MultiSelectPicklist"):
        return None
    return {
        int(option["Value"]): _text(option.get("Label")) or str(option["Value"])
        for option in found.get("Options") or ()
    }


def _level(body: Mapping[str, Any]) -> Any:
    level = (body.get("RequiredLevel") or {}).get("Value", "None")
    if level not in LEVELS:
        raise bad_payload("AttributeMetadata", f"'{level}' is no required level that can be set.")
    return level


def _format(body: Mapping[str, Any], made: ColumnType) -> str | None:
    if made == "DateTime":
        behaviour = (body.get("DateTimeBehavior") or {}).get("Value")
        return "DateOnly" if "DateOnly" in (behaviour, body.get("Format")) else "DateAndTime"
    if made == "String":
        return str((body.get("FormatName") or {}).get("Value", "Text"))
    return "TextArea" if made == "Memo" else None


def _text(label: Any) -> str | None:
    localized = (label or {}).get("LocalizedLabels") or [{}]
    found = localized[0].get("Label")
    return found if isinstance(found, str) else None
