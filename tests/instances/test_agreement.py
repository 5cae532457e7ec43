"""Where policy, rule files and instances disagree: what is said, how bad it is, and where it stands."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from msgspec.structs import replace as changed

from schemas.vocabulary import RecordKind
from streams.instances.agreement import disagreements
from streams.instances.agreement_found import Disagreement, InPolicy, InRules, Policywide
from streams.instances.agreement_policy import column_disagreements
from streams.instances.live import LiveColumn, LiveTable
from streams.instances.setup_plan import DYNAMICS_TYPES, MARKETO_TYPES
from streams.policy import read_policy
from streams.sync.policy import TEXT_TYPES, AttributeRule, Policy
from tests.instances.systems import Systems

POLICY = """version: 1
fields:
  email: {marketo: email, dynamics: emailaddress1, type: email}
  job: {marketo: jobTitle, lead: jobtitle}
  rating: {marketo: rating, lead: leadqualitycode, type: option, options: {Hot: 1, Cold: 3}}
  owner: {marketo: owner, lead: ownerid, direction: to_marketo}
"""
RULES = {
    "dynamics.lead": """version: 1
columns:
  emailaddress1: {length_max: 100}
  jobtitle: {length_max: 100}
  leadqualitycode: {options: [1, 3]}
"""
}
TEXTS = tuple(sorted(TEXT_TYPES))
EVERYTHING = ("option", "options", *TEXTS)


def text(name: str, length: int = 100, **more: object) -> LiveColumn:
    return LiveColumn(AttributeRule(name, length_max=length), "String", TEXTS, **more)  # type: ignore[arg-type]


def tables() -> dict[RecordKind, LiveTable]:
    """Instances that agree with the policy above in everything."""
    ours = {
        "leadsyncKey": LiveColumn(AttributeRule("leadsyncKey"), MARKETO_TYPES["leadsyncKey"], EVERYTHING),
        "leadsyncRevision": LiveColumn(
            AttributeRule("leadsyncRevision"), MARKETO_TYPES["leadsyncRevision"], ("integer",)
        ),
    }
    our_columns = {
        name: LiveColumn(AttributeRule(name), "String" if "key" in name else "Integer", TEXTS)
        for name in DYNAMICS_TYPES
    }
    rating = LiveColumn(
        AttributeRule("leadqualitycode", options=frozenset({1, 3})), "Picklist", ("option",), {1: "Hot", 3: "Cold"}
    )
    lookup = LiveColumn(AttributeRule("ownerid"), "Owner", TEXTS, is_lookup=True)
    person = {name: replace(text(name), holds=EVERYTHING) for name in ("email", "jobTitle", "rating", "owner")}
    lead = {
        "emailaddress1": text("emailaddress1"),
        "jobtitle": text("jobtitle"),
        "leadqualitycode": rating,
        "ownerid": lookup,
    }
    return {
        "person": LiveTable("person", {**person, **ours}),
        "lead": LiveTable("lead", {**lead, **our_columns}),
        "contact": LiveTable("contact", {"emailaddress1": text("emailaddress1"), **our_columns}),
    }


def with_column(kind: RecordKind, column: LiveColumn | None, name: str = "") -> dict[RecordKind, LiveTable]:
    """The same, with one column changed, added or (None) taken out."""
    found = tables()
    columns = dict(found[kind].columns)
    if column is None:
        del columns[name]
    else:
        columns[column.name] = column
    return {**found, kind: replace(found[kind], columns=columns)}


def policy(text: str = POLICY, rules: dict[str, str] | None = None) -> Policy:
    return read_policy(text, RULES if rules is None else rules)


def only(found: list[Disagreement]) -> Disagreement:
    assert len(found) == 1, found
    return found[0]


def test_instances_that_agree_are_told_nothing_of() -> None:
    """The ground on which the others stand."""
    assert disagreements(policy(), tables()) == []


def test_a_mapped_column_that_is_missing_is_an_error() -> None:
    """With the name that was probably meant."""
    found = only(disagreements(policy(), with_column("person", None, "jobTitle")))
    assert (found.severity, found.where) == ("error", InPolicy("job", "person"))
    assert found.found == 'a Marketo person has no field "jobTitle"'
    near = only(disagreements(policy(POLICY.replace("jobTitle", "jobTitl")), tables()))
    assert near.found == 'a Marketo person has no field "jobTitl" (did you mean jobTitle?)'


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        (AttributeRule("jobtitle", length_max=100, creatable=False, updatable=False), "is read-only"),
        (AttributeRule("jobtitle", length_max=100, updatable=False), "can't be written once the record exists"),
    ],
)
def test_a_column_that_is_written_to_and_cannot_be_is_an_error(rule: AttributeRule, said: str) -> None:
    """One that is only read may be read-only."""
    live = LiveColumn(rule, "String", TEXTS)
    found = [each for each in disagreements(policy(rules={}), with_column("lead", live)) if said in each.found]
    assert only(found).severity == "error"
    assert "direction: to_marketo" in only(found).remedy
    one_way = policy(POLICY.replace("lead: jobtitle", "lead: jobtitle, direction: to_marketo"), {})
    assert disagreements(one_way, with_column("lead", live)) == []


def test_a_lookup_cannot_be_written() -> None:
    """It is read by name, and a name is no row."""
    both = policy(POLICY.replace(", direction: to_marketo", ""), {})
    found = only(disagreements(both, tables()))
    assert found.severity == "error"
    assert found.found == '"ownerid" of a Dynamics lead is a lookup, which names a row of another table'


@pytest.mark.parametrize("type_name", ["boolean", "integer", "datetime"])
def test_another_type_is_an_error_where_it_is_written(type_name: str) -> None:
    """With the types that would fit, in both systems."""
    wrong = policy(POLICY.replace("lead: jobtitle", f"lead: jobtitle, type: {type_name}"), {})
    found = disagreements(wrong, tables())
    assert [(each.severity, each.where) for each in found] == [
        ("error", InPolicy("job", "person", setting="type")),
        ("error", InPolicy("job", "lead", setting="type")),
    ]
    assert found[1].found == f'"jobtitle" of a Dynamics lead is of type String, and job of type {type_name}'
    assert found[1].remedy == "allowed: type: email, phone, text, url"


def test_a_number_that_is_only_read_may_become_a_text() -> None:
    """Its text is its own; an option's number is not its word, which is worth a note."""
    one_way = policy(POLICY.replace("lead: jobtitle", "lead: jobtitle, direction: to_marketo"), {})
    number = LiveColumn(AttributeRule("jobtitle", format="integer"), "Integer", ("integer",))
    assert disagreements(one_way, with_column("lead", number)) == []
    option = LiveColumn(AttributeRule("jobtitle", options=frozenset({1})), "Picklist", ("option",), {1: "Boss"})
    assert only(disagreements(one_way, with_column("lead", option))).severity == "note"


