"""What rounds add up to."""

from __future__ import annotations

from typing import Any

from rich.console import Console

from streams.bench.cost import Cost
from streams.bench.load import LOADS, Load
from streams.bench.plan import Plan, plan_of, without
from streams.bench.play import Part, Round
from streams.bench.ranges import Traffic
from streams.bench.report import machine, summary
from streams.bench.rounds import Measured
from streams.bench.subjects import WORDS
from streams.bench.tables import tables_of

SIZES = Load(people=10, edits=10, rounds=3, fields=25)
PLAN = Plan(plan_of(SIZES).sizes, {}, {name: {"quix": "it is not here", "core": "not asked for: so"} for name in LOADS})


def one(worker_cpu_seconds: float, floor_cpu_seconds: float, slow: float = 1.0) -> Round:
    parts = {
        "worker_memory": Part(20, 10, Cost(2.0, worker_cpu_seconds)),
        "worker_rocksdb": Part(20, 10, Cost(2.0, 2 * worker_cpu_seconds)),
        "floor": Part(20, 10, Cost(0.5, floor_cpu_seconds)),
        "core_and_codecs": Part(20, 10, Cost(0.5, 0.4)),
        "plain_faust": Part(2, 2, Cost(4.0, slow)),
    }
    return Round(parts, Traffic(40, 4_000), Traffic(50, 6_000))


ROUNDS = [one(1.0, 0.25, 1.0), one(4.0, 0.4, 5.0), one(0.8, 0.1, 0.5)]


def found_of(rounds: dict[str, list[Round]]) -> dict[str, Any]:
    return {**summary(PLAN, Measured(rounds, {"worker_memory": Cost(10.0, 0.25)})), "machine": machine("4.3.0")}


def printed(found: dict[str, Any]) -> str:
    console = Console(width=140)
    with console.capture() as captured:
        for table in tables_of(found):
            console.print(table)
    return " ".join(captured.get().split())


def test_rates_are_per_source_change_and_medians_of_the_rounds() -> None:
    """A round that the machine slowed down does not show in the middle; each subject's changes are its own."""
    found = found_of({"steady": ROUNDS})
    assert found["worker_memory"] == {"per_second": 10, "per_cpu_second": 20}
    assert found["floor"] == {"per_second": 40, "per_cpu_second": 80}
    assert found["plain_faust"] == {"per_second": 0, "per_cpu_second": 2}
    assert found["edit_share"] == 0.5
    assert found["per_change"]["messages_written"] == 2.5
    assert found["idle_cpu_share"]["worker_memory"] == 0.025


def test_a_ratio_is_the_median_of_each_rounds_own() -> None:
    """Both were measured side by side within a round; rates of different rounds are not compared."""
    found = found_of({"steady": ROUNDS})
    assert found["ratio_per_cpu_second"] == found["ratios"]["worker_memory/floor"] == 0.125
    assert found["ratios"]["worker_memory/plain_faust"] == 10.0
    assert found["ratios"]["worker_rocksdb/worker_memory"] == 0.5


def test_what_was_not_measured_is_null_with_a_note() -> None:
    """Keys stay, under each load too."""
    found = found_of({"hot_person": ROUNDS})
    assert found["worker_memory"] is None and found["ratio_per_cpu_second"] is None and found["edit_share"] is None
    assert found["loads"].keys() == LOADS.keys() - {"steady"}
    hot = found["loads"]["hot_person"]
    assert hot["worker_memory"]["per_cpu_second"] == 20
    assert hot["quix"] is None and hot["notes"]["quix"] == "it is not here"
    assert found["ratios"].keys() == hot["ratios"].keys()
    assert all(load.keys() == hot.keys() < found.keys() for load in found["loads"].values())


def test_nothing_measured_is_no_table() -> None:
    """And all keys are there."""
    found = summary(without(PLAN, "because"), Measured({}, {}))
    assert found["notes"] == dict.fromkeys(WORDS, "because")
    assert tables_of(found) == []


def test_the_tables_say_what_the_numbers_are_of() -> None:
    """The share of edits, the bytes, the machine and what is missing stand under the first; each other load has a row."""
    words = printed(found_of({"steady": ROUNDS, "collisions": ROUNDS, "fields_10": ROUNDS}))
    for said in (
        "the worker", "0.12", "50% of the changes", "2.5 written", "Kafka 4.3.0", "Quix: it is not here", "worker 2.5%",
        "worker_memory / plain_faust 10.00", "collisions 10 50% 80 20 0.12", "10 fields 10 50%",
    ):  # fmt: skip
        assert said in words, words
    assert "not asked" not in words and "hot person" not in words
