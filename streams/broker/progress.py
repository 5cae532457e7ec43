"""Shows the first download on standard error; standard output belongs to the command's own answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

Progress = Callable[[int, int], None]
"""Called with the bytes that arrived so far and the bytes expected; from several threads, one at a time."""


def silent(_done_bytes: int, _total_bytes: int) -> None:
    pass


@contextmanager
def shown(what: str, progress: Progress | bool | None) -> Iterator[Progress]:
    """The caller's own callable; a bar when it said True (one plain line where nobody watches); else nothing."""
    if callable(progress):
        yield progress
    elif progress:
        with _bar(what) as update:
            yield update
    else:
        yield silent


@contextmanager
def _bar(what: str) -> Iterator[Progress]:
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    console = Console(stderr=True)
    if not console.is_terminal:
        console.print(f"{what} …", highlight=False, soft_wrap=True)
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Bar(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done_bytes, total_bytes: bar.update(task, completed=done_bytes, total=total_bytes)
