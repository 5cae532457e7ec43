"""What rounds add up to."""

from __future__ import annotations

from rich.console import Console

from streams.bench.helper import Cost
from streams.bench.load import Load
from streams.bench.ranges import Traffic
from streams.bench.report import summary, table_of
from streams.bench.rounds import Round

LOAD = Load(people=10, edits=10, rounds=3, fields=25)


def one(worker_cpu_seconds: float, floor_cpu_seconds: float) -> Round:
    costs = {
        "worker_memory": Cost(2.0, worker_cpu_seconds),
        "floor": Cost(0.5, floor_cpu_seconds),
        "core": Cost(0.1, 0.1),
        "core_and_codecs": Cost(0.5, 0.4),
    }
    return Round(20, 10, costs, Traffic(40, 4_000), Traffic(50, 6_000))


ROUNDS = [one(1.0, 0.25), one(4.0, 0.4), one(0.8, 0.1)]


def test_rates_are_per_source_change_and_medians_of_the_rounds() -> None:
    """A round that the machine slowed down does not show in the middle."""
    found = summary(LOAD, ROUNDS, None)
    assert found["worker_memory"] == {"per_second": 10, "per_cpu_second": 20}
    assert found["floor"] == {"per_second": 40, "per_cpu_second": 80}
    assert found["edit_share"] == 0.5
    assert found["per_change"]["messages_written"] == 2.5


def test_the_ratio_is_the_median_of_each_rounds_own() -> None:
    """Both were measured side by side within a round; rates of different rounds are not compared."""
    assert summary(LOAD, ROUNDS, None)["ratio_per_cpu_second"] == 0.125


def test_the_table_says_what_the_numbers_are_of() -> None:
    """The share of edits, the bytes and the machine stand under it."""
    console = Console(width=120, record=True, quiet=False, file=None)
    with console.capture() as captured:
        console.print(table_of(summary(LOAD, ROUNDS, "4.3.0")))
    for words in ("the worker", "0.12", "50% of the changes", "2.5 written", "Kafka 4.3.0"):
        assert words in " ".join(captured.get().split())
