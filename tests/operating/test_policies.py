"""`leadsync policy apply` and `leadsync policy show`."""

from __future__ import annotations

from pathlib import Path

import pytest

from schemas.policy_record import IN_FORCE, PolicyRecord
from streams.policy import default_policy_text, default_rule_texts, digest_of
from tests.operating.conftest import Installation

SHIPPED = default_policy_text()
CHANGED = SHIPPED + "\n# ours\n"
FAULTY = SHIPPED.replace("version: 1", "version: 1\nauthorities: {}\nfilters: 3", 1)


def digest(text: str) -> str:
    return digest_of(text, default_rule_texts())


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "crm.yaml"
    path.write_text(SHIPPED, encoding="utf-8")
    return path


@pytest.mark.kafka
def test_a_policy_is_put_in_force(installation: Installation, file: Path) -> None:
    """The texts stand under their digest before `in-force` names it; what was in force before is told."""
    first = installation.run("policy", "apply", str(file))
    file.write_text(CHANGED, encoding="utf-8")
    second = installation.run("policy", "apply", str(file))
    assert first.stdout == f"in force before: none\nin force now:    {digest(SHIPPED)}\n"
    assert second.stdout == f"in force before: {digest(SHIPPED)}\nin force now:    {digest(CHANGED)}\n"
    keys = [record.key.decode() for record in installation.read("policies")]
    assert keys == [digest(SHIPPED), IN_FORCE, digest(CHANGED), IN_FORCE]
    assert PolicyRecord.model_validate_json(installation.read("policies")[2].value).text == CHANGED


@pytest.mark.kafka
def test_the_same_policy_again_is_no_change(installation: Installation, file: Path) -> None:
    """Applying what is in force writes nothing and says so."""
    installation.run("policy", "apply", str(file))
    result = installation.run("policy", "apply", str(file))
    assert result.exit_code == 0
    assert result.stdout == f"in force already: {digest(SHIPPED)}\n"
    assert len(installation.read("policies")) == 2


@pytest.mark.kafka
def test_a_policy_with_mistakes_is_not_applied(installation: Installation, file: Path) -> None:
    """Every mistake is told with its place, as `leadsync check` tells it; nothing is written; exits 1."""
    file.write_text(FAULTY, encoding="utf-8")
    result, checked = installation.run("policy", "apply", str(file)), installation.run("check", str(file))
    assert result.exit_code == checked.exit_code == 1
    assert result.stderr == checked.stderr
    assert f"{file}:" in result.stderr
    assert "authorities" in result.stderr and "filters" in result.stderr
    assert installation.read("policies") == []


@pytest.mark.kafka
def test_what_is_in_force_is_shown_as_it_was_applied(installation: Installation, file: Path) -> None:
    """`show` prints the text byte for byte; `--digest` an earlier one; `--rules` one of its rule files."""
    installation.run("policy", "apply", str(file))
    file.write_text(CHANGED, encoding="utf-8")
    installation.run("policy", "apply", str(file))
    assert installation.run("policy", "show").stdout == CHANGED
    assert installation.run("policy", "show", "--digest", digest(SHIPPED)[:9]).stdout == SHIPPED
    rules = installation.run("policy", "show", "--rules", "dynamics.lead")
    assert rules.stdout == default_rule_texts()["dynamics.lead"]


@pytest.mark.kafka
def test_what_is_not_known_is_refused(installation: Installation, file: Path) -> None:
    """With no policy in force, or a digest nobody applied, one line says so; exits 1."""
    assert "no policy is in force" in installation.run("policy", "show").stderr
    installation.run("policy", "apply", str(file))
    result = installation.run("policy", "show", "--digest", "ffff")
    assert result.exit_code == 1
    assert digest(SHIPPED)[:12] in result.stderr


@pytest.mark.kafka
def test_without_topics_nothing_is_written(bare: Installation, file: Path) -> None:
    """Where the topics are missing, apply names the command that creates them, and exits 2."""
    result = bare.run_apart("policy", "apply", str(file))
    assert result.returncode == 2
    assert "`leadsync topics` creates them" in result.stderr
