"""Where things stand in a policy file and its rule files, so that a disagreement has a line that an editor can jump to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from streams.instances.agreement_found import InPolicy, InRules, Policywide, Where
from streams.instances.rules_import import FILE_OF_KIND
from streams.policy.field import ReadField
from streams.policy.field_reader import read_field
from streams.policy.located import Section, read_yaml
from streams.policy.mistakes import START, Place, Report
from streams.policy.reading import POLICY_KEYS
from streams.policy.settings_reader import Settings


class Spot(NamedTuple):
    """A file, and the line and column in it."""

    file: str
    line: int
    column: int


class Places:
    """Finds places. `files`: what the rule files are called, by name; others are named after themselves."""

    def __init__(self, policy_text: str, rules: Mapping[str, str], policy_file: str, files: Mapping[str, str]) -> None:
        self._file, self._files = policy_file, files
        self._settings = _settings(policy_text)
        self._fields = _fields(self._settings)
        self._rules = {name: _section(text) for name, text in rules.items()}

    def of(self, where: Where) -> Spot | None:
        """The nearest place that there is; None for what stands in no file."""
        if isinstance(where, InPolicy):
            return Spot(self._file, *self._in_policy(where))
        if isinstance(where, Policywide):
            return Spot(self._file, *(START if self._settings is None else self._settings.place(where.setting)))
        if isinstance(where, InRules):
            name = FILE_OF_KIND[where.kind]
            return Spot(self._files.get(name, f"{name}.yaml"), *_in_rules(self._rules.get(name), where))
        return None

    def _in_policy(self, where: InPolicy) -> Place:
        field = self._fields.get(where.field)
        if field is None:
            return START
        if where.option is not None and where.option in (options := field.settings.entries("options", "")):
            return options[where.option].place
        if where.setting is not None and where.setting in field.settings:
            return field.settings.place(where.setting)
        return field.place if where.kind is None else field.column_place(where.kind)


def _settings(text: str) -> Settings | None:
    report = Report("")
    root = read_yaml(text, report)
    return None if root is None else Settings(root, POLICY_KEYS, report)


def _fields(settings: Settings | None) -> Mapping[str, ReadField]:
    if settings is None:
        return {}
    entries = settings.entries("fields", "")
    read = (read_field(name, entry, settings.report) for name, entry in entries.items())
    return {field.name: field for field in read if field is not None}


def _section(text: str) -> Section | None:
    return read_yaml(text, Report(""))


def _in_rules(root: Section | None, where: InRules) -> Place:
    """The setting, else the column, else where the columns begin."""
    columns = None if root is None else root.entries.get("columns")
    if columns is None:
        return START
    column = columns.node.entries.get(where.column) if isinstance(columns.node, Section) else None
    if column is None:
        return columns.place
    setting = column.node.entries.get(where.setting or "") if isinstance(column.node, Section) else None
    return column.place if setting is None else setting.node.place
