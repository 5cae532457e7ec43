"""A field as it was read: its rule, and the places that its settings were read from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import get_args

from schemas.vocabulary import SYSTEMS, RecordKind, System
from streams.policy.located import Entry, Leaf
from streams.policy.mistakes import Place
from streams.policy.settings_reader import Settings
from streams.sync.policy import Computed, Direction, FieldRule, FieldType, Winner

TYPES: tuple[FieldType, ...] = get_args(FieldType)
DIRECTIONS: tuple[Direction, ...] = get_args(Direction)
WINNERS: tuple[Winner, ...] = get_args(Winner)
COMPUTED: tuple[Computed, ...] = get_args(Computed)

TYPE_OF_COMPUTED: Mapping[Computed, FieldType] = {"record_type": "text", "is_deleted": "boolean"}
RECEIVERS: Mapping[Direction, tuple[System, ...]] = {
    "both": SYSTEMS,
    "to_marketo": ("marketo",),
    "to_dynamics": ("dynamics",),
}
"""The systems in which a field of each direction is written."""

_KEY_OF_KIND: Mapping[RecordKind, str] = {"person": "marketo", "lead": "lead", "contact": "contact"}


class ReadField:
    """A field rule with the places it was read from."""

    def __init__(self, name: str, entry: Entry, settings: Settings, rule: FieldRule) -> None:
        self.name = name
        self.place = entry.place
        self.settings = settings
        self.rule = rule

    @property
    def has_known_type(self) -> bool:
        """False after a misspelt type: what depends on it is then not judged."""
        return self._has_known("type", TYPES)

    @property
    def has_known_direction(self) -> bool:
        return self._has_known("direction", DIRECTIONS)

    def _has_known(self, key: str, words: tuple[str, ...]) -> bool:
        node = self.settings.node(key)
        return node is None or (isinstance(node, Leaf) and node.value in words)

    def column_place(self, kind: RecordKind) -> Place:
        """Where the name for this record kind stands."""
        key = _KEY_OF_KIND[kind]
        return self.settings.place(key if key in self.settings else "dynamics")
