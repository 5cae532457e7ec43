"""Results on standard output: for eyes on a terminal, for `cut`, `grep` and `awk` in a pipe. Everything else is stderr's.

Nothing that a producer or a CRM user typed reaches a terminal as it came: control characters are shown, never obeyed, and of
a long value the beginning. The whole of it is for `--json`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Sequence
from functools import cache
from typing import Any

import click
from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from schemas.vocabulary import Value

PIPE_COLUMNS = 200
"""How wide a laid-out page is where there is no terminal to say."""
SAID_CHARACTERS_MAX = 60
"""Of a value: a text area holds 30,000 characters, and a screen some 2,000."""
PROSE_COLUMNS_MIN = 20
"""How narrow a column of prose may become before rows are shown one below another."""
BETWEEN_COLUMNS = 2


@cache  # one per process: rich looks at the terminal once
def console() -> Console:
    """The terminal, or the pipe."""
    plain = Console()
    return plain if plain.is_terminal else Console(width=PIPE_COLUMNS, color_system=None)


def visible(text: str) -> str:
    """The text on one line, with whatever a terminal would obey written out."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def said(value: Value) -> str:
    """A field's value, its beginning where it is long."""
    text = said_in_full(value)
    if len(text) <= SAID_CHARACTERS_MAX or not isinstance(value, str | Sequence):
        return text
    return f"{text[:SAID_CHARACTERS_MAX]}… ({len(value):,} {'characters' if isinstance(value, str) else 'values'})"


def said_in_full(value: Value) -> str:
    """A field's value: text in quotes, so that it cannot be taken for a number, and a word for what is empty."""
    if value is None:
        return "empty"
    return visible(json.dumps(value, ensure_ascii=False))


def cell(content: Any, style: str = "") -> Text:
    """What stands in a table, never taken for markup."""
    return Text("" if content is None else visible(str(content)), style)


def print_rows(
    columns: Sequence[str],
    rows: Iterable[Sequence[Any]],
    styles: Callable[[int], str] = lambda _: "",
    prose: Collection[str] = (),
) -> None:
    """A table on a terminal; in a pipe one line per row, tab-separated and without a heading.

    Where `prose` names columns, only those are wrapped: keys, codes, places and times must be found and copied as they are.
    A terminal too narrow for that has each row as a block of lines.
    """
    screen = console()
    if not screen.is_terminal:
        for row in rows:
            click.echo("\t".join("" if each is None else visible(str(each)) for each in row))
        return
    table = [[cell(each, styles(column)) for column, each in enumerate(row)] for row in rows]
    if not table:
        return
    if prose and _columns_needed(columns, table, prose) > screen.width:
        print_page(Padding(_block(columns, cells), (0, 0, 1, 0)) for cells in table)
    else:
        screen.print(_table(columns, table, prose))


def _columns_needed(columns: Sequence[str], table: Sequence[Sequence[Text]], prose: Collection[str]) -> int:
    """How wide a terminal must be for a table in which only prose is wrapped."""
    widths = (max(len(name), *(cells[column].cell_len for cells in table)) for column, name in enumerate(columns))
    needed = (
        min(width, PROSE_COLUMNS_MIN) if name in prose else width for name, width in zip(columns, widths, strict=True)
    )
    return sum(needed) + BETWEEN_COLUMNS * (len(columns) - 1)


def _table(columns: Sequence[str], table: Sequence[Sequence[Text]], prose: Collection[str]) -> Table:
    found = grid(*columns, whole=[number for number, name in enumerate(columns) if prose and name not in prose])
    for cells in table:
        found.add_row(*cells)
    return found


def _block(columns: Sequence[str], cells: Sequence[Text]) -> Table:
    """One row, a line for each of its columns that says something."""
    block = grid(None, None)
    for name, each in zip(columns, cells, strict=True):
        if each:
            block.add_row(cell(name, "bold"), each)
    return block


def grid(*columns: str | None, whole: Collection[int] = ()) -> Table:
    """A table without lines, that wraps what does not fit and cuts nothing off; with headings where columns are named.

    `whole`: the numbers of columns that are not to be wrapped.
    """
    padding = (0, BETWEEN_COLUMNS, 0, 0)
    table = Table(box=None, show_header=any(columns), header_style="bold", pad_edge=False, padding=padding)
    for number, name in enumerate(columns):
        table.add_column(name or "", overflow="fold", no_wrap=number in whole)
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
