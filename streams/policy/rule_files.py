"""Rule files: what a system asks of its fields, one file per system and record type, under the system's own names.

    version: 1
    columns:
      lastname: {required: true, length_max: 50}

The files that ship describe a stock Dynamics lead and contact and a stock Marketo person. `leadsync rules import` writes
an organisation's own from Dataverse attribute metadata and Marketo's describe responses.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import get_args

from schemas.limits import RULE_COLUMNS_MAX
from schemas.vocabulary import RecordKind, System
from streams.policy.located import Entry, Items, Leaf, Section, read_yaml, shown
from streams.policy.mistakes import START, Report, choices
from streams.policy.settings_reader import Settings
from streams.sync.policy import AttributeRule, Format

RULE_FILES: Mapping[str, tuple[System, RecordKind]] = {
    "dynamics.lead": ("dynamics", "lead"),
    "dynamics.contact": ("dynamics", "contact"),
    "marketo.person": ("marketo", "person"),
}
"""Name of each rule file, and of whose records it speaks."""

LENGTH_MAX = 1_048_576
"""The longest text column that Dataverse has."""

FILE_KEYS = ("version", "columns")
FORMATS: tuple[Format, ...] = get_args(Format)
COLUMN_KEYS = (
    "required",
    "length_max",
    "bytes_max",
    "minimum",
    "maximum",
    "options",
    "multiple",
    "format",
    "creatable",
    "updatable",
)
COLUMN_NAMES: Mapping[System, re.Pattern[str]] = {
    "dynamics": re.compile(r"[a-z_][a-z0-9_]{0,127}"),
    "marketo": re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}"),
}
COLUMN_NAMES_SAID: Mapping[System, str] = {
    "dynamics": "a Dynamics logical name: small letters, digits and _",
    "marketo": "a Marketo REST name: letters, digits and _",
}


def read_rules(name: str, text: str, report: Report) -> Mapping[str, AttributeRule]:
    """The rules of one file by column; mistakes go to the report."""
    if name not in RULE_FILES:
        report.mistake(
            START, f"found a rule file {name}.yaml", choices([f"{known}.yaml" for known in RULE_FILES], name)
        )
        return {}
    root = read_yaml(text, report)
    if root is None:
        return {}
    settings = Settings(root, FILE_KEYS, report)
    check_version(settings)
    columns = settings.entries("columns", "columns, each with its rules")
    if "columns" not in settings:
        report.mistake(START, "found no columns", "a section `columns`")
    if len(columns) > RULE_COLUMNS_MAX:
        report.mistake(settings.place("columns"), f"found {len(columns)} columns", f"at most {RULE_COLUMNS_MAX}")
    return {column: _rule(RULE_FILES[name][0], column, entry, report) for column, entry in columns.items()}


def check_version(settings: Settings) -> None:
    """The one version there is; a file says which, so that a later one can differ."""
    if "version" not in settings:
        settings.report.mistake(settings.section.place, "found no version", "`version: 1`")
    else:
        settings.number("version", 1, 1, whole=True)


def _rule(system: System, column: str, entry: Entry, report: Report) -> AttributeRule:
    if not COLUMN_NAMES[system].fullmatch(column):
        report.mistake(entry.place, f'found the column "{column}"', COLUMN_NAMES_SAID[system])
    if not isinstance(entry.node, Section):
        if entry.node != Leaf(entry.node.place, None):  # a column with nothing to ask of it is known all the same
            report.mistake(entry.node.place, shown(entry.node), "rules such as {length_max: 50}")
        return AttributeRule(name=column)
    settings = Settings(entry.node, COLUMN_KEYS, report)
    minimum, maximum = settings.number("minimum"), settings.number("maximum")
    if minimum is not None and maximum is not None and minimum > maximum:
        report.mistake(settings.place("maximum"), f"found {maximum:g}", f"at least the minimum, {minimum:g}")
    return AttributeRule(
        name=column,
        required=settings.flag("required"),
        length_max=_whole(settings.number("length_max", 1, LENGTH_MAX, whole=True)),
        bytes_max=_whole(settings.number("bytes_max", 1, LENGTH_MAX * 4, whole=True)),
        minimum=minimum,
        maximum=maximum,
        options=_options(settings),
        multiple=settings.flag("multiple"),
        format=settings.optional_choice("format", FORMATS),
        creatable=settings.flag("creatable", default=True),
        updatable=settings.flag("updatable", default=True),
    )


def _whole(number: float | None) -> int | None:
    return None if number is None else int(number)


def _options(settings: Settings) -> frozenset[str | int] | None:
    """Numbers in Dynamics, words in Marketo."""
    node = settings.node("options")
    if node is None:
        return None
    parts = node.items if isinstance(node, Items) else ()
    values = [part.value for part in parts if isinstance(part, Leaf)]
    options = [value for value in values if isinstance(value, (str, int)) and not isinstance(value, bool)]
    if not parts or len(options) != len(parts):
        settings.wrong(node, "a list of option numbers (Dynamics) or words (Marketo)")
    return frozenset(options)
