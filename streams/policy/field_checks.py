"""A field's settings held against each other: what they say together must be possible."""

from __future__ import annotations

from msgspec.structs import replace

from streams.policy.field import RECEIVERS, TYPE_OF_COMPUTED, ReadField
from streams.policy.located import Items, Leaf, Section
from streams.policy.mistakes import quoted
from streams.sync.messages import Value
from streams.sync.policy import TEXT_TYPES, FieldRule
from streams.sync.values import EXPECTED, Unconvertible, canonical, to_system


def check_field(field: ReadField) -> None:
    """All of the checks below; mistakes go to the field's report."""
    _check_names(field)
    _check_computed(field)
    _check_one_way(field)
    if field.has_known_type:
        _check_options(field)


def _check_names(field: ReadField) -> None:
    settings, report = field.settings, field.settings.report
    for key in ("lead", "contact"):
        if key in settings and "dynamics" in settings:
            report.mistake(
                settings.key_place(key), f"found both dynamics and {key}", "either `dynamics`, or `lead` and `contact`"
            )
    if "marketo" not in settings:
        report.mistake(field.place, f"found no Marketo name for {field.name}", "`marketo:` with the field's REST name")
    if field.rule.computed is None and not any(key in settings for key in ("dynamics", "lead", "contact")):
        allowed = "`dynamics:`, or `lead:` and `contact:`, with the column's logical name"
        report.mistake(field.place, f"found no Dynamics name for {field.name}", allowed)


def _check_computed(field: ReadField) -> None:
    """leadsync knows the value itself and tells it to Marketo: there is nothing to choose but the name there."""
    settings, report, computed = field.settings, field.settings.report, field.rule.computed
    if computed is None:
        return
    for key in ("dynamics", "lead", "contact", "winner", "unless_blank", "default", "block_updates", "options"):
        if key in settings:
            report.mistake(settings.key_place(key), f"found {key} on a computed field", "marketo, type, computed")
    if field.rule.direction != "to_marketo":
        report.mistake(
            settings.place("direction"), f"found {quoted(field.rule.direction)}", "to_marketo on a computed field"
        )
    if field.rule.type != TYPE_OF_COMPUTED[computed]:
        report.mistake(
            settings.place("type"), f"found {quoted(field.rule.type)}", f"{TYPE_OF_COMPUTED[computed]} for {computed}"
        )


def _check_options(field: ReadField) -> None:
    settings, report = field.settings, field.settings.report
    if field.rule.type in ("option", "options"):
        if not field.rule.options and "options" not in settings:
            report.mistake(
                field.place, f"found no options for {field.name}", "`options:` with a `Label: number` for each"
            )
        elif settings.node("options") == Section(settings.place("options"), {}):
            report.mistake(settings.place("options"), "found no options", "a `Label: number` for each option")
    elif "options" in settings and field.rule.computed is None:
        found = f"found options on a field of type {field.rule.type}"
        report.mistake(settings.key_place("options"), found, "type: option, or options for several at once")


def _check_one_way(field: ReadField) -> None:
    """In a one-way field nothing collides, and only one side is written."""
    settings, report, direction = field.settings, field.settings.report, field.rule.direction
    if field.rule.computed is not None:
        return
    for key in ("winner", "unless_blank"):
        if key in settings and direction != "both":
            report.mistake(
                settings.key_place(key),
                f"found {key} on a field that goes {direction}",
                f"{key} where direction is both",
            )
    if "default" in settings and direction == "to_marketo":
        # No mistake: policies with it may be in force, and what was written under them must be read.
        found = (
            "found default on a field that goes to_marketo, where only Dynamics says what there is: it is not heeded"
        )
        report.note(settings.key_place("default"), found, "default where direction is both or to_dynamics")
    for system in sorted(field.rule.block_updates - set(RECEIVERS[direction])):
        found = f"found {quoted(system)}, which a field that goes {direction} never writes"
        report.mistake(settings.place("block_updates"), found, ", ".join(RECEIVERS[direction]))


def with_default(field: ReadField) -> FieldRule:
    """The rule with its default in canonical form; a default that is not of the field's type is a mistake."""
    node, rule = field.settings.node("default"), field.rule
    if node is None or rule.computed is not None:
        return rule
    value: Value = None
    if isinstance(node, Leaf):
        value = node.value
    elif isinstance(node, Items):
        value = tuple(str(item.value) for item in node.items if isinstance(item, Leaf))
    fits = isinstance(value, str) or rule.type not in TEXT_TYPES
    default = canonical(rule, "marketo", value)
    try:
        for receiver in RECEIVERS[rule.direction]:
            to_system(rule, receiver, default)
    except Unconvertible:
        fits = False
    if default is None or not fits:
        field.settings.wrong(node, _default_allowed(rule))
        return rule
    return rule if rule.direction == "to_marketo" else replace(rule, default=default)


def _default_allowed(rule: FieldRule) -> str:
    quotes = ", in quotes where it looks like something else" if rule.type in TEXT_TYPES else ""
    options = f": {', '.join(list(rule.options)[:20])}" if rule.options else ""
    return f"{EXPECTED[rule.type]}{options}{quotes}, or no `default:` at all"
