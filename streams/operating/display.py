"""Results on standard output: for eyes on a terminal, for `cut`, `grep` and `awk` in a pipe. Everything else is stderr's.

Nothing that a producer or a CRM user typed reaches a terminal as it came: control characters are shown, never obeyed.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from typing import Any

import click
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from schemas.vocabulary import Value

PIPE_COLUMNS = 200
"""How wide a laid-out page is where there is no terminal to say."""


@cache  # one per process: rich looks at the terminal once
def console() -> Console:
    """The terminal, or the pipe."""
    plain = Console()
    return plain if plain.is_terminal else Console(width=PIPE_COLUMNS, color_system=None)


def visible(text: str) -> str:
    """The text on one line, with whatever a terminal would obey written out."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def said(value: Value) -> str:
    """A field's value: text in quotes, so that it cannot be taken for a number, and a word for what is empty."""
    if value is None:
        return "empty"
    return visible(json.dumps(value, ensure_ascii=False))


def cell(content: Any, style: str = "") -> Text:
    """What stands in a table, never taken for markup."""
    return Text("" if content is None else visible(str(content)), style)


def print_rows(
    columns: Sequence[str], rows: Iterable[Sequence[Any]], styles: Callable[[int], str] = lambda _: ""
) -> None:
    """A table on a terminal; in a pipe one line per row, tab-separated, uncut and without a heading."""
    screen = console()
    if not screen.is_terminal:
        for row in rows:
            click.echo("\t".join("" if each is None else visible(str(each)) for each in row))
        return
    table = grid(*columns)
    for row in rows:
        table.add_row(*(cell(each, styles(column)) for column, each in enumerate(row)))
    if table.row_count:
        screen.print(table)


def grid(*columns: str | None) -> Table:
    """A table without lines, that wraps what does not fit and cuts nothing off; with headings where columns are named."""
    table = Table(box=None, show_header=any(columns), header_style="bold", pad_edge=False, padding=(0, 2, 0, 0))
    for name in columns:
        table.add_column(name or "", overflow="fold")
    return table


def print_page(parts: Iterable[RenderableType]) -> None:
    """A page of headings and tables."""
    screen = console()
    with screen.capture() as captured:
        for part in parts:
            screen.print(part, highlight=False)
    click.echo("\n".join(line.rstrip() for line in captured.get().splitlines()), color=screen.is_terminal)


def print_json(found: Any) -> None:
    """One JSON document; the same keys whatever was found."""
    click.echo(json.dumps(found))


def note(text: str) -> None:
    """Something about the result that is not part of it."""
    click.echo(text, err=True)


def plural(count: int, one: str, many: str) -> str:
    """`1 person`, `2 people`."""
    return f"{count:,} {one if count == 1 else many}"
