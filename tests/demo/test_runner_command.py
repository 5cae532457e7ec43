"""`leadsync demo` as a shell sees it: what goes where, and with which status it ends."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from streams.demo import command
from streams.demo.quiet import NotQuiet
from streams.demo.summary import Summary
from streams.settings import Security, Settings

ALIKE = Summary(people=3, alike=3, edits=9)
DIFFERENT = Summary(people=3, alike=2, edits=9, differences=("p-1 city: marketo 'a', dynamics 'b'",))


@pytest.fixture
def ends_with(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """The command, with a run that ends like this instead of the one that needs a broker."""

    def invoke(outcome: Summary | BaseException, *options: str) -> Result:
        def run(*_arguments: Any) -> Summary:
            if isinstance(outcome, BaseException):
                raise outcome
            return outcome

        monkeypatch.setattr(command, "_run", run)
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
        return CliRunner().invoke(command.demo, list(options))

    return invoke


def test_alike_is_status_0(ends_with: Any) -> None:
    """The verdict is the last line."""
    result = ends_with(ALIKE)
    assert result.exit_code == 0 and result.stdout.endswith("alike: 3 of 3 people\n") and result.stderr == ""


def test_differences_are_listed_with_status_1(ends_with: Any) -> None:
    """And the logs are kept."""
    result = ends_with(DIFFERENT)
    assert result.exit_code == 1
    assert "differs: p-1 city: marketo 'a', dynamics 'b'\nalike: 2 of 3 people\n" in result.stdout
    assert "logs are in" in result.stderr


def test_only_topics_on_a_broker_of_the_users_are_kept() -> None:
    """The address of the demo's own would be one where nobody is any more."""
    settings = Settings("127.0.0.1:9092", "demo-1.", security=Security())
    assert command._kept(settings, is_broker_ours=False) == "--bootstrap-servers 127.0.0.1:9092 --prefix demo-1."
    said = command._kept(settings, is_broker_ours=True)
    assert "9092" not in said and "the logs stay" in said


def test_json_is_one_object_and_nothing_else(ends_with: Any) -> None:
    """Everything else is on standard error."""
    result = ends_with(DIFFERENT, "--json")
    assert result.exit_code == 1 and json.loads(result.stdout)["alike"] == 2
    assert "alike: 2 of 3 people" in result.stderr


def test_a_demo_that_did_not_get_to_its_end_is_no_verdict(ends_with: Any) -> None:
    """Status 2 with what it waited for; 130 when somebody stopped it."""
    result = ends_with(NotQuiet("still waiting for 3 commands"))
    assert result.exit_code == 2 and "still waiting for 3 commands" in result.stderr and result.stdout == ""
    assert ends_with(KeyboardInterrupt()).exit_code == 130
