"""A found failure made short: its moves are recorded, then left out as long as the same law still breaks, then told.

Every move brings its own chance with it, so that those that stay do what they did, as far as they still can, when others are left
out. What is left of a story of some hundred moves is mostly a dozen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from tests.simulation.chance import Draws, Recorder, Tape, fewer
from tests.simulation.findings import Finding
from tests.simulation.profiles import Profile
from tests.simulation.telling import ShortNames
from tests.simulation.world import STEPS_MAX, World

REPLAYS_MAX = 4000
SPARE_STEPS = 500
"""So many moves more than were recorded may be needed to come to rest; a shortened story that needs more never does."""


class Move(NamedTuple):
    """What happened, and what chance said to it."""

    name: str
    draws: Draws = Draws()


Story = tuple[Move, ...]
"""The first is the making of the world, which is never left out; then come its moves."""

MAKING = "the world is made"


def recorded(seed: int, profile: Profile) -> tuple[Story, list[Finding]]:
    """The story of a seed, and what is wrong with it."""
    chance = Recorder(f"{profile.name}/{seed}")
    world = World(seed, profile, chance=chance)
    story = [Move(MAKING, chance.take())]
    try:
        for name in world.moves():
            chance.take()
            story.append(Move(name))
            world.do(name)
            story[-1] = Move(name, chance.take())
            if world.steps > STEPS_MAX:
                return tuple(story), [world.never_quiet()]
        return tuple(story), world.verdict()
    except Exception as error:  # it belongs to the story
        story[-1] = Move(story[-1].name, chance.take()) if story[1:] else story[-1]
        return tuple(story), [raised(error)]


def raised(error: Exception) -> Finding:
    """What a world raised is wrong with it."""
    return Finding(f"raised {type(error).__name__}", f"raised {type(error).__name__}: {error}")


def replayed(story: Sequence[Move], profile: Profile, trace: Callable[[str], None] | None = None) -> list[Finding]:
    """What is wrong when these moves are made, those that can be, and then everything runs to its end with no more faults."""
    tape = Tape()
    tape.load(story[0].draws)
    world = World(0, profile, trace, tape)
    try:
        for move in story[1:]:
            if world.can(move.name):
                tape.load(move.draws)
                world.do(move.name)
        tape.load(Draws())
        if trace is not None:
            trace("      --- people stop, and everything runs to its end")
        for name in world.running_out():
            world.do(name)
            if world.steps > len(story) + SPARE_STEPS:
                return [world.never_quiet()]
        return world.verdict()
    except Exception as error:
        return [raised(error)]


def shrunk(story: Story, profile: Profile, law: str) -> Story:
    """The shortest story found in which the same law breaks."""
    tries = iter(range(REPLAYS_MAX))

    def breaks(shorter: Sequence[Move]) -> bool:
        return next(tries, None) is not None and any(found.law == law for found in replayed(shorter, profile))

    if not breaks(story):
        raise LookupError("the story does not end so when it is told again")
    before: Story | None = None
    while before != story:
        before = story
        story = _with_fewer_moves(story, breaks)
        story = _with_fewer_draws(story, breaks)
    return story


def _with_fewer_moves(story: Story, breaks: Callable[[Sequence[Move]], bool]) -> Story:
    """Runs of moves left out, long ones first, from the end backwards: what comes last matters least."""
    length = len(story)
    while length := length // 2:
        end = len(story)
        while end > 0:
            shorter = (*story[: max(end - length, 1)], *story[end:])
            if shorter != story and breaks(shorter):
                story = shorter
            end -= length
            end = min(end, len(story))
    return story


def _with_fewer_draws(story: Story, breaks: Callable[[Sequence[Move]], bool]) -> Story:
    for place in range(len(story) - 1, -1, -1):
        while (simpler := _simpler(story, place, breaks)) is not None:
            story = simpler
    return story


def _simpler(story: Story, place: int, breaks: Callable[[Sequence[Move]], bool]) -> Story | None:
    for draws in fewer(story[place].draws):
        simpler = (*story[:place], Move(story[place].name, draws), *story[place + 1 :])
        if breaks(simpler):
            return simpler
    return None


def told(story: Story, profile: Profile) -> Iterator[str]:
    """The story, line by line, and what is wrong at its end."""
    lines: list[str] = []
    found = replayed(story, profile, lines.append)
    names = ShortNames()
    yield from (names.shortened(line) for line in lines)
    yield from (f"      !!! {names.shortened(str(each))}" for each in found)
