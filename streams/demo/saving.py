"""What a system does with values when a record is saved: rewrites some, fills in others, refuses a few.

All of it is a table per system, so that a simulation can switch a habit on for one column and off for the next.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from schemas.vocabulary import RecordKind
from streams.demo.record import blank_as_none
from streams.sync.messages import Value

Rewriter = Callable[[str], str]

DUPLICATE_CODE = "0x80040333"
DUPLICATE_MESSAGE = "A record was not created or updated because a duplicate of the current record already exists."
DUPLICATE_MARK = "(duplicate)"
"""A value that ends so trips the simulated duplicate rule."""

TOO_LONG_CODE = "0x80044331"
OWNER_UNKNOWN_CODE = "owner_unknown"


class Refusal(NamedTuple):
    """Why a system would not have a record."""

    code: str
    field: str
    message: str


def trimmed(text: str) -> str:
    """Without white space at the ends, and single blanks within."""
    return " ".join(text.split())


def capitalised(text: str) -> str:
    """With a capital first letter."""
    return text[:1].upper() + text[1:]


def phone_compact(text: str) -> str:
    """A phone number without blanks, dots, dashes and brackets."""
    return re.sub(r"[ .()\-]", "", text)


def lowered(text: str) -> str:
    """In small letters: agrees with no system that raises."""
    return text.lower()


def raised(text: str) -> str:
    """In capitals: agrees with no system that lowers."""
    return text.upper()


def is_marked_duplicate(column: str, value: Value) -> bool:
    """The simulated duplicate rule."""
    return isinstance(value, str) and value.endswith(DUPLICATE_MARK)


def refuses_nothing(column: str, value: Value) -> bool:
    """No duplicate rule."""
    return False


@dataclass(frozen=True)
class Saving:
    """The habits of one system.

    `rewrites`: column -> what becomes of a text entered there, by whomever. `defaults`: what a new record of a kind holds
    where nothing was given; `stamped` columns get the time of creation. `is_duplicate`: a duplicate rule of the system,
    which leadsync's rules don't know. `lengths`: what the system itself enforces. `owners`: the users it knows.
    """

    rewrites: Mapping[str, Rewriter] = field(default_factory=dict)
    defaults: Mapping[RecordKind, Mapping[str, Value]] = field(default_factory=dict)
    stamped: Mapping[RecordKind, tuple[str, ...]] = field(default_factory=dict)
    is_duplicate: Callable[[str, Value], bool] = refuses_nothing
    lengths: Mapping[RecordKind, Mapping[str, int]] = field(default_factory=dict)
    owners: frozenset[str] = frozenset()

    def stored(self, column: str, value: Value) -> Value:
        """What the record holds after `value` was entered."""
        value = blank_as_none(value)
        rewrite = self.rewrites.get(column)
        return value if rewrite is None or not isinstance(value, str) else blank_as_none(rewrite(value))

    def filled_in(self, kind: RecordKind, given: Mapping[str, Value], time: str) -> dict[str, Value]:
        """What a new record holds beside what it was given. `time`: RFC 3339 in UTC; systems stamp whole seconds."""
        stamped = dict.fromkeys(self.stamped.get(kind, ()), f"{time[:19]}Z")
        defaults = {**self.defaults.get(kind, {}), **stamped}
        return {column: value for column, value in defaults.items() if given.get(column) is None}

    def refusal(self, kind: RecordKind, written: Mapping[str, Value]) -> Refusal | None:
        """Why the system will not have these values, if it will not."""
        return next(self._refusals(kind, written), None)

    def _refusals(self, kind: RecordKind, written: Mapping[str, Value]) -> Iterator[Refusal]:
        lengths = self.lengths.get(kind, {})
        for column, value in written.items():
            length_max = lengths.get(column)
            if length_max is not None and isinstance(value, str) and len(value) > length_max:
                yield Refusal(TOO_LONG_CODE, column, f"The length of {column} exceeds {length_max}.")
            if self.is_duplicate(column, value):
                yield Refusal(DUPLICATE_CODE, column, DUPLICATE_MESSAGE)
