"""Rule files from live metadata: written as they are read, never over somebody's own."""

from __future__ import annotations

import string
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.limits import POLICY_TEXT_BYTES_MAX
from schemas.vocabulary import RecordKind
from streams.instances.live import LiveColumn, LiveTable
from streams.instances.rules_import import FILE_OF_KIND, TooLarge, rules_of, rules_text
from streams.instances.rules_import_diff import difference, rules_in
from streams.policy import default_policy_text, default_rule_texts, examine
from streams.policy.rule_files import FORMATS
from streams.settings import SettingsError
from streams.sync.policy import AttributeRule
from tests.instances.systems import Systems

FILES = ("dynamics.contact.yaml", "dynamics.lead.yaml", "marketo.person.yaml")

names = st.text(string.ascii_lowercase + string.digits + "_", min_size=1, max_size=20).map(lambda text: f"n{text}")
bounds = st.none() | st.integers(-(2**53), 2**53) | st.floats(-1e12, 1e12, allow_nan=False)
numbers = st.frozensets(st.integers(-(2**31), 2**31 - 1), min_size=1)
words = st.frozensets(
    st.text(string.printable.replace("\n", "").replace("\r", "").replace("\x0b", "").replace("\x0c", ""), min_size=1),
    min_size=1,
)


@st.composite
def rules(draw: st.DrawFn) -> AttributeRule:
    """A rule of any column that metadata could tell of."""
    low, high = sorted((draw(bounds), draw(bounds)), key=lambda bound: (bound is None, bound or 0))
    return AttributeRule(
        draw(names),
        required=draw(st.booleans()),
        length_max=draw(st.none() | st.integers(1, 1_048_576)),
        bytes_max=draw(st.none() | st.just(30_000)),
        minimum=low if high is not None else None,
        maximum=high,
        options=draw(st.none() | numbers | words),
        multiple=draw(st.booleans()),
        format=draw(st.none() | st.sampled_from(FORMATS)),
        creatable=draw(st.booleans()),
        updatable=draw(st.booleans()),
    )


@given(st.lists(rules(), max_size=8))
def test_what_is_written_is_read_as_the_same_rules(found: list[AttributeRule]) -> None:
    """Without a mistake, whatever the metadata says."""
    columns = {rule.name: LiveColumn(rule, "String", ()) for rule in found}
    asked = rules_of(LiveTable("lead", columns))
    assert rules_in("dynamics.lead", rules_text("lead", asked, "org.example")) == asked


def test_a_bound_that_no_file_can_spell_is_left_out() -> None:
    """Nobody enters a number of twenty digits."""
    rule = AttributeRule("amount", minimum=-1e300, maximum=5.0)
    asked = rules_of(LiveTable("lead", {"amount": LiveColumn(rule, "Double", ())}))
    assert (asked["amount"].minimum, asked["amount"].maximum) == (None, 5.0)
    assert "maximum: 5," not in rules_text("lead", asked, "org.example")
    assert "  amount: {maximum: 5}\n" in rules_text("lead", asked, "org.example")


@pytest.mark.parametrize(
    ("bound", "spelled"), [(0.00001, "0.00001"), (1e15, "1000000000000000"), (-0.5, "-0.5"), (7, "7")]
)
def test_bounds_are_spelled_without_an_exponent(bound: float, spelled: str) -> None:
    """A policy file knows no exponents; a number with one would be read as a word."""
    rule = AttributeRule("amount", minimum=bound)
    assert f"  amount: {{minimum: {spelled}}}\n" in rules_text("lead", {"amount": rule}, "org.example")


def test_columns_are_sorted_and_nothing_tells_the_time() -> None:
    """Two imports of the same metadata are the same bytes, whatever order they came in."""
    columns = {name: LiveColumn(AttributeRule(name), "String", ()) for name in ("b", "a", "c")}
    back = dict(reversed(columns.items()))
    text = rules_text("lead", rules_of(LiveTable("lead", columns)), "org.example")
    assert text == rules_text("lead", rules_of(LiveTable("lead", back)), "org.example")
    assert text.endswith("columns:\n  a: {}\n  b: {}\n  c: {}\n")
    assert "# Imported from org.example (Dataverse Web API v9.2) by `leadsync rules import`.\n" in text


def test_a_file_that_could_not_be_read_back_is_not_made() -> None:
    """It says what would make it smaller."""
    many = {f"new_{number}": AttributeRule(f"new_{number}", options=frozenset(range(200))) for number in range(500)}
    with pytest.raises(TooLarge, match="--mapped-by POLICY"):
        rules_text("lead", many, "org.example")
    assert POLICY_TEXT_BYTES_MAX < 500 * 200 * 3


def test_differences_are_told_setting_by_setting() -> None:
    """New, changed and gone columns."""
    before = {
        "a": AttributeRule("a", length_max=50),
        "b": AttributeRule("b"),
        "d": AttributeRule("d", options=frozenset({1})),
    }
    after = {
        "a": AttributeRule("a", length_max=80, required=True),
        "c": AttributeRule("c"),
        "d": AttributeRule("d", options=frozenset({1, 10, 2})),
    }
    found = difference(before, after)
    assert str(found) == "1 new, 2 changed, 1 gone"
    assert found.changed == {"a": "required false → true; length_max 50 → 80", "d": "options [1] → [1, 2, 10]"}
    assert (found.new, found.gone) == (("c",), ("b",))
    assert not difference(before, before)


