"""Reads the settings of one section against a table of the keys it may have.

Each method takes a key and gives its value, or the default with the mistake told; so a reader of a file goes on to the
end and finds all mistakes. Words such as `none` are for people who would not think of an empty value.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from math import inf
from typing import TypeVar

from streams.policy.located import Entry, Items, Leaf, Node, Scalar, Section, shown
from streams.policy.mistakes import Place, Report, choices, quoted

Word = TypeVar("Word", bound=str)

NONE = "none"


class Settings:
    """The settings of one section; unknown keys are told when it is opened."""

    def __init__(self, section: Section, keys: Collection[str], report: Report) -> None:
        self.section = section
        self.report = report
        for name, entry in section.entries.items():
            if name not in keys:
                report.mistake(entry.place, f"found the setting {quoted(name)}", choices(keys, name))

    def __contains__(self, key: str) -> bool:
        return key in self.section.entries

    def node(self, key: str) -> Node | None:
        entry = self.section.entries.get(key)
        return None if entry is None else entry.node

    def place(self, key: str) -> Place:
        """Where the value of the key stands, or the section when it has none."""
        node = self.node(key)
        return self.section.place if node is None else node.place

    def key_place(self, key: str) -> Place:
        """Where the key itself stands."""
        entry = self.section.entries.get(key)
        return self.section.place if entry is None else entry.place

    def wrong(self, node: Node, allowed: str) -> None:
        self.report.mistake(node.place, shown(node), allowed)

    def scalar(self, key: str, allowed: str) -> Scalar:
        """The plain value under the key; None when there is none, or a list or section in its stead."""
        node = self.node(key)
        if node is None or isinstance(node, Leaf):
            return None if node is None else node.value
        self.wrong(node, allowed)
        return None

    def choice(self, key: str, allowed: Collection[Word], default: Word) -> Word:
        return self.optional_choice(key, allowed) or default

    def optional_choice(self, key: str, allowed: Collection[Word]) -> Word | None:
        node = self.node(key)
        return None if node is None else _word(self, node, allowed)

    def choices(self, key: str, allowed: Collection[Word]) -> frozenset[Word]:
        """A list of words, or a single one without the brackets."""
        node = self.node(key)
        if node is None or is_none(node):
            return frozenset()
        parts = node.items if isinstance(node, Items) else (node,)
        return frozenset(word for word in (_word(self, part, allowed) for part in parts) if word is not None)

    def flag(self, key: str, default: bool = False) -> bool:
        node = self.node(key)
        if node is None:
            return default
        if isinstance(node, Leaf) and isinstance(node.value, bool):
            return node.value
        self.wrong(node, "true, false")
        return default

    def number(self, key: str, least: float = -inf, most: float = inf, whole: bool = False) -> float | None:
        """A number within the limits; None when there is none, or the word `none`."""
        node = self.node(key)
        if node is None or is_none(node):
            return None
        value = node.value if isinstance(node, Leaf) else None
        fits = isinstance(value, int) or (isinstance(value, float) and not whole)
        if fits and not isinstance(value, bool) and isinstance(value, (int, float)) and least <= value <= most:
            return value
        self.wrong(node, f"{'a whole number' if whole else 'a number'}{_limits(least, most)}")
        return None

    def name(self, key: str, pattern: re.Pattern[str], allowed: str) -> str | None:
        """A name of the given shape; None when there is none, or the word `none`."""
        node = self.node(key)
        if node is None or is_none(node):
            return None
        if isinstance(node, Leaf) and isinstance(node.value, str) and pattern.fullmatch(node.value):
            return node.value
        self.wrong(node, allowed)
        return None

    def entries(self, key: str, allowed: str) -> Mapping[str, Entry]:
        """What stands in a section under the key."""
        node = self.node(key)
        if isinstance(node, Section):
            return node.entries
        if node is not None:
            self.wrong(node, allowed)
        return {}


def is_none(node: Node) -> bool:
    """Nothing, said by leaving the value out or by the word."""
    return isinstance(node, Leaf) and node.value in (None, NONE)


def _word(settings: Settings, node: Node, allowed: Collection[Word]) -> Word | None:
    value = node.value if isinstance(node, Leaf) else None
    for word in allowed:
        if word == value:
            return word
    settings.wrong(node, choices(allowed, value))
    return None


def _limits(least: float, most: float) -> str:
    if least == most:
        return f", {least:,}"
    if least > -inf and most < inf:
        return f" from {least:,} to {most:,}"
    if least > -inf:
        return f" of at least {least:,}"
    return f" of at most {most:,}" if most < inf else ""
