"""What is wrong in a policy or rule file, said so that the reader need not look anything up.

A mistake has its place (file, line, column), what was found and what is allowed. All mistakes are collected before one
error is raised: a person who corrects a file wants the whole list. A note has the same shape and stops nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import NamedTuple

MISTAKES_MAX = 200
"""A file of another kind altogether would fill a screen; after these the rest is not told."""

SHOWN_CHARACTERS_MAX = 80
CHOICES_SHOWN_MAX = 20
PLAIN_WORDS = {"None": "nothing", "True": "true", "False": "false"}


class Place(NamedTuple):
    """Line and column as an editor counts them: from 1."""

    line: int
    column: int


START = Place(1, 1)


class Mistake(NamedTuple):
    """`policy.yaml:12:7: found "bothh"; allowed: both, to_marketo, to_dynamics`."""

    file: str
    line: int
    column: int
    found: str
    allowed: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}: {self.found}; allowed: {self.allowed}"


class PolicyError(ValueError):
    """A policy that cannot be used, with every mistake in it and its rule files, in the order of the files."""

    def __init__(self, mistakes: Iterable[Mistake]) -> None:
        self.mistakes = tuple(mistakes)
        super().__init__("\n".join(str(mistake) for mistake in self.mistakes))


class Report:
    """Collects what is found in one file; `mistakes` make it unusable, `notes` only tell."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.mistakes: list[Mistake] = []
        self.notes: list[Mistake] = []

    def mistake(self, place: Place, found: str, allowed: str) -> None:
        if len(self.mistakes) < MISTAKES_MAX:
            self.mistakes.append(Mistake(self.file, *place, found, allowed))

    def note(self, place: Place, found: str, allowed: str) -> None:
        if len(self.notes) < MISTAKES_MAX:
            self.notes.append(Mistake(self.file, *place, found, allowed))


def quoted(found: object) -> str:
    """What stood there, in quotes when it is text, shortened."""
    text = f'"{found}"' if isinstance(found, str) else PLAIN_WORDS.get(repr(found), str(found))
    return text if len(text) <= SHOWN_CHARACTERS_MAX else f"{text[: SHOWN_CHARACTERS_MAX - 1]}…"


def choices(allowed: Iterable[str], found: object = None) -> str:
    """The allowed words, led by the one that was probably meant."""
    words = list(allowed)
    listed = ", ".join(words[:CHOICES_SHOWN_MAX]) + (", …" if len(words) > CHOICES_SHOWN_MAX else "")
    meant = nearest(words, found)
    return f"{listed} (did you mean {meant}?)" if meant else listed


def nearest(words: Iterable[str], found: object) -> str | None:
    """The word that was probably meant, if one is near; upper and lower case count for little."""
    if not isinstance(found, str):
        return None
    by_folded = {word.casefold(): word for word in words}
    close = get_close_matches(found.casefold(), by_folded, n=1, cutoff=0.7)
    return by_folded[close[0]] if close else None
