"""What a shell sees: exit statuses, one line for what is in the way, and the policy that is in force."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.instances.systems import ALL_VARIABLES, Systems


def apart(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    """A command in a process of its own."""
    own = {name: value for name, value in os.environ.items() if name not in ALL_VARIABLES}
    return subprocess.run(
        [sys.executable, "-m", "streams", *arguments],
        env={**own, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("command", [("setup",), ("rules", "import"), ("check", "POLICY", "--live")])
def test_without_settings_a_command_says_which_is_missing(command: tuple[str, ...], policy: Path) -> None:
    """Status 2, one line, and nothing of Python."""
    result = apart({}, *(str(policy) if word == "POLICY" else word for word in command))
    assert result.returncode == 2
    assert result.stderr == "leadsync: LEADSYNC_MARKETO_URL is not set\n"


def test_a_plan_is_not_carried_out_by_the_same_command() -> None:
    """`--plan` only shows and `--yes` only does: who says both is told so, not left to find nothing written."""
    result = apart({}, "bootstrap", "--plan", "plan.csv", "--yes")
    assert result.returncode == 2
    assert "one of them" in result.stderr


def test_a_system_that_is_down_is_one_line(systems: Systems, tmp_path: Path) -> None:
    """No traceback, and no noise of the tries before."""
    environment = {**systems.environment, "LEADSYNC_DYNAMICS_URL": "http://127.0.0.1:1"}
    result = apart(environment, "rules", "import", "--output", str(tmp_path))
    assert result.returncode == 2
    assert result.stderr.count("\n") == 1
    assert result.stderr.startswith("leadsync: Dynamics: http://127.0.0.1:1/")
    assert result.stderr.endswith("`leadsync doctor dynamics` finds out why\n")
    assert list(tmp_path.iterdir()) == []


def test_people_since_a_day_to_come_are_nobody() -> None:
    """A slip of the finger must not leave out all of Marketo."""
    result = apart({}, "bootstrap", "--since", "2999-10-01")
    assert result.returncode == 2
    assert "'--since': 2999-10-01 is still to come" in result.stderr


def test_the_commands_are_found_by_the_command_line(systems: Systems) -> None:
    """As a user calls them."""
    result = apart(systems.environment, "doctor", "dynamics")
    assert (result.returncode, result.stderr) == (0, "mapped fields are those of the policy that ships\nall is well\n")


@pytest.mark.kafka
def test_doctor_looks_for_the_fields_of_the_policy_in_force(systems: Systems, kafka: str, policy: Path) -> None:
    """Where a broker is named; here one field of it is missing in both systems."""
    broker = {"LEADSYNC_BOOTSTRAP_SERVERS": kafka, "LEADSYNC_PREFIX": f"doctor-{os.getpid()}-"}
    policy.write_text("version: 1\nfields:\n  x: {marketo: nowhere, dynamics: new_nowhere}\n")
    for command in (("topics", "--partitions", "1"), ("policy", "apply", str(policy))):
        result = apart(broker, *command)
        assert result.returncode == 0, result.stderr
    result = apart({**systems.environment, **broker}, "doctor")
    assert result.returncode == 1
    assert "mapped fields are those of the policy in force, " in result.stderr
    assert 'a Marketo person has no field "nowhere"' in result.stdout
    assert 'a Dynamics contact has no column "new_nowhere"' in result.stdout