# The command, on both simulators


def test_import_writes_the_three_files_as_the_instances_say(systems: Systems, tmp_path: Path) -> None:
    """They agree with the shipped policy, and with the shipped rules wherever both know a column."""
    result = systems.run("rules", "import", "--output", str(tmp_path / "rules"))
    assert result.exit_code == 0, result.output
    assert sorted(path.name for path in (tmp_path / "rules").iterdir()) == list(FILES)
    texts = {path.stem: path.read_text() for path in (tmp_path / "rules").iterdir()}
    assert examine(default_policy_text(), texts).mistakes == ()
    for name, text in default_rule_texts().items():
        shipped, imported = rules_in(name, text), rules_in(name, texts[name])
        assert shipped is not None and imported is not None
        assert shipped.keys() <= imported.keys()
        same = [column for column, rule in shipped.items() if rule.format in (None, imported[column].format)]
        assert {column: imported[column].required for column in same} == {each: shipped[each].required for each in same}
        assert {column: imported[column].length_max for column in same if shipped[column].length_max} == {
            each: shipped[each].length_max for each in same if shipped[each].length_max
        }


def test_our_own_fields_stand_in_no_rule_file(systems: Systems, tmp_path: Path) -> None:
    """No policy may map them."""
    systems.run("rules", "import", "--output", str(tmp_path))
    assert not [path for path in tmp_path.iterdir() if "leadsync" in path.read_text().partition("columns:")[2].lower()]


def test_importing_again_changes_nothing(systems: Systems, tmp_path: Path) -> None:
    """Not even the time of the file."""
    systems.run("rules", "import", "--output", str(tmp_path))
    before = {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    result = systems.run("rules", "import", "--output", str(tmp_path))
    assert result.exit_code == 0
    assert result.stdout.count(": unchanged, ") == 3
    assert {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == before


def test_a_file_that_says_something_else_is_left_alone(systems: Systems, tmp_path: Path) -> None:
    """Until --force is given; what would change is shown."""
    own = "version: 1\ncolumns:\n  lastname: {length_max: 5}\n  mine: {}\n"
    (tmp_path / "dynamics.lead.yaml").write_text(own)
    result = systems.run("rules", "import", "--output", str(tmp_path), "--only", "dynamics")
    assert result.exit_code == 1
    assert (tmp_path / "dynamics.lead.yaml").read_text() == own
    assert (tmp_path / "dynamics.contact.yaml").exists()
    assert "dynamics.lead.yaml: 57 new, 1 changed, 1 gone" in result.stderr
    assert "changed\tlastname\trequired false → true; length_max 5 → 50" in result.stdout
    assert "gone\tmine" in result.stdout
    assert "1 of 2 files left alone; --force writes over them" in result.stderr
    forced = systems.run("rules", "import", "--output", str(tmp_path), "--only", "dynamics", "--force")
    assert forced.exit_code == 0
    assert "mine" not in (tmp_path / "dynamics.lead.yaml").read_text()


def test_comments_of_ones_own_stay_where_the_rules_are_the_same(systems: Systems, tmp_path: Path) -> None:
    """The file says what the instance says: there is nothing to write."""
    systems.run("rules", "import", "--output", str(tmp_path))
    path = tmp_path / "marketo.person.yaml"
    path.write_text(f"# Ours.\n{path.read_text()}")
    result = systems.run("rules", "import", "--output", str(tmp_path))
    assert result.exit_code == 0
    assert path.read_text().startswith("# Ours.\n")


def test_a_file_that_is_no_rule_file_is_left_alone(systems: Systems, tmp_path: Path) -> None:
    """Whatever it is."""
    (tmp_path / "marketo.person.yaml").write_text("groups: []\n")
    result = systems.run("rules", "import", "--output", str(tmp_path), "--only", "marketo")
    assert result.exit_code == 1
    assert "marketo.person.yaml: is there, and is no rule file" in result.stderr


def test_a_folder_that_cannot_be_written_is_a_mistake_of_the_command_line(systems: Systems, tmp_path: Path) -> None:
    """Status 1 would say that a file was left alone."""
    (tmp_path / "file").touch()
    result = systems.run("rules", "import", "--output", str(tmp_path / "file" / "rules"), "--only", "marketo")
    assert isinstance(result.exception, SettingsError)
    assert str(result.exception).endswith("marketo.person.yaml cannot be written: Not a directory")


def test_only_what_a_policy_maps(systems: Systems, tmp_path: Path, policy: Path) -> None:
    """And what is required, so that it is seen that nobody fills it."""
    result = systems.run("rules", "import", "--output", str(tmp_path / "small"), "--mapped-by", str(policy))
    assert result.exit_code == 0, result.output
    found = rules_in("dynamics.lead", (tmp_path / "small" / "dynamics.lead.yaml").read_text())
    assert found is not None
    assert "industrycode" not in found
    assert {"subject", "lastname", "emailaddress1"} <= found.keys()


@pytest.mark.parametrize("kind", ["person", "lead", "contact"])
def test_each_kind_has_its_file(kind: RecordKind) -> None:
    """Under the name that the policy reader knows."""
    assert rules_in(FILE_OF_KIND[kind], rules_text(kind, {}, "org.example")) == {}
