"""How far a bootstrap is: bars with counts and rates on a terminal, a line for each step otherwise. On standard error."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
)
from rich.text import Text

from streams.operating.display import note

SoFar = Callable[[int], None]


class _Rate(ProgressColumn):
    """Records a second, over the last of them."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:,.0f}/s", "progress.data.speed")


class Steps:
    """`step` for each part of the work; several may be under way at once."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress

    @contextmanager
    def step(self, what: str, total: int | None = None) -> Iterator[SoFar]:
        """Gives a function that is told how many records are done. `total` None: nobody knows yet."""
        task = self._progress.add_task(what, total=total)
        done = 0

        def so_far(count: int) -> None:
            nonlocal done
            done = count
            self._progress.update(task, completed=count)

        yield so_far
        self._progress.update(task, total=max(done, 1), completed=max(done, 1))
        if self._progress.disable:
            note(f"{what}: {done:,}")


@contextmanager
def progress_shown() -> Iterator[Steps]:
    """The bars stand as long as the block lasts."""
    screen = Console(stderr=True)
    columns = (
        SpinnerColumn(finished_text="✓"),
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        _Rate(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=screen, disable=not screen.is_terminal) as progress:
        yield Steps(progress)
