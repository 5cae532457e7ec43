"""What a demo looks like, in a terminal and in a log."""

from __future__ import annotations

import asyncio
import io

import pytest
from rich.console import Console

from streams.demo.progress import Progress
from streams.demo.summary import Summary
from streams.demo.view import Rate, follow, line, panel

PROGRESS = Progress(
    phase="editing",
    seconds=10.0,
    done=750,
    planned=1_500,
    unit="edits",
    people=300,
    edits=750,
    sent=4_000,
    commands=1_200,
    on_the_way=17,
    unread=3,
    collisions=42,
    errors_opened=5,
    errors_closed=2,
    dead_letters=0,
    p50_seconds=0.5,
    workers=2,
    workers_ready=1,
    stories=("sales qualifies 33a098c6-1d90-4d12-8fe6-9d9fdefea3f0 into contact c", "marketing deletes 17"),
)


def shown(width: int) -> str:
    console = Console(file=io.StringIO(), width=width, color_system=None, force_terminal=True)
    with console.capture() as capture:
        console.print(panel(PROGRESS, 123.0, console.width))
    return capture.get()


def test_the_panel_shows_the_numbers_and_what_people_did() -> None:
    """Long ids are cut, so that the story can be read."""
    text = shown(120)
    for part in (
        "editing",
        "750 of 1,500 edits",
        "123",
        "1 of 2",
        "42",
        "sales qualifies 33a098c6… into",
        "marketing deletes 17",
    ):
        assert part in text


def test_the_panel_fits_a_narrow_terminal() -> None:
    """And stays at a readable width in a wide one."""
    assert max(map(len, shown(80).splitlines())) <= 80
    assert max(map(len, shown(200).splitlines())) <= 110


@pytest.mark.parametrize("width", [60, 80, 110])
def test_every_label_and_number_is_whole(width: int) -> None:
    """In a narrow terminal fewer of them stand side by side."""
    text = shown(width)
    assert "…" not in text.partition("sales")[0]
    for words in ("unread by workers", "edit → both systems", "open sync errors", "4,000", "1,200", "1 of 2", "0.50 s"):
        assert f" {words} " in text


def test_a_very_narrow_terminal_cuts_labels_but_no_number() -> None:
    """A number that is cut is another number."""
    assert all(f" {number} " in shown(24) for number in ("4,000", "1,200", "1 of 2", "0.50 s", "300"))


async def test_where_nobody_watches_there_are_plain_lines() -> None:
    """One for each phase; none of a terminal's control characters."""
    file = io.StringIO()
    following = asyncio.create_task(follow(lambda: PROGRESS, Console(file=file, color_system=None)))
    await asyncio.sleep(0.5)
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)
    assert file.getvalue() == line(PROGRESS, 0.0) + "\n"
    assert "3 open errors" in file.getvalue() and "\x1b" not in file.getvalue()


def test_the_rate_is_of_the_last_glances() -> None:
    """Events by seconds."""
    rate = Rate()
    assert rate.of(PROGRESS) == 0.0


def test_the_summary_ends_with_the_verdict() -> None:
    """Differences before it."""
    summary = Summary(people=3, alike=2, edits=9, differences=("p-1 city: marketo 'a', dynamics 'b'",))
    assert [*summary.lines()][-2:] == ["differs: p-1 city: marketo 'a', dynamics 'b'", "alike: 2 of 3 people"]
    assert not summary.is_alike and Summary(people=3, alike=3, edits=9).is_alike
