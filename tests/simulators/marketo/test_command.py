"""`leadsync simulate marketo`: a process of its own that says where it listens."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

import orjson
import pytest
from click.testing import CliRunner

from streams.simulators.command import simulate

RUN = "from streams.simulators.command import simulate; simulate()"


@contextmanager
def simulating(*options: str, **environment: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """The process, and the address that it prints."""
    command = [sys.executable, "-c", RUN, "marketo", "--port", "0", *options]
    process = subprocess.Popen(
        command, env={**os.environ, **environment}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        yield process.stdout.readline().strip(), process
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(10)


def test_it_prints_its_address_and_answers_there() -> None:
    """With the secret of the environment, which it does not print."""
    with simulating(LEADSYNC_MARKETO_CLIENT_SECRET="s3cret") as (address, process):
        assert address.startswith("http://127.0.0.1:")
        asked = "grant_type=client_credentials&client_id=leadsync&client_secret=s3cret"
        with urllib.request.urlopen(f"{address}/identity/oauth/token?{asked}", timeout=10) as answer:
            assert orjson.loads(answer.read())["token_type"] == "bearer"
    assert process.returncode == 0 and process.stderr is not None and "s3cret" not in process.stderr.read()


def test_it_makes_a_secret_where_none_is_given_and_shows_it() -> None:
    """On standard error, once."""
    with simulating(LEADSYNC_MARKETO_CLIENT_SECRET="") as (_, process):
        assert process.stderr is not None
        assert process.stderr.readline().startswith("client secret (made for this run): ")


@pytest.mark.parametrize("options", [("--fault", "rate_606"), ("--fault", "nonsense=0.1"), ("--fault", "rate_606=7")])
def test_a_fault_that_there_is_not_is_refused(options: tuple[str, ...]) -> None:
    """Before anything is served."""
    result = CliRunner().invoke(simulate, ["marketo", *options])
    assert result.exit_code == 2 and "--fault" in result.output


def test_sync_person_needs_a_secret() -> None:
    """Nobody calls a connector without one."""
    options = ["marketo", "--webhook-url", "http://127.0.0.1:9/marketo/webhooks/sync-person"]
    environment = {"LEADSYNC_MARKETO_CLIENT_SECRET": "s", "LEADSYNC_MARKETO_WEBHOOK_SECRET": ""}
    result = CliRunner().invoke(simulate, options, env=environment)
    assert result.exit_code == 2 and "LEADSYNC_MARKETO_WEBHOOK_SECRET" in result.output


def test_both_systems_are_offered() -> None:
    """Each imported when it is called."""
    result = CliRunner().invoke(simulate, ["--help"])
    assert result.exit_code == 0 and "dynamics" in simulate.list_commands(None)  # type: ignore[arg-type, attr-defined]