def test_a_shorter_column_is_a_note() -> None:
    """One line for leads and contacts that take the same, and none where it is not written."""
    found = only(disagreements(policy(), with_column("person", replace(text("email", 255), holds=EVERYTHING))))
    assert (found.severity, found.where) == ("note", InPolicy("email", "lead"))
    assert found.found == (
        '"emailaddress1" of a Dynamics lead and contact takes 100 characters, "email" of a Marketo person 255 characters'
    )
    one_way = policy(POLICY.replace("type: email", "type: email, direction: to_marketo"))
    assert disagreements(one_way, with_column("person", replace(text("email", 255), holds=EVERYTHING))) == []


def test_an_option_that_the_instance_lacks_is_an_error() -> None:
    """At the option's own line."""
    live = LiveColumn(AttributeRule("leadqualitycode", options=frozenset({1})), "Picklist", ("option",), {1: "Hot"})
    found = [each for each in disagreements(policy(), with_column("lead", live)) if isinstance(each.where, InPolicy)]
    assert only(found) == Disagreement(
        "error",
        InPolicy("rating", "lead", option="Cold"),
        '"leadqualitycode" of a Dynamics lead has no option 3 (Cold)',
        "allowed: 1 (Hot)",
    )


def test_an_option_that_the_policy_lacks_is_a_note() -> None:
    """Records with it fail to sync until somebody adds it."""
    labels = {1: "Hot", 2: "Warm", 3: "Cold"}
    live = LiveColumn(AttributeRule("leadqualitycode", options=frozenset(labels)), "Picklist", ("option",), labels)
    found = disagreements(policy(rules={}), with_column("lead", live))
    assert [each.severity for each in found] == ["note"]
    assert found[0].remedy == "add `Warm: 2` under options"


