"""`leadsync simulate dynamics`: serves until it is interrupted, says where, and keeps its secret to itself."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import pytest
from click.testing import CliRunner

from streams.simulators.command import simulate

STOP_SECONDS = 20.0
CALL_SECONDS = 10.0


@contextmanager
def simulated(*options: str, **environment: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """The command in a process of its own, on any free port; gives the address that it prints."""
    code = "from streams.simulators.command import simulate; simulate()"
    process = subprocess.Popen(
        [sys.executable, "-c", code, "dynamics", "--port", "0", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
    )
    try:
        assert process.stdout is not None
        yield process.stdout.readline().strip(), process
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=STOP_SECONDS)


def token(address: str, tenant: str, client_id: str, secret: str) -> str:
    """What the token endpoint gives."""
    form = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": secret, "scope": "x/.default"}
    body = urllib.parse.urlencode(form).encode()
    with urllib.request.urlopen(f"{address}/{tenant}/oauth2/v2.0/token", body, timeout=CALL_SECONDS) as answer:
        return str(json.load(answer)["access_token"])


def test_it_serves_with_the_secret_of_a_file_and_prints_only_the_address(tmp_path: Path) -> None:
    """Ctrl-C ends it without a traceback; without --with-our-columns ours are absent."""
    (tmp_path / "secret").write_text("s3cret\n")
    options = ("--tenant", "t-1", "--client-id", "c-1", "--client-secret-file", str(tmp_path / "secret"))
    with simulated(*options) as (address, process):
        bearer = {"Authorization": f"Bearer {token(address, 't-1', 'c-1', 's3cret')}"}
        target = f"{address}/api/data/v9.2/EntityDefinitions(LogicalName='lead')/Attributes?$select=LogicalName"
        with urllib.request.urlopen(urllib.request.Request(target, headers=bearer), timeout=CALL_SECONDS) as answer:
            names = {each["LogicalName"] for each in json.load(answer)["value"]}
        assert "lastname" in names and "new_leadsynckey" not in names
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=STOP_SECONDS)
        assert process.returncode == 0 and "s3cret" not in out + err and "Traceback" not in err


def test_the_secret_may_stand_in_the_environment() -> None:
    """So may tenant and client id."""
    environment = {
        "LEADSYNC_DYNAMICS_TENANT": "t-2",
        "LEADSYNC_DYNAMICS_CLIENT_ID": "c-2",
        "LEADSYNC_DYNAMICS_CLIENT_SECRET": "from-there",
    }
    with simulated("--with-our-columns", **environment) as (address, _):
        assert token(address, "t-2", "c-2", "from-there")


@pytest.mark.parametrize(("options", "kept"), [((), False), (("--no-rewriting", "--no-duplicate-rule"), True)])
def test_what_it_does_on_save_can_be_switched_off(options: tuple[str, ...], kept: bool) -> None:
    """Rewriting, and refusing whom its duplicate rule finds."""
    with simulated("--tenant", "t-2", *options, LEADSYNC_DYNAMICS_CLIENT_SECRET="s3cret") as (address, _):
        bearer = {"Authorization": f"Bearer {token(address, 't-2', 'leadsync', 's3cret')}"}
        headers = {**bearer, "Content-Type": "application/json", "Prefer": "return=representation"}
        target = f"{address}/api/data/v9.2/leads?$select=telephone1"

        def make(**values: str) -> str | None:
            request = urllib.request.Request(target, json.dumps(values).encode(), headers)
            with urllib.request.urlopen(request, timeout=CALL_SECONDS) as answer:
                return json.load(answer)["telephone1"]

        assert make(lastname="Lovelace", telephone1="(555) 01-23") == ("(555) 01-23" if kept else "5550123")
        with nullcontext() if kept else pytest.raises(urllib.error.HTTPError, match="412"):
            make(lastname="Byron (duplicate)")


@pytest.mark.parametrize("fault", ["nonsense=0.5", "latency=2", "latency"])
def test_a_fault_that_is_none_is_refused(fault: str) -> None:
    """Before anything is served."""
    result = CliRunner().invoke(simulate, ["dynamics", "--fault", fault])
    assert result.exit_code == 2 and "--fault" in result.output
