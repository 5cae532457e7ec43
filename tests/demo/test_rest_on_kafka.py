"""`leadsync demo --rest` on a real broker: both systems behind REST, two connector processes, and every fault there is."""

from __future__ import annotations

import json

import pytest

from schemas.vocabulary import DYNAMICS, MARKETO
from streams.demo.rest.instances import BY_THEMSELVES, DYNAMICS_FAULTS, MARKETO_FAULTS
from tests.demo.test_demo_on_kafka import demo

PLANNED = {
    *(f"{MARKETO}.{name}" for name in (*MARKETO_FAULTS, *BY_THEMSELVES[MARKETO])),
    *(f"{DYNAMICS}.{name}" for name in (*DYNAMICS_FAULTS, *BY_THEMSELVES[DYNAMICS])),
}


@pytest.mark.kafka
def test_everybody_ends_alike_with_every_fault_struck_and_connectors_killed(kafka: str) -> None:
    """No edit lost, nobody made twice, by an oracle that saw each edit; and how many calls it took."""
    ended = demo(kafka, "--rest", "--people", "60", "--edits", "500", "--seed", "7", "--kill-connectors", "2", "--json")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    summary = json.loads(ended.stdout)
    assert summary["alike"] == summary["people"] >= 60 and summary["differences"] == []
    assert summary["dead_letters"] == 0 and summary["rest"]["connector_kills"] == 2
    struck = {name for name, count in summary["rest"]["faults"].items() if count}
    assert struck >= PLANNED, f"never struck: {sorted(PLANNED - struck)}"
    for system in ("marketo_calls", "dynamics_calls"):
        calls = summary["rest"][system]
        assert calls["per_1000_edits"] == round(calls["total"] / summary["edits"] * 1_000, 1) < 3_000


def test_killing_connectors_needs_some() -> None:
    """Without REST in between there are none."""
    ended = demo("127.0.0.1:1", "--kill-connectors", "2")
    assert ended.returncode == 2 and "--kill-connectors goes with --rest" in ended.stderr