def test_an_option_by_another_word_is_a_note() -> None:
    """The number is what counts; people wonder all the same."""
    live = LiveColumn(
        AttributeRule("leadqualitycode", options=frozenset({1, 3})), "Picklist", ("option",), {1: "Very hot", 3: "Cold"}
    )
    found = only(disagreements(policy(), with_column("lead", live)))
    assert found.severity == "note"
    assert found.found == '"leadqualitycode" of a Dynamics lead calls option 1 "Very hot", the policy "Hot"'


def test_a_required_column_that_nothing_fills_is_an_error() -> None:
    """Unless Dynamics has a default for it; mapped without one, it is a note."""
    required = LiveColumn(AttributeRule("subject", required=True), "String", TEXTS)
    found = only(disagreements(policy(rules={}), with_column("lead", required)))
    assert (found.severity, found.where) == ("error", None)
    assert found.found == '"subject" of a Dynamics lead is required and no field fills it: none can be created'
    assert disagreements(policy(rules={}), with_column("lead", replace(required, fills_itself=True))) == []
    job = LiveColumn(AttributeRule("jobtitle", required=True, length_max=100), "String", TEXTS)
    assert only(disagreements(policy(rules={}), with_column("lead", job))).severity == "note"
    default = policy(POLICY.replace("lead: jobtitle", "lead: jobtitle, default: none yet"), {})
    assert disagreements(default, with_column("lead", job)) == []


def test_our_fields_that_are_missing_or_wrong_are_errors() -> None:
    """Before everything else: nothing works without them."""
    found = disagreements(policy(), with_column("person", None, "leadsyncKey"))
    assert found[0].found == 'Marketo: "leadsyncKey" of person, a field of leadsync\'s own, is missing'
    assert found[0].remedy == "`leadsync setup` makes it"
    short = LiveColumn(AttributeRule("new_leadsynckey", length_max=36), "String", TEXTS)
    found = disagreements(policy(), with_column("lead", short))
    assert only(found).remedy == "allowed: text (String) of at least 100 characters"


def test_our_own_fields_may_not_be_mapped() -> None:
    """They would be written by two hands."""
    own = policy(POLICY.replace("marketo: jobTitle", "marketo: leadsyncKey"))
    assert only(disagreements(own, tables())).found == '"leadsyncKey" of a Marketo person is leadsync\'s own'


def test_a_dedupe_key_must_be_searchable() -> None:
    """And there must be one."""
    dedupe = policy(POLICY.replace("fields:", "dedupe: email\nfields:"))
    hidden = replace(text("email"), holds=EVERYTHING, searchable=False)
    found = only(disagreements(dedupe, with_column("person", hidden)))
    assert (found.severity, found.where) == ("error", Policywide("dedupe"))
    assert found.found == 'a Marketo person can\'t be looked up by "email"'
    assert disagreements(policy(), with_column("person", hidden)) == []
    without = policy(POLICY.replace("fields:", "dedupe: email\nfields:").replace("type: email", "type: text"))
    assert only(disagreements(without, tables())).severity == "error"


def test_the_filter_must_be_a_yes_no_column() -> None:
    """Where there is none everybody is synced, which is worth a note."""
    filtered = policy(POLICY.replace("fields:", "filter: new_synctomkto\nfields:"))
    assert {each.severity for each in disagreements(filtered, tables())} == {"note"}
    word = with_column("lead", text("new_synctomkto"))
    assert [each.severity for each in disagreements(filtered, word)] == ["error", "note"]


