"""What the bench measures besides rates: each part a module of its own, found by name.

A part's module has

    async def measure(settings: Settings, say: Say, *, long: bool) -> dict[str, Any]    its figures, in topics of its own prefix
    def tables(found: dict[str, Any]) -> list[Table]                                    the same for people
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from dataclasses import replace
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Protocol, cast

from rich.table import Table

from streams.settings import Settings

Say = Callable[[str], None]

RATES = "rates"
PARTS: Mapping[str, str] = {
    "latency": "streams.bench.latency",
    "restart": "streams.bench.restart",
    "growth": "streams.bench.growth",
    "overload": "streams.bench.overload",
}
BY_DEFAULT = (RATES, "latency", "restart")


class Part(Protocol):
    """The module of a part."""

    def measure(self, settings: Settings, say: Say, *, long: bool) -> Coroutine[Any, Any, dict[str, Any]]: ...
    def tables(self, found: dict[str, Any]) -> list[Table]: ...


def part_named(name: str) -> Part | str:
    """The part of that name, or in a line why it cannot be measured."""
    module = PARTS[name]
    return cast(Part, import_module(module)) if find_spec(module) else f"{module} is not there"


def settings_for(name: str, settings: Settings) -> Settings:
    """Topics of the part's own."""
    return replace(settings, prefix=f"{settings.prefix}{name}.")
