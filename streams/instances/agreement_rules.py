"""Rule files held against the live instances, for the columns that the policy writes.

A rule that lets through what the instance refuses is an error: commands fail there instead of here. One that is only stricter
is a note: values fail that would have been taken. `leadsync rules import` mends both.
"""

from __future__ import annotations

from collections.abc import Iterator

from schemas.vocabulary import RecordKind
from streams.instances.agreement_found import Disagreement, InRules, Severity
from streams.instances.agreement_policy import Tables, is_written
from streams.instances.live import LiveColumn, LiveTable
from streams.policy.cross_checks import KIND_SAID
from streams.policy.mistakes import quoted
from streams.sync.policy import AttributeRule, Format, Policy

REMEDY = "`leadsync rules import` writes what the instance says"
LOOSE_FORMATS: tuple[Format | None, ...] = (None, "email", "phone", "url")
"""Texts: only forms check them, so none of them makes a system refuse another."""

Difference = tuple[Severity, str, str]
"""How bad, which setting, what is so."""


def rule_disagreements(policy: Policy, tables: Tables) -> Iterator[Disagreement]:
    """Column by column, in the order of their names. A kind without rules is asked nothing."""
    for kind, table in tables.items():
        rules = policy.rules[kind]
        for column, field in sorted(policy.inbound[kind].items()) if rules else ():
            live = table.columns.get(column)
            if live is not None and is_written(field, kind):
                yield from _of_column(kind, rules.get(column), live)
        yield from _required(kind, policy, table)


def _of_column(kind: RecordKind, rule: AttributeRule | None, live: LiveColumn) -> Iterator[Disagreement]:
    said = f"{quoted(live.name)} of {KIND_SAID[kind]}"
    if rule is None:
        found = (
            f"the rules of {KIND_SAID[kind]} have no {quoted(live.name)}: nothing of it is checked before it is sent"
        )
        yield Disagreement("note", InRules(kind, live.name), found, REMEDY)
        return
    for severity, setting, found in _differences(rule, live.rule):
        yield Disagreement(severity, InRules(kind, live.name, setting), f"{said}: {found}", REMEDY)


def _differences(rule: AttributeRule, live: AttributeRule) -> Iterator[Difference]:
    yield from _room(rule, live)
    yield from _bounds(rule, live)
    yield from _choices(rule, live)
    yield from _shape(rule, live)
    for setting, able, verb in (("creatable", rule.creatable, "created"), ("updatable", rule.updatable, "updated")):
        if able != getattr(live, setting):
            severity: Severity = "error" if able else "note"
            yield (
                severity,
                setting,
                f"the rule says {setting}: {_yes(able)}, the instance {_yes(not able)} (when {verb})",
            )


def _room(rule: AttributeRule, live: AttributeRule) -> Iterator[Difference]:
    for setting, unit in (("length_max", "characters"), ("bytes_max", "bytes")):
        here, there = getattr(rule, setting), getattr(live, setting)
        if here == there:
            continue
        severity: Severity = "error" if there is not None and (here is None or here > there) else "note"
        yield severity, setting, f"the rule allows {_number(here)} {unit}, the instance {_number(there)}"


def _bounds(rule: AttributeRule, live: AttributeRule) -> Iterator[Difference]:
    """A bound that only one of them has is only worth a note where it is the rule's."""
    for setting, sign in (("minimum", -1), ("maximum", 1)):
        here, there = getattr(rule, setting), getattr(live, setting)
        if here == there:
            continue
        looser = there is not None and (here is None or here * sign > there * sign)
        yield (
            "error" if looser else "note",
            setting,
            f"the rule's {setting} is {_number(here)}, the instance's {_number(there)}",
        )


def _choices(rule: AttributeRule, live: AttributeRule) -> Iterator[Difference]:
    if live.options is None and rule.options is None:
        return
    if live.options is None or rule.options is None:
        has, lacks = ("rule", "instance") if live.options is None else ("instance", "rule")
        yield "note" if has == "rule" else "error", "options", f"the {has} has a list of options, the {lacks} none"
        return
    for option in sorted(rule.options - live.options, key=str):
        yield "error", "options", f"the rule allows option {option}, which the instance has not"
    for option in sorted(live.options - rule.options, key=str):
        yield "note", "options", f"the instance has an option {option}, which the rule refuses"
    if rule.multiple != live.multiple:
        yield "error", "multiple", f"the rule says multiple: {_yes(rule.multiple)}, the instance {_yes(live.multiple)}"


def _shape(rule: AttributeRule, live: AttributeRule) -> Iterator[Difference]:
    if rule.format == live.format:
        return
    loose = rule.format in LOOSE_FORMATS and live.format in LOOSE_FORMATS
    found = f"the rule's format is {rule.format or 'none'}, the instance's {live.format or 'none'}"
    yield "note" if loose else "error", "format", found


def _required(kind: RecordKind, policy: Policy, table: LiveTable) -> Iterator[Disagreement]:
    """Of every column, mapped or not: what is required decides whether a record can be created."""
    for column, live in sorted(table.columns.items()):
        rule = policy.rules[kind].get(column)
        if rule is None or rule.required == live.rule.required:
            continue
        found = f"{quoted(column)} of {KIND_SAID[kind]}: the rule says required: {_yes(rule.required)}, the instance {_yes(live.rule.required)}"
        severity: Severity = "error" if live.rule.required else "note"
        yield Disagreement(severity, InRules(kind, column, "required"), found, REMEDY)


def _number(number: float | None) -> str:
    return "any number of" if number is None else f"{number:,.10g}" if abs(number) < 1e10 else f"{number:,.0f}"


def _yes(flag: bool) -> str:
    return "true" if flag else "false"