# Rule files


@pytest.mark.parametrize(
    ("rule", "severity", "setting"),
    [
        (AttributeRule("jobtitle", length_max=80), "error", "length_max"),
        (AttributeRule("jobtitle", length_max=120), "note", "length_max"),
        (AttributeRule("jobtitle"), "note", "length_max"),
        (AttributeRule("jobtitle", length_max=100, format="integer"), "error", "format"),
        (AttributeRule("jobtitle", length_max=100, format="phone"), "note", "format"),
        (AttributeRule("jobtitle", length_max=100, options=frozenset({1})), "error", "options"),
        (AttributeRule("jobtitle", length_max=100, minimum=1), "error", "minimum"),
        (AttributeRule("jobtitle", length_max=100, required=True), "error", "required"),
        (AttributeRule("jobtitle", length_max=100, creatable=False), "error", "creatable"),
    ],
)
def test_a_rule_that_lets_through_what_the_instance_refuses_is_an_error(
    rule: AttributeRule, severity: str, setting: str
) -> None:
    """One that is only stricter is a note."""
    live = LiveColumn(rule, "String", TEXTS)
    found = [each for each in disagreements(policy(), with_column("lead", live)) if isinstance(each.where, InRules)]
    assert (only(found).severity, only(found).where) == (severity, InRules("lead", "jobtitle", setting))
    assert only(found).remedy == "`leadsync rules import` writes what the instance says"


@pytest.mark.parametrize(
    ("here", "there", "severity"),
    [(AttributeRule("n", maximum=5), AttributeRule("n", maximum=3), "error"), (AttributeRule("n", maximum=3), AttributeRule("n", maximum=5), "note"),
     (AttributeRule("n", minimum=0), AttributeRule("n", minimum=1), "error"), (AttributeRule("n", minimum=1), AttributeRule("n", minimum=0), "note"),
     (AttributeRule("n", options=frozenset({1, 2})), AttributeRule("n", options=frozenset({1})), "error"),
     (AttributeRule("n", options=frozenset({1})), AttributeRule("n", options=frozenset({1, 2})), "note"),
     (AttributeRule("n", options=frozenset({1})), AttributeRule("n"), "note"),
     (AttributeRule("n", updatable=False), AttributeRule("n"), "note"),
     (AttributeRule("n", bytes_max=9), AttributeRule("n", bytes_max=3), "error")],
)  # fmt: skip
def test_looser_is_worse_than_stricter(here: AttributeRule, there: AttributeRule, severity: str) -> None:
    """Either way round, for each setting."""
    mapped = policy("version: 1\nfields:\n  n: {marketo: email, lead: n}\n", {})
    mapped = changed(mapped, rules={**mapped.rules, "lead": {"n": here}})
    found = disagreements(mapped, with_column("lead", LiveColumn(there, "String", TEXTS)))
    assert [each.severity for each in found if isinstance(each.where, InRules)] == [severity]


def test_a_column_without_a_rule_is_a_note() -> None:
    """Nothing of it is checked before it is sent; without any rules at all nobody expects that."""
    found = only(disagreements(policy(rules={"dynamics.contact": "version: 1\ncolumns: {fax: {}}\n"}), tables()))
    assert (found.severity, found.where) == ("note", InRules("contact", "emailaddress1"))


def test_columns_that_nobody_maps_are_nobodys_business() -> None:
    """Rules of them don't matter."""
    assert disagreements(policy(), with_column("lead", text("fax", 7))) == []
    assert not list(column_disagreements(policy(), tables()["lead"]))


# The command


def test_a_stock_policy_passes_with_notes(systems: Systems, policy: Path) -> None:
    """On instances that were set up; notes don't fail."""
    result = systems.run("check", str(policy), "--live")
    assert result.exit_code == 0, result.output
    assert "the instances disagree in 0 errors and" in result.stdout
    assert ": note: " in result.stderr


