"""What the rounds say: medians, as one JSON object and as a table."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Sequence
from statistics import median
from typing import Any

from rich.table import Table

from streams.bench.load import Load
from streams.bench.rounds import WORKER, Round

MEASURED = {
    "floor": "the floor: aiokafka moving the same messages",
    WORKER: "the worker, tables in memory",
    "core_and_codecs": "its agents without a broker",
    "core": "step alone",
}


def summary(load: Load, rounds: Sequence[Round], kafka: str | None) -> dict[str, Any]:
    """The JSON object: keys and types stay. `kafka`: the version where we started the broker, else null."""
    rates = {name: _rates(rounds, name) for name in MEASURED}
    return {
        **rates,
        "ratio_per_cpu_second": round(_median(rounds, _ratio), 3),
        "rounds": len(rounds),
        "people": load.people,
        "edits": load.edits,
        "fields": load.fields,
        "edit_share": round(_median(rounds, lambda each: each.edits / each.changes), 3),
        "per_change": {
            "messages_read": round(_median(rounds, lambda each: each.read.messages / each.changes), 2),
            "bytes_read": round(_median(rounds, lambda each: each.read.bytes / each.changes)),
            "messages_written": round(_median(rounds, lambda each: each.written.messages / each.changes), 2),
            "bytes_written": round(_median(rounds, lambda each: each.written.bytes / each.changes)),
        },
        "machine": {"cores": os.cpu_count() or 1, "python": platform.python_version(), "kafka": kafka},
    }


def _rates(rounds: Sequence[Round], name: str) -> dict[str, float]:
    return {
        "per_second": round(_median(rounds, lambda each: each.changes / each.costs[name].seconds)),
        "per_cpu_second": round(_median(rounds, lambda each: each.changes / each.costs[name].cpu_seconds)),
    }


def _ratio(one: Round) -> float:
    return one.costs["floor"].cpu_seconds / one.costs[WORKER].cpu_seconds


def _median(rounds: Sequence[Round], of: Callable[[Round], float]) -> float:
    return median(map(of, rounds))


def table_of(found: dict[str, Any]) -> Table:
    """The same for people."""
    change, machine = found["per_change"], found["machine"]
    table = Table(
        title=f"source changes through both agents: {found['people']:,} people of {found['fields']} fields",
        caption=(
            f"Medians of {found['rounds']} rounds of {found['edits']:,} edits; {found['edit_share']:.0%} of the changes are "
            f"edits, the rest their landings. Per change {change['messages_read']} messages read ({change['bytes_read']:,} "
            f"bytes) and {change['messages_written']} written ({change['bytes_written']:,} bytes). "
            f"{machine['cores']} cores, Python {machine['python']}, Kafka {machine['kafka'] or 'as given'}."
        ),
        caption_justify="left",
    )
    table.add_column("")
    for heading in ("per second", "per CPU-second", "of the floor"):
        table.add_column(heading, justify="right")
    floor = found["floor"]["per_cpu_second"]
    for name, words in MEASURED.items():
        rates = found[name]
        ratio = found["ratio_per_cpu_second"] if name == WORKER else rates["per_cpu_second"] / floor
        table.add_row(words, f"{rates['per_second']:,}", f"{rates['per_cpu_second']:,}", f"{ratio:.2f}")
    return table
