"""Policy files on disk and the command that checks them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from streams.policy import PolicyUnreadableError, default_policy_text, default_rule_texts, digest_of, read_policy_file
from streams.policy.command import check

RULES = "version: 1\ncolumns:\n  lastname: {length_max: 5}\n"


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    """A copy of the shipped policy in a folder of its own."""
    path = tmp_path / "crm.yaml"
    path.write_text(default_policy_text(), encoding="utf-8")
    return path


def rule_file(policy: Path, folder: str, name: str, text: str = RULES) -> None:
    (policy.parent / folder).mkdir(exist_ok=True)
    (policy.parent / folder / name).write_text(text, encoding="utf-8")


def test_a_policy_alone_comes_with_the_shipped_rules(policy: Path) -> None:
    """Copying one file is enough to start."""
    assert read_policy_file(policy) == (default_policy_text(), default_rule_texts())


@pytest.mark.parametrize("folder", ["crm.rules", "rules"])
def test_rule_files_beside_the_policy_take_the_place_of_shipped_ones(policy: Path, folder: str) -> None:
    """One by one: those that are not there are the shipped ones."""
    rule_file(policy, folder, "dynamics.lead.yaml")
    _, rules = read_policy_file(policy)
    assert rules == default_rule_texts() | {"dynamics.lead": RULES}


def test_a_folder_named_after_the_policy_goes_first(policy: Path) -> None:
    """Two policies in one folder can have rules of their own."""
    rule_file(policy, "crm.rules", "dynamics.lead.yaml")
    rule_file(policy, "rules", "dynamics.lead.yaml", "version: 1\ncolumns: {}\n")
    assert read_policy_file(policy)[1]["dynamics.lead"] == RULES


def test_files_of_others_in_a_folder_named_rules_are_left_alone(policy: Path) -> None:
    """Alerting rules live in folders of that name too."""
    rule_file(policy, "rules", "alerts.yaml", "groups: []\n")
    assert read_policy_file(policy)[1] == default_rule_texts()


def test_an_unreadable_file_is_told_in_one_line(tmp_path: Path) -> None:
    """Not there, a folder, not UTF-8, far too large."""
    (tmp_path / "latin.yaml").write_bytes(b"version: 1 # \xe9\n")
    (tmp_path / "large.yaml").write_bytes(b"#" * 200_001)
    for name, said in (
        ("none.yaml", "No such file"),
        (".", "directory"),
        ("latin.yaml", "not UTF-8 at byte 13"),
        ("large.yaml", "more than 200000 bytes"),
    ):
        with pytest.raises(PolicyUnreadableError) as caught:
            read_policy_file(tmp_path / name)
        assert said in str(caught.value)
        assert str(caught.value).count("\n") == 0


def test_check_says_what_a_good_policy_holds(policy: Path) -> None:
    """What it holds, and whose rules it was checked by, on standard output; exit 0."""
    result = CliRunner().invoke(check, [str(policy)])
    digest = digest_of(default_policy_text(), default_rule_texts())
    assert result.exit_code == 0
    assert result.stdout == f"{policy}: 36 fields (27 both, 9 to_marketo), digest {digest}\nrules: as shipped\n"
    assert result.stderr == ""


def test_check_names_the_rule_files_that_it_took(policy: Path) -> None:
    """Imported ones in another folder have no effect, and one must be able to see that."""
    rule_file(policy, "rules", "dynamics.lead.yaml", default_rule_texts()["dynamics.lead"])
    result = CliRunner().invoke(check, [str(policy)])
    file = policy.parent / "rules" / "dynamics.lead.yaml"
    assert result.stdout.splitlines()[1] == f"rules: {file}, others as shipped"
    for name, text in default_rule_texts().items():
        rule_file(policy, "crm.rules", f"{name}.yaml", text)
    result = CliRunner().invoke(check, [str(policy)])
    assert "shipped" not in result.stdout and str(policy.parent / "crm.rules" / "marketo.person.yaml") in result.stdout


def test_check_prints_each_mistake_for_an_editor_to_jump_to(policy: Path) -> None:
    """Policy and rule files in one go, on standard error, exit 1."""
    policy.write_text(default_policy_text().replace("dedupe: none", "dedupe: phone"), encoding="utf-8")
    rule_file(policy, "rules", "dynamics.contact.yaml", "version: 1\ncolums: {}\n")
    result = CliRunner().invoke(check, [str(policy)])
    line = default_policy_text()[: default_policy_text().index("dedupe: none")].count("\n") + 1
    assert result.exit_code == 1
    assert result.stdout == ""
    assert f'{policy}:{line}:9: found "phone"; allowed: none, email' in result.stderr.splitlines()
    assert any(
        each.startswith(f"{policy.parent / 'rules'}/dynamics.contact.yaml:2:1: ") for each in result.stderr.splitlines()
    )


def test_check_tells_notes_and_passes(policy: Path) -> None:
    """A column that the rules do not know may well exist."""
    policy.write_text(default_policy_text().replace("lead: revenue", "lead: revenu"), encoding="utf-8")
    result = CliRunner().invoke(check, [str(policy)])
    assert result.exit_code == 0
    assert 'note: the rules of a Dynamics lead have no column "revenu" (did you mean revenue?)' in result.stderr


def test_check_gives_scripts_one_object_with_the_same_keys_always(policy: Path, tmp_path: Path) -> None:
    """Good or bad, `--json` prints one object on standard output and nothing else."""
    bad = tmp_path / "bad.yaml"
    bad.write_text("version: 1\nfields: {}\n", encoding="utf-8")
    good_result, bad_result = (CliRunner().invoke(check, ["--json", str(path)]) for path in (policy, bad))
    good, wrong = json.loads(good_result.stdout), json.loads(bad_result.stdout)
    assert good.keys() == wrong.keys()
    assert (good["ok"], good_result.exit_code) == (True, 0)
    assert (wrong["ok"], bad_result.exit_code) == (False, 1)
    (mistake,) = wrong["mistakes"]
    assert mistake == {
        "file": str(bad),
        "line": 2,
        "column": 1,
        "found": "found no fields",
        "allowed": "at least one field under `fields:`",
    }


def test_check_of_a_file_that_is_not_there_exits_2(tmp_path: Path) -> None:
    """One line on standard error that names the file and the reason."""
    result = CliRunner().invoke(check, [str(tmp_path / "none.yaml")])
    assert result.exit_code == 2
    assert result.stderr == f"leadsync: {tmp_path / 'none.yaml'}: No such file or directory\n"
