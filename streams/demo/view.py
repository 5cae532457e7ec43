"""What a demo looks like while it runs: a live panel in a terminal, a line every few seconds elsewhere. On standard error."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from streams.demo.progress import Progress

REFRESH_SECONDS = 0.2
LINE_EVERY_SECONDS = 5.0
WIDTH_MAX = 110
PHASE_WIDTH = 16
ABREAST_COLUMNS_MIN = {1: 0, 2: 70, 3: 100}
"""How many numbers stand side by side, and from which width on their labels are whole."""
MEASURED_PHASES = frozenset({"setting up", "editing"})

_uuid = re.compile(r"\b([0-9a-f]{8})-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b")

Glance = Callable[[], Progress]


async def follow(glance: Glance, console: Console) -> None:
    """Show how far it is until cancelled."""
    if console.is_terminal:
        await _live(glance, console)
    else:
        await _lines(glance, console)


async def _live(glance: Glance, console: Console) -> None:
    rate = Rate()
    with Live(console=console, auto_refresh=False, transient=True) as live:
        while True:
            progress = glance()
            live.update(panel(progress, rate.of(progress), console.width), refresh=True)
            await asyncio.sleep(REFRESH_SECONDS)


async def _lines(glance: Glance, console: Console) -> None:
    """A line for each phase, and one now and then within it."""
    phase, shown_at, rate = "", 0.0, Rate()
    while True:
        progress = glance()
        per_second = rate.of(progress)
        if progress.phase != phase or progress.seconds >= shown_at + LINE_EVERY_SECONDS:
            phase, shown_at = progress.phase, progress.seconds
            console.print(line(progress, per_second), highlight=False, soft_wrap=True)
        await asyncio.sleep(REFRESH_SECONDS)


class Rate:
    """Events per second, over the last second or so."""

    def __init__(self) -> None:
        self._past: list[tuple[float, int]] = []

    def of(self, progress: Progress) -> float:
        """Told of each glance, in order."""
        self._past = [*self._past[-5:], (progress.seconds, progress.sent)]
        (since, sent), (now, sent_now) = self._past[0], self._past[-1]
        return (sent_now - sent) / (now - since) if now > since else 0.0


def line(progress: Progress, per_second: float) -> str:
    """One line, for logs."""
    return (
        f"{progress.seconds:5.1f} s  {progress.phase}: {progress.people} people, {progress.edits} edits, "
        f"{progress.commands} commands, {progress.collisions} collisions, {_open(progress)} open errors, "
        f"lag {progress.unread}, {per_second:.0f} events/s" + (f"; {progress.strike}" if progress.strike else "")
    )


def panel(progress: Progress, per_second: float, width: int = WIDTH_MAX) -> RenderableType:
    """The whole view."""
    title = f"[bold]leadsync demo[/] · Marketo ⇄ Kafka ⇄ Dynamics 365 · {progress.seconds:.0f} s"
    body = Group(_head(progress), Text(), _numbers(progress, per_second, width), Text(), _stories(progress))
    return Panel(body, title=title, title_align="left", width=min(width, WIDTH_MAX), border_style="cyan")


def _head(progress: Progress) -> Table:
    """The phase, and how far it is; a bar that only moves where nobody can know."""
    table = Table.grid(expand=True, padding=(0, 1))
    table.add_column(no_wrap=True, width=PHASE_WIDTH)
    table.add_column(ratio=1)
    table.add_column(justify="right", no_wrap=True)
    is_open_end = progress.done >= progress.planned or progress.phase not in MEASURED_PHASES
    bar = ProgressBar(
        total=progress.planned or 1, completed=progress.done, pulse=is_open_end, animation_time=progress.seconds
    )
    count = f"{min(progress.done, progress.planned):,} of {progress.planned:,} {progress.unit}"
    table.add_row(
        Text(progress.strike or progress.phase, style="red" if progress.strike else "bold"),
        bar,
        count if progress.done else "",
    )
    return table


def _numbers(progress: Progress, per_second: float, width: int) -> Table:
    table = Table.grid(expand=True, padding=(0, 1))
    abreast = max(count for count, least in ABREAST_COLUMNS_MIN.items() if width >= least)
    for _ in range(abreast):
        table.add_column(style="dim")  # not `no_wrap`: where it is narrow, labels are cut and never numbers
        table.add_column(justify="right", no_wrap=True)
        table.add_column(width=2)
    open_errors = _open(progress)
    numbers = [
        ("people", f"{progress.people:,}", ""),
        ("events/s", f"{per_second:,.0f}", "green"),
        (
            "workers ready",
            f"{progress.workers_ready} of {progress.workers}",
            _ok(progress.workers_ready == progress.workers),
        ),
        ("commands applied", f"{progress.commands:,}", ""),
        ("unread by workers", f"{progress.unread:,}", ""),
        ("open sync errors", f"{open_errors:,}", _ok(not open_errors)),
        ("collisions settled", f"{progress.collisions:,}", "magenta"),
        ("on the way", f"{progress.on_the_way:,}", ""),
        ("closed again", f"{progress.errors_closed:,}", ""),
        ("edit → both systems", f"{progress.p50_seconds:.2f} s", "green"),
        ("events", f"{progress.sent:,}", ""),
        ("dead letters", f"{progress.dead_letters:,}", _ok(not progress.dead_letters)),
    ]
    for row in range(0, len(numbers), abreast):
        cells: list[RenderableType] = []
        for label, value, style in numbers[row : row + abreast]:
            cells += [Text(label, no_wrap=True, overflow="ellipsis"), Text(value, style=style), ""]
        table.add_row(*cells)
    return table


def _stories(progress: Progress) -> Text:
    """What people did last; of long ids their beginning will do."""
    stories = [_uuid.sub(r"\1…", story) for story in progress.stories]
    return Text("\n".join(stories), style="dim", no_wrap=True, overflow="ellipsis")


def _open(progress: Progress) -> int:
    return progress.errors_opened - progress.errors_closed


def _ok(is_well: bool) -> str:
    return "" if is_well else "yellow"
