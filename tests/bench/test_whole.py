"""A whole run's parts: looked up by name, null with a line where they are not there or not asked for."""

from __future__ import annotations

from typing import Any

from rich.table import Table

from streams.bench.failed import BenchFailed
from streams.bench.load import LOADS, Load
from streams.bench.parts import PARTS
from streams.bench.plan import plan_of
from streams.bench.whole import Asked, Whole, absent_parts, tables_of_all
from streams.settings import Settings

SETTINGS = Settings("nowhere:1", "bench-1.")
SIZES = Load(people=10, edits=10)


class Prefix:
    """A part that finds the prefix that it was given, and whether it may take long."""

    async def measure(self, settings: Settings, say: Any, *, long: bool) -> dict[str, Any]:
        say("measuring")
        return {"prefix": settings.prefix, "long": long}

    def tables(self, found: dict[str, Any]) -> list[Table]:
        return [Table(title=found["prefix"])]


class Failing(Prefix):
    """One that cannot be finished."""

    async def measure(self, settings: Settings, say: Any, *, long: bool) -> dict[str, Any]:
        raise BenchFailed("the worker ended")


HERE = {"latency": Prefix(), "restart": Failing(), "growth": "streams.bench.growth is not there", "overload": Prefix()}


async def found_of(*parts: str) -> tuple[dict[str, Any], Whole]:
    whole = Whole(SETTINGS, lambda _: None, HERE.__getitem__)
    return await whole.measure(Asked(parts, plan_of(SIZES), long=True)), whole


async def test_each_part_stands_under_its_name() -> None:
    """With topics of its own; those that nobody asked for, and those that are not there, are null with a line."""
    found, whole = await found_of("latency", "growth")
    assert found["latency"] == {"prefix": "bench-1.latency.", "long": True}
    assert {name: found[name] for name in PARTS if name != "latency"} == dict.fromkeys(
        ("restart", "growth", "overload")
    )
    assert found["notes"]["growth"] == "streams.bench.growth is not there"
    assert found["notes"]["overload"] == "not asked for: --part overload"
    assert "latency" not in found["notes"] and whole.failed == {}
    assert absent_parts(found) == ["growth: streams.bench.growth is not there"]


async def test_without_rates_nothing_is_measured_of_the_loads() -> None:
    """Nor is a broker needed for them; their keys are null all the same."""
    found, _ = await found_of("latency")
    assert found["floor"] is None and found["notes"]["floor"] == "not asked for: --part rates"
    assert found["loads"].keys() == LOADS.keys() - {"steady"}
    assert [table.title for table in tables_of_all(found, HERE.__getitem__)] == ["bench-1.latency."]


async def test_a_part_that_fails_takes_nothing_from_the_others() -> None:
    """It is null, and why is said."""
    found, whole = await found_of("restart", "latency")
    assert found["latency"] is not None and found["restart"] is None
    assert found["notes"]["restart"] == "failed: the worker ended"
    assert whole.failed == {"restart": "the worker ended"}
