"""Rule files written from live metadata: what `streams/policy/rule_files.py` reads, one column a line, sorted by name.

Nothing but the instance's address, the API's version and the columns stands in them: two imports of the same metadata
are the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal

from msgspec.structs import replace

from schemas.limits import POLICY_TEXT_BYTES_MAX, RULE_COLUMNS_MAX
from schemas.vocabulary import RecordKind, System
from streams.instances.live import OUR_COLUMNS, LiveTable
from streams.policy.rule_files import RULE_FILES
from streams.sync.policy import AttributeRule

FILE_OF_KIND: Mapping[RecordKind, str] = {kind: name for name, (_, kind) in RULE_FILES.items()}
API_SAID: Mapping[System, str] = {"marketo": "Marketo REST API v1", "dynamics": "Dataverse Web API v9.2"}
TITLES: Mapping[RecordKind, str] = {
    "person": "What a Marketo person takes, by REST name.",
    "lead": "What a Dynamics lead takes, by logical name.",
    "contact": "What a Dynamics contact takes, by logical name.",
}
REMARKS: Mapping[System, tuple[str, ...]] = {
    "marketo": ("# Marketo requires no field of a person, and its describe calls list no options.",),
    "dynamics": (
        "# `required` is ApplicationRequired: the API itself would take a record without it, forms would not. SystemRequired columns",
        "# (owner, status, the id) are filled by Dynamics itself.",
    ),
}
DIGITS_MAX = 18
"""Before and after the point, of a number that a rule file can hold."""


class TooLarge(ValueError):  # noqa: N818 - it says what the file is
    """A rule file that could not be read back: too many columns, or too many bytes."""


def rules_of(table: LiveTable) -> dict[str, AttributeRule]:
    """The rules of every column but our own two, by name, sorted; only what a rule file can hold."""
    ours = OUR_COLUMNS[table.system]
    return {name: _writable(column.rule) for name, column in sorted(table.columns.items()) if name not in ours}


def rules_text(kind: RecordKind, rules: Mapping[str, AttributeRule], host: str) -> str:
    """The file's text. Raises TooLarge."""
    system: System = RULE_FILES[FILE_OF_KIND[kind]][0]
    lines = [
        f"# {TITLES[kind]}",
        f"# Imported from {host} ({API_SAID[system]}) by `leadsync rules import`.",
        "#",
        *REMARKS[system],
        "version: 1",
        "columns:" if rules else "columns: {}",
        *(f"  {name}: {{{', '.join(_settings(rule))}}}" for name, rule in sorted(rules.items())),
    ]
    text = "\n".join(lines) + "\n"
    size_bytes = len(text.encode())
    if len(rules) > RULE_COLUMNS_MAX or size_bytes > POLICY_TEXT_BYTES_MAX:
        raise TooLarge(
            f"{FILE_OF_KIND[kind]}.yaml would have {len(rules)} columns and {size_bytes} bytes; a rule file has at most "
            f"{RULE_COLUMNS_MAX} columns and {POLICY_TEXT_BYTES_MAX} bytes: --mapped-by POLICY writes only the columns that a policy needs"
        )
    return text


def _writable(rule: AttributeRule) -> AttributeRule:
    """Without bounds that no rule file can spell; they are beyond what anybody enters."""
    return replace(rule, minimum=_bound(rule.minimum), maximum=_bound(rule.maximum))


def _bound(number: float | None) -> float | None:
    if number is None:
        return None
    whole, _, fraction = _spelled(number).lstrip("-").partition(".")
    return number if len(whole) <= DIGITS_MAX and len(fraction) <= DIGITS_MAX else None


def _settings(rule: AttributeRule) -> Iterator[str]:
    """What differs from a column that asks nothing."""
    if rule.required:
        yield "required: true"
    if rule.length_max is not None:
        yield f"length_max: {rule.length_max}"
    if rule.bytes_max is not None:
        yield f"bytes_max: {rule.bytes_max}"
    if rule.format is not None:
        yield f"format: {rule.format}"
    if rule.minimum is not None:
        yield f"minimum: {_spelled(rule.minimum)}"
    if rule.maximum is not None:
        yield f"maximum: {_spelled(rule.maximum)}"
    if rule.options is not None:
        yield f"options: [{', '.join(_option(option) for option in sorted(rule.options, key=_order))}]"
    if rule.multiple:
        yield "multiple: true"
    if not rule.creatable:
        yield "creatable: false"
    if not rule.updatable:
        yield "updatable: false"


def _spelled(number: float) -> str:
    """Without an exponent, and without a fraction where there is none."""
    if float(number).is_integer():
        return str(int(number))
    return format(Decimal(repr(number)), "f")


def _option(option: str | int) -> str:
    return str(option) if isinstance(option, int) else _in_quotes(option)


def _in_quotes(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _order(option: str | int) -> tuple[bool, int, str]:
    """Numbers by size, then words."""
    return isinstance(option, str), 0 if isinstance(option, str) else option, str(option)
