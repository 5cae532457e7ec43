"""`leadsync demo` on a real broker: everything alike at the end, whatever happens to the workers meanwhile."""

from __future__ import annotations

import asyncio
import json
import re
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from typing import Any

import pytest
from aiokafka.admin import AIOKafkaAdminClient

from streams.demo.summary import Summary

pytestmark = pytest.mark.kafka

SMALL = ("--people", "40", "--edits", "300", "--seconds", "3", "--seed", "7", "--json")


def demo(kafka: str, *options: str, **more: Any) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "streams", "demo", "--bootstrap-servers", kafka, *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, **more)


def topics_of(kafka: str, prefix: str) -> list[str]:
    async def listed() -> list[str]:
        admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
        await admin.start()
        try:
            return [topic for topic in await admin.list_topics() if topic.startswith(prefix)]
        finally:
            await admin.close()

    return asyncio.run(listed())


def shape(value: Any) -> Any:
    """Keys and types."""
    return {name: shape(each) for name, each in value.items()} if isinstance(value, Mapping) else type(value)


def test_everybody_ends_alike_and_the_broker_is_left_as_it_was(kafka: str) -> None:
    """One JSON object on standard output, with the keys and types of its model; the topics are gone."""
    prefix = f"test-{secrets.token_hex(4)}."
    ended = demo(kafka, *SMALL, "--prefix", prefix)
    assert ended.returncode == 0, ended.stderr
    summary = json.loads(ended.stdout)
    assert summary["alike"] == summary["people"] >= 40
    assert summary["differences"] == [] and summary["dead_letters"] == 0
    assert summary["edits"] > 0
    assert summary["collisions"]["lead"]["dynamics"] == summary["collisions"]["contact"]["marketo"] == 0
    assert 0 < summary["landing_seconds"]["p50"] <= summary["landing_seconds"]["p99"]
    assert shape(summary) == shape(json.loads(Summary(people=0, alike=0, edits=0).model_dump_json()))
    assert f"alike: {summary['people']} of {summary['people']} people" in ended.stderr
    assert topics_of(kafka, prefix) == []


def test_a_worker_killed_halfway_changes_nothing(kafka: str) -> None:
    """`kill -9` for one of two workers: it is started again under its own id, and all is alike all the same."""
    ended = demo(kafka, *SMALL, "--workers", "2", "--kill-worker-at", "0.5")
    assert ended.returncode == 0, ended.stderr
    summary = json.loads(ended.stdout)
    assert summary["alike"] == summary["people"]
    assert (summary["workers"], summary["kills"], summary["worker_restarts"]) == (2, 1, 0)


def test_ctrl_c_ends_it_in_good_order(kafka: str) -> None:
    """Status 130, no worker left, no topic left."""
    prefix = f"test-{secrets.token_hex(4)}."
    command = [sys.executable, "-m", "streams", "demo", "--bootstrap-servers", kafka, "--prefix", prefix]
    running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert running.stderr is not None
    for line in running.stderr:
        if re.search(r"setting up|editing", line):
            break
    time.sleep(0.5)
    running.send_signal(signal.SIGINT)
    _, said = running.communicate(timeout=60)
    assert running.returncode == 130, said
    assert "stopped" in said and "Traceback" not in said
    assert topics_of(kafka, prefix) == []


def test_a_broker_that_is_not_there_is_one_clear_line() -> None:
    """Not a stack trace, and status 2, which is no verdict on the records."""
    ended = demo("127.0.0.1:1")
    assert ended.returncode == 2 and ended.stdout == ""
    assert "127.0.0.1:1 cannot be reached" in ended.stderr and "Traceback" not in ended.stderr
