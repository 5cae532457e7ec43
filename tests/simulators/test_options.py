"""What a simulator is told wrongly: one line that names the option, and exit status 2."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from click.testing import CliRunner

from streams.demo.rest.instances import DYNAMICS_FAULTS, MARKETO_FAULTS
from streams.policy import PolicyUnreadableError
from streams.settings import SettingsError
from streams.simulators.command import simulate
from streams.simulators.faults import SHARES_OF

ENVIRONMENT = {"LEADSYNC_MARKETO_CLIENT_SECRET": "s", "LEADSYNC_DYNAMICS_CLIENT_SECRET": "s"}


@pytest.mark.parametrize(("system", "fault"), [("marketo", "throttled_429"), ("dynamics", "rate_606")])
def test_a_fault_of_the_other_system_is_refused(system: str, fault: str) -> None:
    """It would never strike; those that do are named."""
    result = CliRunner().invoke(simulate, [system, "--fault", f"{fault}=0.1"], env=ENVIRONMENT)
    assert result.exit_code == 2
    assert f"{system} has no fault {fault!r} that strikes a share of calls: there are" in result.output
    assert "dropped_after" in result.output


def test_the_demo_plans_every_fault_that_strikes_a_share() -> None:
    """And no other."""
    assert {"marketo": frozenset(MARKETO_FAULTS), "dynamics": frozenset(DYNAMICS_FAULTS)} == SHARES_OF


@pytest.mark.parametrize("latency", [("1", "0"), ("-1", "2"), ("0", "nan"), ("0", "inf")])
def test_a_latency_that_no_call_can_take_is_refused(latency: tuple[str, str]) -> None:
    """Told in seconds, the shortest first."""
    result = CliRunner().invoke(simulate, ["marketo", "--latency", *latency], env=ENVIRONMENT)
    assert result.exit_code == 2 and "0 <= MIN <= MAX" in result.output


@pytest.mark.parametrize("system", ["marketo", "dynamics"])
def test_a_policy_that_is_not_there_is_what_it_is_everywhere(system: str, tmp_path: Path) -> None:
    """One line and exit status 2, as `leadsync check` and all the others have it."""
    result = CliRunner().invoke(simulate, [system, "--policy", str(tmp_path / "nope.yaml")], env=ENVIRONMENT)
    assert isinstance(result.exception, PolicyUnreadableError)


@pytest.mark.parametrize("system", ["marketo", "dynamics"])
def test_a_port_that_is_taken_is_one_line(system: str) -> None:
    """With what to do about it."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        result = CliRunner().invoke(simulate, [system, "--port", port], env=ENVIRONMENT)
    assert isinstance(result.exception, SettingsError)
    assert str(result.exception) == (
        f"the simulator cannot listen on 127.0.0.1:{port}: Address already in use; "
        "name another with --port (0: a free one) or --host"
    )


@pytest.mark.parametrize(
    ("content", "told"), [(b"", "is empty"), (b"s3cret\xff", "cannot be read"), (None, "No such file")]
)
@pytest.mark.parametrize("is_option", [True, False])
def test_a_secret_that_cannot_be_read_is_one_line(
    tmp_path: Path, content: bytes | None, told: str, is_option: bool
) -> None:
    """Which names the option or the variable, and shows nothing of the secret."""
    path = tmp_path / "secret"
    if content is not None:
        path.write_bytes(content)
    variable = "LEADSYNC_DYNAMICS_CLIENT_SECRET"
    given, environment = (
        (["--client-secret-file", str(path)], {}) if is_option else ([], {f"{variable}_FILE": str(path)})
    )
    result = CliRunner().invoke(simulate, ["dynamics", "--port", "0", *given], env={variable: "", **environment})
    assert isinstance(result.exception, SettingsError)
    assert told in str(result.exception) and "s3cret" not in str(result.exception)
    assert str(path) in str(result.exception)
