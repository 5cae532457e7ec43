"""One field of the policy file: its names, its type, and how it is synced.

A field's settings are read one by one here, held against each other in `field_checks`, and against other fields and the
rule files in `cross_checks`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from schemas.limits import OPTIONS_MAX
from schemas.vocabulary import SYSTEMS, System
from streams.policy.field import COMPUTED, DIRECTIONS, TYPE_OF_COMPUTED, TYPES, WINNERS, ReadField
from streams.policy.field_checks import check_field, with_default
from streams.policy.located import Entry, Leaf, Section, shown
from streams.policy.mistakes import Report, quoted
from streams.policy.rule_files import COLUMN_NAMES, COLUMN_NAMES_SAID
from streams.policy.settings_reader import Settings
from streams.sync.policy import FieldRule

FIELD_KEYS = (
    "marketo",
    "dynamics",
    "lead",
    "contact",
    "type",
    "direction",
    "winner",
    "unless_blank",
    "default",
    "block_updates",
    "options",
    "computed",
)
CANONICAL_NAME = re.compile(r"[a-z][a-z0-9_]{0,127}")
OPTION_NUMBER_MAX = 2**31 - 1


def read_field(name: str, entry: Entry, report: Report) -> ReadField | None:
    """The field, or None where there is nothing to read; mistakes go to the report."""
    if not CANONICAL_NAME.fullmatch(name):
        report.mistake(
            entry.place, f"found the field name {quoted(name)}", "a name such as job_title: small letters, digits and _"
        )
    if not isinstance(entry.node, Section):
        report.mistake(
            entry.node.place, shown(entry.node), "a field's settings, such as {marketo: jobTitle, dynamics: jobtitle}"
        )
        return None
    settings = Settings(entry.node, FIELD_KEYS, report)
    field = ReadField(name, entry, settings, _rule(name, settings))
    check_field(field)
    if field.has_known_type:
        field.rule = with_default(field)
    return field


def _rule(name: str, settings: Settings) -> FieldRule:
    computed = settings.optional_choice("computed", COMPUTED)
    both = _column(settings, "dynamics", "dynamics")
    return FieldRule(
        name=name,
        type=settings.choice("type", TYPES, TYPE_OF_COMPUTED[computed] if computed else "text"),
        marketo=_column(settings, "marketo", "marketo"),
        lead=_column(settings, "lead", "dynamics") or both,
        contact=_column(settings, "contact", "dynamics") or both,
        direction=settings.choice("direction", DIRECTIONS, "to_marketo" if computed else "both"),
        winner=settings.choice("winner", WINNERS, "authority"),
        unless_blank=settings.flag("unless_blank"),
        block_updates=settings.choices("block_updates", SYSTEMS),
        options=_options(settings),
        computed=computed,
    )


def _column(settings: Settings, key: str, system: System) -> str | None:
    return settings.name(key, COLUMN_NAMES[system], COLUMN_NAMES_SAID[system])


def _options(settings: Settings) -> Mapping[str, int] | None:
    """Label -> number, each label and each number once; YAML's own keys see to the labels."""
    if "options" not in settings:
        return None
    table: dict[str, int] = {}
    entries = settings.entries("options", "options, each as `Label: number`")
    if len(entries) > OPTIONS_MAX:
        settings.report.mistake(settings.place("options"), f"found {len(entries)} options", f"at most {OPTIONS_MAX}")
        return table
    for label, entry in entries.items():
        if not label or label != label.strip() or ";" in label:
            settings.report.mistake(
                entry.place, f"found the option {quoted(label)}", "a label without ; and without spaces around it"
            )
        number = entry.node.value if isinstance(entry.node, Leaf) else None
        if not isinstance(number, int) or isinstance(number, bool) or abs(number) > OPTION_NUMBER_MAX:
            settings.wrong(entry.node, "the option's number in Dynamics")
        elif number in table.values():
            settings.wrong(entry.node, "each option number once")
        else:
            table[label] = number
    return table
