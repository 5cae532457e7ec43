"""One person for eyes, as `leadsync person` shows them: records, fields by state, activities with their causes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from rich.console import RenderableType
from rich.padding import Padding
from rich.text import Text

from schemas.identity import key_of
from schemas.vocabulary import SYSTEMS, Value
from streams.operating.display import cell, console, grid, said
from streams.operating.open_errors import open_errors
from streams.operating.people import Person
from streams.operating.standing import FieldStanding, Standing, field_standings, fields_at_rest
from streams.operating.telling import told
from streams.sync.messages import Activity
from streams.sync.person import Link, PersonState
from streams.sync.policy import Policy

HEADINGS: dict[Standing, tuple[str, str]] = {
    "in_error": ("In error", "red"),
    "in_flight": ("In flight", "cyan"),
    "pending": ("Pending", "yellow"),
}
FILTER = {None: "not stated", True: "lets through", False: "holds back"}
BESIDE_COLUMNS_MIN = 100
BELOW = (0, 0, 0, 2)
KIND_STYLES = {"collision": "yellow", "failed": "red", "closed": "green"}


def page(person: Person, policy: Policy, activities: Sequence[Activity]) -> Iterator[RenderableType]:
    """The page, part by part."""
    key, state = person
    kind = state.record_type or "no record type: known to Marketo only"
    yield Text.assemble((key, "bold"), f"  {kind}, sync filter {FILTER[state.syncable]}")
    yield from _section("Records", _records(key, state))
    moving = field_standings(state, policy)
    for standing, (heading, style) in HEADINGS.items():
        if rows := [each for each in moving if each.standing == standing]:
            yield from _section(f"{heading} ({len(rows)})", _moving(rows), style)
    yield from _errors_of_no_field(person)
    resting = fields_at_rest(state, policy)
    yield from _section(f"At rest ({len(resting)})", _resting(resting), "green")
    yield from _section(f"Activities ({len(activities)})", _activities(activities))


def _section(heading: str, body: RenderableType, style: str = "") -> Iterator[RenderableType]:
    yield Text(f"\n{heading}", f"bold {style}".strip())
    yield Padding(body, BELOW)


def _records(key: str, state: PersonState) -> RenderableType:
    table = grid(None, None)
    for system in SYSTEMS:
        known, link = state.system(system), state.system(system).link
        table.add_row(cell(system, "bold"), cell("no record" if link is None else _shown(key, link)))
        if link is None and known.wish is not None:
            table.add_row("", cell("a record is to be created", "yellow"))
        if known.flight is not None:
            sent = f"{known.flight.operation} in flight, revision {known.flight.revision}, {known.flight.lane} lane"
            table.add_row("", cell(f"{sent}, command {known.flight.command_id}", "cyan"))
        for record_id, closure in known.closed:
            table.add_row("", cell(f"{closure}: {record_id}", "dim"))
    return table


def _shown(key: str, link: Link) -> str:
    version = "not read yet" if link.version < 0 else f"version {link.version}"
    return f"{link.type} {link.id}, {version}, revision {link.revision}, key {key_of(key, link.creation)}"


def _moving(rows: Sequence[FieldStanding]) -> RenderableType:
    table = grid(None, None)
    for each in rows:
        towards = f" → {each.to}" if each.to else ""
        table.add_row(cell(each.field, "bold"), cell(f"{said(each.value)}{towards}"))
        table.add_row("", cell(each.why or f"revision {each.revision}, command {each.command_id}"))
        table.add_row("", cell(f"held: marketo {said(each.marketo)}, dynamics {said(each.dynamics)}", "dim"))
        if by := ", ".join(part for part in (each.who, each.time, each.change_id) if part):
            table.add_row("", cell(f"by {by}", "dim"))
    return table


def _errors_of_no_field(person: Person) -> Iterator[RenderableType]:
    errors = [each for each in open_errors(*person) if each.field is None]
    if errors:
        table = grid(None, None)
        for each in errors:
            table.add_row(cell(each.to, "bold"), cell(f"{each.operation}, {each.code}: {each.message}"))
            table.add_row("", cell(f"since {each.since}", "dim"))
        yield from _section(f"Errors of no one field ({len(errors)})", table, "red")


def _resting(fields: Mapping[str, Value]) -> RenderableType:
    table = grid(None, None)
    for name, value in fields.items():
        table.add_row(cell(name), cell(said(value), "dim" if value is None else ""))
    return table


def _activities(activities: Sequence[Activity]) -> RenderableType:
    """The sentences beside times and kinds, or below them where that would break the ids in them."""
    is_wide = console().width >= BESIDE_COLUMNS_MIN
    table = grid(None, None, None, whole=(0, 1)) if is_wide else grid(None)
    for each in activities:
        by = f", by {each.who}" if each.who else ""
        time, kind = cell(each.time or "no time", "dim"), cell(each.kind, KIND_STYLES.get(each.kind, ""))
        sentence, cause = cell(told(each)), cell(f"cause {each.cause}{by}", "dim")
        if is_wide:
            table.add_row(time, kind, sentence)
            table.add_row("", "", cause)
        else:
            table.add_row(Text.assemble(time, "  ", kind))
            table.add_row(Padding(sentence, BELOW))
            table.add_row(Padding(cause, BELOW))
    return table
