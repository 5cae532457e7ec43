"""The policy held against the live instances: does each name exist, can it be written, and does it take what would be sent?

An error is what fails for everybody: an unknown name is never synced, a read-only column or one of another type takes no value.
A note is what fails for some: values too long for the other side, an option that one side has and the policy lacks.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from schemas.vocabulary import RecordKind
from streams.instances.agreement_found import Disagreement, InPolicy, Policywide
from streams.instances.live import OUR_COLUMNS, THE_COLUMN, LiveColumn, LiveTable
from streams.policy.cross_checks import KIND_SAID, KINDS, SYSTEM_OF_KIND
from streams.policy.field import RECEIVERS
from streams.policy.mistakes import nearest, quoted
from streams.sync.policy import TEXT_TYPES, FieldRule, Policy

Tables = Mapping[RecordKind, LiveTable]

OPTIONS_SHOWN_MAX = 12


def policy_disagreements(policy: Policy, tables: Tables) -> Iterator[Disagreement]:
    """Everything below, field by field, for the kinds of record whose tables were read."""
    for rule in policy.fields.values():
        for kind in KINDS:
            column = rule.column(kind)
            if column is not None and kind in tables:
                yield from _of_column(rule, kind, column, tables[kind])
        yield from _lengths(rule, tables)
    for table in tables.values():
        yield from _required(policy, table)
    yield from _filter(policy, tables)
    yield from _dedupe(policy, tables)


def column_disagreements(policy: Policy, table: LiveTable) -> Iterator[Disagreement]:
    """Only whether each mapped column exists and can be written where it is."""
    for rule in policy.fields.values():
        column = rule.column(table.kind)
        if column is None:
            continue
        live = table.columns.get(column)
        if live is None:
            yield _missing(rule, column, table)
        else:
            yield from _unwritable(rule, table.kind, live)


def is_written(rule: FieldRule, kind: RecordKind) -> bool:
    """Whether we write the field on records of this kind."""
    return SYSTEM_OF_KIND[kind] in RECEIVERS[rule.direction]


def _of_column(rule: FieldRule, kind: RecordKind, column: str, table: LiveTable) -> Iterator[Disagreement]:
    where, live = InPolicy(rule.name, kind), table.columns.get(column)
    if column in OUR_COLUMNS[table.system]:
        found = f"{quoted(column)} of {KIND_SAID[kind]} is leadsync's own"
        yield Disagreement("error", where, found, f"take {rule.name} out of the policy")
    elif live is None:
        yield _missing(rule, column, table)
    else:
        yield from _unwritable(rule, kind, live)
        yield from _type(rule, kind, live)
        yield from _options(rule, kind, live)


def _missing(rule: FieldRule, column: str, table: LiveTable) -> Disagreement:
    meant = nearest(table.columns, column)
    question = f" (did you mean {meant}?)" if meant else ""
    found = f"{KIND_SAID[table.kind]} has no {THE_COLUMN[table.system]} {quoted(column)}{question}"
    remedy = f"make it, correct the name, or take {rule.name} out of the policy"
    return Disagreement("error", InPolicy(rule.name, table.kind), found, remedy)


def _unwritable(rule: FieldRule, kind: RecordKind, live: LiveColumn) -> Iterator[Disagreement]:
    if not is_written(rule, kind):
        return
    where, said = InPolicy(rule.name, kind), f"{quoted(live.name)} of {KIND_SAID[kind]}"
    away = "to_dynamics" if kind == "person" else "to_marketo"
    if not live.rule.updatable and not live.rule.creatable:
        yield Disagreement("error", where, f"{said} is read-only", f"allowed: direction: {away}, or another column")
    elif not live.rule.updatable:
        yield Disagreement(
            "error", where, f"{said} can't be written once the record exists", f"allowed: direction: {away}"
        )
    elif live.is_lookup:
        found = f"{said} is a lookup, which names a row of another table"
        yield Disagreement("error", where, found, f"allowed: direction: {away}, or another column")


def _type(rule: FieldRule, kind: RecordKind, live: LiveColumn) -> Iterator[Disagreement]:
    """What is only read may be of more types: numbers and booleans have a text of their own."""
    if rule.type in live.holds or not live.holds:
        return
    written = is_written(rule, kind)
    if not written and rule.type in TEXT_TYPES and not live.labels:
        return
    found = f"{quoted(live.name)} of {KIND_SAID[kind]} is of type {live.type}, and {rule.name} of type {rule.type}"
    fitting = ", ".join(live.holds)
    yield Disagreement(
        "error" if written else "note", InPolicy(rule.name, kind, setting="type"), found, f"allowed: type: {fitting}"
    )


def _options(rule: FieldRule, kind: RecordKind, live: LiveColumn) -> Iterator[Disagreement]:
    if rule.options is None or live.rule.options is None or rule.type not in live.holds:
        return
    said, written = f"{quoted(live.name)} of {KIND_SAID[kind]}", is_written(rule, kind)
    for label, number in rule.options.items():
        where = InPolicy(rule.name, kind, option=label)
        if number not in live.rule.options:
            remedy = f"allowed: {_shown(live.labels)}"
            yield Disagreement(
                "error" if written else "note", where, f"{said} has no option {number} ({label})", remedy
            )
        elif live.labels.get(number, "") not in ("", label):
            found = f"{said} calls option {number} {quoted(live.labels[number])}, the policy {quoted(label)}"
            yield Disagreement("note", where, found, "one word for it, if people are to know it again")
    for number, label in sorted(live.labels.items()):
        if number not in rule.options.values():
            found = f"{said} has an option {number} ({label}) that the policy lacks: records with it fail to sync"
            where = InPolicy(rule.name, kind, setting="options")
            yield Disagreement("note", where, found, f"add `{label or '…'}: {number}` under options")


def _lengths(rule: FieldRule, tables: Tables) -> Iterator[Disagreement]:
    """Where a text may be longer than what the other side takes: one line for leads and contacts that take the same."""
    if rule.type not in TEXT_TYPES:
        return
    sides = {kind: live for kind, table in tables.items() if (live := table.columns.get(rule.column(kind) or ""))}
    told: dict[tuple[str, str], list[RecordKind]] = {}
    for kind, live in sides.items():
        others = [(each, other) for other, each in sides.items() if SYSTEM_OF_KIND[other] != SYSTEM_OF_KIND[kind]]
        longest = max(others, key=lambda pair: _room(pair[0]) or 0, default=None)
        room = _room(live)
        if is_written(rule, kind) and room is not None and longest is not None and (_room(longest[0]) or 0) > room:
            longer = f"{quoted(longest[0].name)} of {KIND_SAID[longest[1]]} {_room_said(longest[0])}"
            told.setdefault((f"takes {_room_said(live)}, {longer}", live.name), []).append(kind)
    for (said, name), kinds in told.items():
        whose = " and ".join([KIND_SAID[kinds[0]], *kinds[1:]])
        where = InPolicy(rule.name, kinds[0])
        yield Disagreement("note", where, f"{quoted(name)} of {whose} {said}", "longer values fail to sync")


def _room(live: LiveColumn) -> int | None:
    return live.rule.length_max or live.rule.bytes_max


def _room_said(live: LiveColumn) -> str:
    length = live.rule.length_max
    return f"{live.rule.bytes_max:,} bytes" if length is None else f"{length:,} characters"


def _size(found: tuple[int, str] | None) -> int:
    return -1 if found is None else found[0]


def _required(policy: Policy, table: LiveTable) -> Iterator[Disagreement]:
    """A contact comes from a lead, which brings its values along."""
    if table.kind == "contact":
        return
    for column, live in sorted(table.columns.items()):
        rule = policy.inbound[table.kind].get(column)
        if not live.rule.required or live.fills_itself:
            continue
        said = f"{quoted(column)} of {KIND_SAID[table.kind]} is required"
        if rule is None or not is_written(rule, table.kind):
            remedy = f"add a field with this column that goes to {table.system}"
            yield Disagreement("error", None, f"{said} and no field fills it: none can be created", remedy)
        elif rule.default is None:
            found = f"{said}, and {rule.name} has no default: a person without it fails to sync"
            yield Disagreement("note", InPolicy(rule.name, table.kind), found, "give it a `default:` for new records")


def _filter(policy: Policy, tables: Tables) -> Iterator[Disagreement]:
    for kind, table in tables.items():
        if policy.filter_column is None or table.system != "dynamics":
            continue
        live = table.columns.get(policy.filter_column)
        if live is None:
            found = f"{KIND_SAID[kind]} has no column {quoted(policy.filter_column)}: every one is synced"
            yield Disagreement("note", Policywide("filter"), found, "allowed: a Yes/No column, or none")
        elif live.type != "Boolean":
            found = f"the filter {quoted(live.name)} of {KIND_SAID[kind]} is of type {live.type}"
            yield Disagreement("error", Policywide("filter"), found, "allowed: a Yes/No column (Boolean), or none")


def _dedupe(policy: Policy, tables: Tables) -> Iterator[Disagreement]:
    """Twins are looked for by the e-mail address."""
    if policy.dedupe is None:
        return
    emails = [rule for rule in policy.fields.values() if rule.type == "email"]
    if not emails:
        found = "twins are to be found by e-mail address, and no field is of type email"
        yield Disagreement("error", Policywide("dedupe"), found, "allowed: none, or a field of type email")
    for rule in emails[:1]:
        for kind, table in tables.items():
            live = table.columns.get(rule.column(kind) or "")
            if live is not None and not live.searchable:
                found = f"{KIND_SAID[kind]} can't be looked up by {quoted(live.name)}"
                yield Disagreement(
                    "error", Policywide("dedupe"), found, "allowed: none, or an e-mail field that is searchable"
                )


def _shown(labels: Mapping[int, str]) -> str:
    shown = [f"{number} ({label})" for number, label in sorted(labels.items())][:OPTIONS_SHOWN_MAX]
    return ", ".join(shown) + (", …" if len(labels) > OPTIONS_SHOWN_MAX else "")
