"""The same for people: the steady load in one table, the others in a second with a row for each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.box import SIMPLE
from rich.table import Table

from streams.bench.load import LOAD_WORDS
from streams.bench.plan import NOT_ASKED
from streams.bench.subjects import WORDS

NOTHING = "–"
SHORT: Mapping[str, str] = {
    "floor": "floor",
    "worker_memory": "worker",
    "worker_rocksdb": "RocksDB",
    "core_and_codecs": "no broker",
    "core": "core",
    "plain_faust": "plain Faust",
    "quix": "Quix",
}


def tables_of(found: Mapping[str, Any]) -> list[Table]:
    """What was measured of the loads."""
    loads = {name: load for name, load in found["loads"].items() if load["rounds"]}
    steady = [_steady(found)] if found["rounds"] else []
    return steady + ([_others(loads)] if loads else [])


def _steady(found: Mapping[str, Any]) -> Table:
    table = Table(
        title=f"source changes through both agents, steady load: {found['people']:,} people of {found['fields']} fields",
        caption=" ".join([_caption(found), *_idle(found), *_notes(found)]),
        caption_justify="left",
    )
    table.add_column("")
    for heading in ("per second", "per CPU-second", "of the floor"):
        table.add_column(heading, justify="right")
    for name, words in WORDS.items():
        if found[name] is not None:
            rates, ratio = found[name], _of_floor(found, name)
            table.add_row(words, f"{rates['per_second']:,}", f"{rates['per_cpu_second']:,}", ratio)
    return table


def _caption(found: Mapping[str, Any]) -> str:
    machine = found["machine"]
    words = f"Medians of {found['rounds']} rounds of {found['edits']:,} edits; {found['edit_share']:.0%} of the changes are edits, the rest their landings."
    if change := found["per_change"]:
        words += (
            f" Per change {change['messages_read']} messages read ({change['bytes_read']:,} bytes) and "
            f"{change['messages_written']} written ({change['bytes_written']:,} bytes)."
        )
    ratios = [
        f"{names.replace('/', ' / ')} {ratio:.2f}" for names, ratio in found["ratios"].items() if ratio is not None
    ]
    if ratios:
        words += f" Ratios per CPU-second, medians of the rounds' own: {', '.join(ratios)}."
    return f"{words} {machine['cores']} cores, Python {machine['python']}, Kafka {machine['kafka'] or 'as given'}."


def _idle(found: Mapping[str, Any]) -> list[str]:
    shares = [f"{SHORT[name]} {share:.1%}" for name, share in found["idle_cpu_share"].items() if share is not None]
    return [f"Of a core, while others were measured: {', '.join(shares)}."] if shares else []


def _notes(found: Mapping[str, Any]) -> list[str]:
    """Why rows are missing, where nobody asked for less."""
    notes = {name: note for name, note in found["notes"].items() if name in SHORT and not note.startswith(NOT_ASKED)}
    return [f"{SHORT[name]}: {note}." for name, note in notes.items()]


def _others(loads: Mapping[str, Any]) -> Table:
    names = [name for name in WORDS if any(load[name] is not None for load in loads.values())]
    rounds = ", ".join(sorted({str(load["rounds"]) for load in loads.values()}))
    table = Table(
        title="other loads: source changes per CPU-second, and of the floor's",
        caption=(
            f"Medians of {rounds} rounds. Hot person: 10% of all edits are to one. Collisions: 5% of the people are edited in both "
            "systems at once. Bad input: 1% of the messages cannot be read. Backlog: written while the subject was away."
        ),
        caption_justify="left",
        box=SIMPLE,
        pad_edge=False,
    )
    table.add_column("", no_wrap=True)
    for heading in ("edits", "share", *(SHORT[name] for name in names)):
        table.add_column(heading, justify="right")
    for load_name, load in loads.items():
        sizes = (f"{load['edits']:,}", f"{load['edit_share']:.0%}")
        table.add_row(LOAD_WORDS[load_name], *sizes, *(_cell(load, name) for name in names))
    return table


def _cell(load: Mapping[str, Any], name: str) -> str:
    if load[name] is None:
        return NOTHING
    rate = f"{load[name]['per_cpu_second']:,}"
    return rate if name == "floor" or load["floor"] is None else f"{rate} {_of_floor(load, name)}"


def _of_floor(found: Mapping[str, Any], name: str) -> str:
    """The rounds' own ratio where there is one, else that of the medians."""
    if found["floor"] is None:
        return NOTHING
    own = found["ratios"].get(f"{name}/floor")
    return f"{found[name]['per_cpu_second'] / found['floor']['per_cpu_second'] if own is None else own:.2f}"