def test_each_disagreement_has_the_line_that_an_editor_jumps_to(systems: Systems, policy: Path) -> None:
    """In the policy, in a rule file, or at an instance."""
    systems.change("lead", "jobtitle", creatable=False, updatable=False)
    systems.change("contact", "nickname", required="ApplicationRequired")
    systems.change("lead", "subject", length_max=80)
    systems.run("rules", "import", "--output", str(policy.parent / "rules"))
    systems.change("lead", "subject", length_max=60)
    systems.change("lead", "new_must", type="String", required="ApplicationRequired")
    del systems.dynamics.schema.tables["lead"].columns["new_leadsynckey"]
    result = systems.run("check", str(policy), "--live")
    assert result.exit_code == 1
    errors = [line for line in result.stderr.splitlines() if ": error: " in line]
    text_lines = policy.read_text().splitlines()
    job = next(number for number, line in enumerate(text_lines, 1) if "job_title:" in line)
    place = text_lines[job - 1].index("jobtitle}") + 1
    assert f'{policy}:{job}:{place}: error: "jobtitle" of a Dynamics lead is read-only; allowed: direction: to_marketo, or another column' in errors  # fmt: skip
    rules = policy.parent / "rules" / "dynamics.lead.yaml"
    row = next(number for number, line in enumerate(rules.read_text().splitlines(), 1) if " subject:" in line)
    assert any(
        line.startswith(f"{rules}:{row}:") and "the rule allows 80 characters, the instance 60" in line
        for line in errors
    )
    assert any(line.startswith("instance: error: ") and "`leadsync setup` makes it" in line for line in errors)
    assert 'instance: error: "new_must" of a Dynamics lead is required and no field fills it: none can be created; add a field with this column that goes to dynamics' in errors  # fmt: skip


def test_an_option_has_a_line_of_its_own(systems: Systems, policy: Path) -> None:
    """Among ten of them nobody would find it."""
    policy.write_text(policy.read_text().replace("      Web: 8\n", "      Web: 88\n"))
    line = policy.read_text().splitlines().index("      Web: 88") + 1
    result = systems.run("check", str(policy), "--live")
    assert f'{policy}:{line}:7: error: "leadsourcecode" of a Dynamics lead has no option 88 (Web)' in result.stderr


def test_rule_files_that_contradict_the_policy_are_compared_all_the_same(systems: Systems, policy: Path) -> None:
    """They may be what is wrong; a policy that is wrong by itself is not compared."""
    (policy.parent / "rules").mkdir()
    rules = policy.parent / "rules" / "dynamics.lead.yaml"
    rules.write_text("version: 1\ncolumns:\n  jobtitle: {format: integer}\n")
    result = systems.run("check", str(policy), "--live")
    assert result.exit_code == 1
    assert (
        f"{rules}:3:22: error: \"jobtitle\" of a Dynamics lead: the rule's format is integer, the instance's none"
        in result.stderr
    )
    policy.write_text(policy.read_text().replace("dedupe: none", "dedupe: phone"))
    calls = sum(systems.marketo.calls.values())
    result = systems.run("check", str(policy), "--live")
    assert result.exit_code == 1
    assert "not compared with the instances: correct its mistakes first" in result.stderr
    assert sum(systems.marketo.calls.values()) == calls


def test_scripts_get_the_disagreements_too(systems: Systems, policy: Path) -> None:
    """The same keys with and without --live."""
    plain = json.loads(systems.run("check", str(policy), "--json").stdout)
    live = json.loads(systems.run("check", str(policy), "--json", "--live").stdout)
    assert plain.keys() == live.keys()
    assert plain["disagreements"] == []
    assert live["ok"] is True
    assert live["disagreements"][0].keys() == {"severity", "file", "line", "column", "found", "remedy"}


def test_one_system_alone_can_be_compared(systems: Systems, policy: Path) -> None:
    """`--only` goes with `--live`; without its settings the other one is an error of the command line."""
    result = systems.run("check", str(policy), "--live", "--only", "dynamics", LEADSYNC_MARKETO_URL=None)
    assert result.exit_code == 0, result.output
    assert systems.run("check", str(policy), "--only", "dynamics").exit_code == 2
