"""How an imported rule file differs from the one that is there: new, changed and gone columns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from streams.policy.mistakes import Report
from streams.policy.rule_files import read_rules
from streams.sync.policy import AttributeRule

Rules = Mapping[str, AttributeRule]

SETTINGS = tuple(name for name in AttributeRule.__struct_fields__ if name != "name")
OPTIONS_SHOWN_MAX = 8
WORDS = {"None": "none", "True": "true", "False": "false"}


@dataclass(frozen=True)
class Difference:
    """Column names, sorted. `changed`: with what was changed, in words."""

    new: tuple[str, ...]
    changed: Mapping[str, str]
    gone: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.new or self.changed or self.gone)

    def __str__(self) -> str:
        return f"{len(self.new)} new, {len(self.changed)} changed, {len(self.gone)} gone"


def rules_in(name: str, text: str) -> Rules | None:
    """The rules of a file's text; None where it has mistakes."""
    report = Report(name)
    rules = read_rules(name, text, report)
    return None if report.mistakes else rules


def difference(before: Rules, after: Rules) -> Difference:
    """What an import would change."""
    changed = {name: rule for name, rule in after.items() if name in before and before[name] != rule}
    return Difference(
        tuple(sorted(after.keys() - before.keys())),
        {name: "; ".join(_changes(before[name], rule)) for name, rule in sorted(changed.items())},
        tuple(sorted(before.keys() - after.keys())),
    )


def _changes(before: AttributeRule, after: AttributeRule) -> Iterator[str]:
    for name in SETTINGS:
        was, becomes = getattr(before, name), getattr(after, name)
        if was != becomes:
            yield f"{name} {_said(was)} → {_said(becomes)}"


def _said(value: object) -> str:
    if isinstance(value, frozenset):
        options = sorted(map(str, value), key=lambda option: (len(option), option))
        return f"[{', '.join(options[:OPTIONS_SHOWN_MAX])}{', …' if len(options) > OPTIONS_SHOWN_MAX else ''}]"
    if isinstance(value, float):
        return f"{value:g}"
    return WORDS.get(repr(value), str(value))
