"""How far a demo is: what the runner tells the view, at any moment."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Progress:
    """A glance at a running demo."""

    phase: str
    seconds: float
    people: int
    edits: int
    done: int  # of this phase, and what it is counted in; planned 0 where nobody can know
    planned: int
    unit: str
    sent: int
    commands: int
    on_the_way: int
    unread: int
    collisions: int
    errors_opened: int
    errors_closed: int
    dead_letters: int
    p50_seconds: float
    workers: int
    workers_ready: int
    stories: tuple[str, ...] = ()
    strike: str = ""  # what is done to the system on purpose
