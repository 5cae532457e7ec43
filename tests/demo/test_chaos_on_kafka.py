"""`leadsync demo --chaos` on a broker of its own: whatever is struck, nothing is lost, repeated or invented on any topic."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from streams.demo.chaos.course import strikes_on
from tests.demo.test_demo_on_kafka import demo

SECONDS = 120
ENDED_SECONDS_MAX = 900.0


@pytest.mark.kafka
def test_two_minutes_of_faults_change_nothing() -> None:
    """Every kind strikes; then all are alike by the oracle, and the topics are what a second fold by the pure core gives."""
    command = [sys.executable, "-m", "streams", "demo", "--chaos", "--seconds", str(SECONDS), "--seed", "1", "--json"]
    # Only a broker of the demo's own may be killed.
    environment = {name: value for name, value in os.environ.items() if name != "LEADSYNC_BOOTSTRAP_SERVERS"}
    ended = subprocess.run(
        command, capture_output=True, text=True, timeout=ENDED_SECONDS_MAX, check=False, env=environment
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    summary = json.loads(ended.stdout)
    chaos = summary["chaos"]
    assert summary["alike"] == summary["people"] and summary["differences"] == [] and summary["dead_letters"] == 0
    assert chaos["strikes"].keys() == strikes_on(has_broker=True).keys()
    assert min(chaos["strikes"].values()) >= 1, chaos["strikes"]
    assert chaos["messages_repeated"] and chaos["messages_reordered"] and chaos["messages_given_up"]
    assert chaos["messages_audited"] > summary["events"]


def test_chaos_has_strikes_of_its_own() -> None:
    """Connectors are killed by another option, and so is a single worker."""
    for option in (["--rest"], ["--kill-worker-at", "0.5"]):
        ended = demo("127.0.0.1:1", "--chaos", *option)
        assert ended.returncode == 2 and "--chaos goes without" in ended.stderr
