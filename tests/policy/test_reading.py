"""The policy file: each mistake planted once, told at its line and column with what is allowed; and what a good one says."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.policy import PolicyError, default_policy_text, default_rule_texts, digest_of, examine, read_policy
from streams.policy.mistakes import Mistake
from streams.sync.policy import FieldRule, Policy

POLICY = """\
version: 1
authority: {lead: marketo, contact: dynamics}
filter: new_synctomkto
dedupe: none
propagate_deletes: []
collision_window_seconds: none
fields:
  last_name: {marketo: lastName, dynamics: lastname}
  topic: {marketo: topic, lead: subject, default: (no topic)}
  rating:
    marketo: rating
    lead: leadqualitycode
    type: option
    options: {Hot: 1, Cold: 3}
  created: {marketo: createdDate, dynamics: createdon, type: datetime, direction: to_marketo}
  kind: {marketo: microsoftType, computed: record_type}
"""
LAST_NAME = "{marketo: lastName, dynamics: lastname}"
TOPIC = "{marketo: topic, lead: subject, default: (no topic)}"

LEAD_RULES = """\
version: 1
columns:
  lastname: {required: true, length_max: 50}
  subject: {required: true, length_max: 300}
  leadqualitycode: {options: [1, 2, 3]}
  donotphone: {format: boolean}
  createdon: {format: datetime, creatable: false, updatable: false}
"""
RULES = {"dynamics.lead": LEAD_RULES}


def planted(text: str, old: str, new: str) -> tuple[str, int, int]:
    """The text with a mistake in it; `^` in the new part says where it must be told."""
    assert text.count(old) == 1, old
    marked = text.replace(old, new)
    before, after = marked.split("^")
    return before + after, before.count("\n") + 1, len(before) - before.rfind("\n")


def only_mistake(text: str, rules: dict[str, str]) -> Mistake:
    reading = examine(text, rules)
    assert reading.policy is None
    assert len(reading.mistakes) == 1, "\n".join(map(str, reading.mistakes))
    return reading.mistakes[0]


PLANTED: dict[str, tuple[str, str, str, str]] = {
    # story: what stood there, what stands there now, found, allowed
    "a misspelt setting": ("dedupe: none", "^dedup: none", '"dedup"', "did you mean dedupe?"),
    "a misspelt field setting": (
        LAST_NAME,
        "{^Marketo: x, marketo: a, dynamics: b}",
        '"Marketo"',
        "did you mean marketo?",
    ),
    "a misspelt word": ("direction: to_marketo", "direction: ^to_markteo", '"to_markteo"', "did you mean to_marketo?"),
    "a misspelt type": ("type: option", "type: ^optoin", '"optoin"', "did you mean option?"),
    "a list where a word belongs": ("type: option", "type: ^[option]", "found a list", "text, email"),
    "a word where a section belongs": (LAST_NAME, "^lastname", '"lastname"', "a field's settings"),
    "nothing where a section belongs": (
        f"last_name: {LAST_NAME}",
        "^last_name:",
        "found nothing",
        "a field's settings",
    ),
    "another version": ("version: 1", "version: ^2", "found 2", "a whole number, 1"),
    "a version in words": ("version: 1", "version: ^one", '"one"', "a whole number, 1"),
    "no version": ("version: 1\n", "^", "found no version", "`version: 1`"),
    "an unknown authority": ("lead: marketo,", "lead: ^salesforce,", '"salesforce"', "marketo, dynamics"),
    "an authority over accounts": ("{lead: marketo,", "{^account: marketo,", '"account"', "lead, contact"),
    "one authority for all": ("{lead: marketo, contact: dynamics}", "^marketo", '"marketo"', "`lead:` and `contact:`"),
    "a filter with a capital": (
        "new_synctomkto",
        "^new_SyncToMkto",
        '"new_SyncToMkto"',
        "small letters, digits and _, or none",
    ),
    "an unknown dedupe": ("dedupe: none", "dedupe: ^phone", '"phone"', "none, email"),
    "deletes to nowhere known": ("deletes: []", "deletes: [marketo, ^crm]", '"crm"', "marketo, dynamics"),
    "a negative window": ("seconds: none", "seconds: ^-1", "found -1", "a number from 0 to 31,536,000"),
    "a window in words": ("seconds: none", "seconds: ^5m", '"5m"', "a number from 0"),
    "a field name with a capital": ("  last_name:", "  ^lastName:", '"lastName"', "a name such as job_title"),
    "no Marketo name": (LAST_NAME, "{dynamics: lastname}", "", ""),
    "no Dynamics name": (LAST_NAME, "{marketo: lastName}", "", ""),
    "a Marketo name with a space": ("marketo: lastName", 'marketo: ^"Last Name"', '"Last Name"', "a Marketo REST name"),
    "a Dynamics schema name": ("dynamics: lastname", "dynamics: ^LastName", '"LastName"', "a Dynamics logical name"),
    "both ways to name": ("lead: subject", "dynamics: subject, ^lead: subject", "both dynamics and lead", "either"),
    "no options": ("    options: {Hot: 1, Cold: 3}\n", "", "", ""),
    "empty options": ("options: {Hot: 1, Cold: 3}", "options: ^{}", "no options", "a `Label: number` for each option"),
    "options without a section": ("options: {Hot: 1, Cold: 3}", "options: ^[Hot, Cold]", "a list", "`Label: number`"),
    "an option without a number": ("Hot: 1", "Hot: ^hot", '"hot"', "the option's number in Dynamics"),
    "an option number twice": ("Cold: 3", "Cold: ^1", "found 1", "each option number once"),
    "an option twice": ("Cold: 3", "^Hot: 3", '"Hot" a second time', "line 14 has it"),
    "an option with a semicolon": ("Cold: 3", '^"Cold; dead": 3', '"Cold; dead"', "a label without ;"),
    "options on text": ("lead: subject,", "lead: subject, ^options: {A: 1},", "of type text", "type: option"),
    "an option the column lacks": ("Cold: 3", "Cold: ^4", 'found 4, which "leadqualitycode"', "1, 2, 3"),
    "a winner on a one-way field": (
        "direction: to_marketo",
        "direction: to_marketo, ^winner: latest",
        "winner",
        "both",
    ),
    "unless_blank on a one-way field": (
        "direction: to_marketo",
        "direction: to_marketo, ^unless_blank: true",
        "unless_blank",
        "where direction is both",
    ),
    "unless_blank as a word": ("lead: subject,", "lead: subject, unless_blank: ^yes,", '"yes"', "true, false"),
    "blocked where it never writes": (
        "direction: to_marketo",
        "direction: to_marketo, block_updates: ^[dynamics]",
        '"dynamics"',
        "marketo",
    ),
    "blocked in an unknown system": (
        "lead: subject,",
        "lead: subject, block_updates: [^mkto],",
        '"mkto"',
        "marketo, dynamics",
    ),
    "computed by an unknown rule": ("computed: record_type", "computed: ^record_typ", "", ""),
    "computed with a Dynamics name": (
        "computed: record_type",
        "computed: record_type, ^dynamics: a",
        "dynamics on a comp",
        "marketo, type",
    ),
    "computed with a default": (
        "computed: record_type",
        "computed: record_type, ^default: Lead",
        "default on a comp",
        "marketo, type",
    ),
    "computed in another direction": (
        "computed: record_type",
        "computed: record_type, direction: ^both",
        '"both"',
        "to_marketo",
    ),
    "computed of another type": (
        "computed: record_type",
        "computed: record_type, type: ^boolean",
        '"boolean"',
        "text for record_type",
    ),
    "an empty default": ("(no topic)", '^""', '""', "or no `default:` at all"),
    "a number as default of a text": ("(no topic)", "^2.50", "found 2.5", "in quotes"),
    "a section as default": ("(no topic)", "^{a: b}", "a section", "text"),
    "a default that is no option": ("type: option", "type: option\n    default: ^Tepid", '"Tepid"', "Hot, Cold"),
    "a default that one of its receivers cannot hold": (
        TOPIC,
        "{marketo: topic, lead: revenue, type: decimal, default: ^0.12345678901}",
        "found 0.12345678901",
        "a number",
    ),
    "a default that is too long": ("(no topic)", f"^{'x' * 301}", "has 301 characters", "a value within it"),
    "a column in two fields": (
        TOPIC,
        "{marketo: topic, lead: ^lastname}",
        '"lastname" of a Dynamics lead, which last_name (line 8)',
        "each column in one field",
    ),
    "a Marketo field in two fields": (
        TOPIC,
        "{marketo: ^lastName, lead: subject}",
        '"lastName" of a Marketo person',
        "each column",
    ),
    "a column that cannot be written": (", direction: to_marketo", "", "", ""),
    "a type that the column cannot take": (
        TOPIC,
        "{marketo: x, lead: ^donotphone}",
        "takes true or false",
        "type: boolean",
    ),
    "no fields at all": (POLICY[POLICY.index("fields:") :], "^fields:\n", "", ""),
    "a setting twice": ("dedupe: none", "dedupe: none\n^version: 1", '"version" a second time', "line 1 has it"),
    "a field twice": ("  topic: {", "  ^last_name: {", '"last_name" a second time', "line 8 has it"),
    "an anchor": ("filter: new_synctomkto", "filter: ^&f new_synctomkto", 'anchor or alias "f"', "written out"),
    "a merge key": ("  topic: {", "  topic: {^<<: {}, ", "no plain name", "a name followed by a colon"),
    "a tag": ("filter: new_synctomkto", "filter: ^!secret x", '"!secret"', "values without tags"),
    "a key that is a list": ("dedupe: none", "^[a, b]: none", "no plain name", "a name followed by a colon"),
    "an open bracket": ("deletes: []", "deletes: [\nx: y", "", ""),
    "a tab": ("dedupe: none", "^\tdedupe: none", "not readable as YAML", "with spaces"),
    "two documents": ("dedupe: none", "^---\ndedupe: none", "not readable as YAML", "`name: value` lines"),
    "a control character": ("dedupe: none", "dedupe: ^\x07", "a character that YAML does not allow", "printable text"),
}
ELSEWHERE = {
    "an open bracket": (7, 25, "not readable as YAML", "indented alike"),
    # stories whose place is not in the changed part
    "no Marketo name": (8, 3, "found no Marketo name for last_name", "`marketo:`"),
    "no Dynamics name": (8, 3, "found no Dynamics name for last_name", "`dynamics:`"),
    "no options": (10, 3, "found no options for rating", "`options:`"),
    "a column that cannot be written": (
        15,
        45,
        '"createdon", which cannot be written on a Dynamics lead',
        "direction: to_marketo",
    ),
}
MORE_THAN_ONE = {"computed by an unknown rule", "no fields at all"}


@pytest.mark.parametrize("story", sorted(set(PLANTED) - MORE_THAN_ONE))
def test_a_mistake_is_told_where_it_stands(story: str) -> None:
    """Line, column, what was found and what is allowed, and nothing else."""
    old, new, found, allowed = PLANTED[story]
    if story in ELSEWHERE:
        line, column, found, allowed = ELSEWHERE[story]
        text = POLICY.replace(old, new)
        assert text != POLICY
    else:
        text, line, column = planted(POLICY, old, new)
    mistake = only_mistake(text, RULES)
    assert (mistake.file, mistake.line, mistake.column) == ("policy.yaml", line, column)
    assert found in mistake.found
    assert allowed in mistake.allowed


def test_a_misspelt_computed_rule_leaves_a_field_without_dynamics_name() -> None:
    """One slip may show as two mistakes; both stand in the same line."""
    text, line, column = planted(POLICY, "computed: record_type", "computed: ^record_typ")
    mistakes = examine(text, RULES).mistakes
    assert {mistake.line for mistake in mistakes} == {line}
    assert any(mistake.column == column and "did you mean record_type?" in mistake.allowed for mistake in mistakes)


@pytest.mark.parametrize("fields", ["fields: {}\n", "fields:\n", "fields: many\n", "fields: [a, b]\n", ""])
def test_a_policy_without_fields_is_a_mistake(fields: str) -> None:
    """Nothing to sync is not what anyone means."""
    text = POLICY[: POLICY.index("fields:")] + fields
    mistake = only_mistake(text, {})
    assert mistake.line == (7 if fields else 1)
    assert "field" in mistake.allowed


def test_several_mistakes_are_told_at_once_in_the_order_of_the_file() -> None:
    """A person corrects the whole list, not the first of it."""
    text = (
        POLICY.replace("dedupe: none", "dedup: none")
        .replace("lead: marketo", "lead: market")
        .replace("Cold: 3", "Cold: 1")
    )
    with pytest.raises(PolicyError) as caught:
        read_policy(text, RULES, "my.yaml")
    assert [(mistake.file, mistake.line) for mistake in caught.value.mistakes] == [
        ("my.yaml", 2),
        ("my.yaml", 4),
        ("my.yaml", 14),
    ]
    assert str(caught.value).splitlines()[0] == (
        'my.yaml:2:19: found "market"; allowed: marketo, dynamics (did you mean marketo?)'
    )


PLANTED_RULES: dict[str, tuple[str, str, str, str]] = {
    "a misspelt rule": ("length_max: 50", "^max_length: 50", '"max_length"', "length_max"),
    "a length in words": ("length_max: 50", "length_max: ^fifty", '"fifty"', "a whole number from 1 to"),
    "a length of nothing": ("length_max: 50", "length_max: ^0", "found 0", "a whole number from 1 to"),
    "half a character": ("length_max: 50", "length_max: ^1.5", "found 1.5", "a whole number"),
    "required, perhaps": ("required: true, length_max: 50", "required: ^maybe", '"maybe"', "true, false"),
    "an unknown format": ("format: boolean", "format: ^bool", '"bool"', "did you mean boolean?"),
    "a range upside down": ("format: boolean", "minimum: 3, maximum: ^1", "found 1", "at least the minimum, 3"),
    "options as a word": ("[1, 2, 3]", "^1", "found 1", "a list of option numbers"),
    "an option that is a list": ("[1, 2, 3]", "^[1, [2]]", "a list", "a list of option numbers"),
    "a column with a capital": ("  donotphone:", "  ^DoNotPhone:", '"DoNotPhone"', "a Dynamics logical name"),
    "a number where rules belong": ("{format: boolean}", "^50", "found 50", "rules such as {length_max: 50}"),
    "a misspelt section": ("columns:", "^colums:", '"colums"', "did you mean columns?"),
    "no version": ("version: 1\n", "^", "found no version", "`version: 1`"),
    "a column twice": ("  donotphone:", "  ^lastname:", '"lastname" a second time', "line 3 has it"),
}


@pytest.mark.parametrize("story", sorted(PLANTED_RULES))
def test_a_mistake_in_a_rule_file_is_told_where_it_stands(story: str) -> None:
    """With the rule file's own name."""
    old, new, found, allowed = PLANTED_RULES[story]
    text, line, column = planted(LEAD_RULES, old, new)
    mistakes = [mistake for mistake in examine(POLICY, {"dynamics.lead": text}).mistakes if mistake.line == line]
    assert [(mistake.file, mistake.line, mistake.column) for mistake in mistakes] == [
        ("dynamics.lead.yaml", line, column)
    ]
    assert found in mistakes[0].found
    assert allowed in mistakes[0].allowed


def test_a_misspelt_rule_file_is_told() -> None:
    """Rules under a name that nothing reads would check nothing, in silence."""
    mistake = only_mistake(POLICY, {"dynamics.leads": LEAD_RULES})
    assert (mistake.file, mistake.line, mistake.column) == ("dynamics.leads.yaml", 1, 1)
    assert "did you mean dynamics.lead.yaml?" in mistake.allowed


def test_a_column_that_the_rules_do_not_know_is_a_note_and_no_mistake() -> None:
    """It may be a custom column; it may be a slip; the reader knows."""
    text, line, column = planted(POLICY, "lead: subject", "lead: ^subjct")
    reading = examine(text, RULES)
    assert reading.policy is not None
    (unknown,) = [note for note in reading.notes if "subjct" in note.found]
    assert (unknown.line, unknown.column) == (line, column)
    assert "did you mean subject?" in unknown.found


def test_a_default_of_a_field_that_goes_to_marketo_is_noted_and_not_heeded() -> None:
    """Only Dynamics says what there is, so nothing could keep it. A policy in force with it is read as ever."""
    default = 'direction: to_marketo, ^default: "2026-09-01T09:14:07Z"'
    text, line, column = planted(POLICY, "direction: to_marketo", default)
    reading = examine(text, RULES)
    assert reading.policy is not None
    assert all(rule.default is None for rule in reading.policy.fields.values() if rule.direction == "to_marketo")
    [note] = [note for note in reading.notes if "default" in note.found]
    assert (note.line, note.column) == (
        line,
        column,
    ) and note.allowed == "default where direction is both or to_dynamics"


def test_a_required_column_that_no_field_fills_is_a_note() -> None:
    """A policy that never creates leads is allowed; whoever expects leads is told why there are none."""
    reading = examine(POLICY.replace(f"  topic: {TOPIC}\n", ""), RULES)
    assert [note.found for note in reading.notes] == [
        '"subject" of a Dynamics lead is required and no field fills it: none can be created'
    ]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("x" * 200_001, "200001 bytes"),
        ("[" * 20_000, "without end"),
        ("", "an empty file"),
        ("# nothing but words\n", "an empty file"),
        ("- a\n- b\n", "a list"),
        ("just words", '"just words"'),
        ("a: &a [*a]", "anchor"),
    ],
)
def test_a_file_of_another_kind_is_one_mistake(text: str, found: str) -> None:
    """Whatever is given: an answer, not a crash."""
    mistakes = examine(text, {}).mistakes
    assert any(found in mistake.found for mistake in mistakes)


def test_a_file_with_too_many_fields_is_refused() -> None:
    """A message takes no more fields than that."""
    fields = "".join(f"  f{n}: {{marketo: f{n}, dynamics: f{n}}}\n" for n in range(501))
    mistake = only_mistake(f"version: 1\nfields:\n{fields}", {})
    assert (mistake.line, mistake.found, mistake.allowed) == (2, "found 501 fields", "at most 500")


def test_an_option_field_with_too_many_options_is_refused() -> None:
    """No list of either system is that long."""
    options = ", ".join(f"L{n}: {n}" for n in range(501))
    text, line, column = planted(POLICY, "options: {Hot: 1, Cold: 3}", f"options: ^{{{options}}}")
    mistakes = examine(text, {}).mistakes
    assert (mistakes[0].line, mistakes[0].column) == (line, column)
    assert (mistakes[0].found, mistakes[0].allowed) == ("found 501 options", "at most 500")


def test_at_most_200_mistakes_are_told() -> None:
    """A file of another kind does not fill the screen."""
    fields = "".join(f"  f{n}: {{}}\n" for n in range(400))
    assert len(examine(f"version: 1\nfields:\n{fields}", {}).mistakes) == 200


def test_a_good_policy_says_what_its_file_says() -> None:
    """Each setting once, other than its default."""
    text = """\
version: 1
authority: {lead: dynamics}
filter: none
dedupe: email
propagate_deletes: [dynamics]
collision_window_seconds: 1.5
fields:
  name: {marketo: lastName, lead: lastname, winner: latest, unless_blank: true, block_updates: marketo}
  age: {marketo: age, contact: age, type: integer, direction: to_dynamics, default: 12.0}
  tags: {marketo: tags, dynamics: tags, type: options, options: {A: 2, B: 1}, default: [B, A]}
  gone: {marketo: gone, computed: is_deleted}
"""
    policy = read_policy(text, {})
    assert policy.authority == {"lead": "dynamics", "contact": "dynamics"}
    assert policy.propagate_deletes_to == {"dynamics"}
    assert (policy.filter_column, policy.dedupe, policy.collision_window_seconds) == (None, "email", 1.5)
    assert policy.fields["name"] == FieldRule(
        name="name",
        type="text",
        marketo="lastName",
        lead="lastname",
        winner="latest",
        unless_blank=True,
        block_updates=frozenset({"marketo"}),
    )
    age: Any = policy.fields["age"].default
    assert (age, type(age)) == (12, int)
    assert policy.fields["tags"].default == ("A", "B")
    gone = policy.fields["gone"]
    assert (gone.type, gone.direction, gone.computed) == ("boolean", "to_marketo", "is_deleted")
    assert policy.outbound["contact"] == {"age": "age", "tags": "tags"}
    assert policy.inbound["person"].keys() == {"lastName", "age", "tags", "gone"}  # a late repeat of ours may show it


def test_a_policy_carries_the_digest_of_its_texts() -> None:
    """The digest is of the texts as they are, rule files included, whatever order these come in."""
    rules = {"dynamics.lead": LEAD_RULES, "marketo.person": "version: 1\ncolumns: {}\n"}
    policy: Policy = read_policy(POLICY, rules)
    assert policy.digest == digest_of(POLICY, dict(reversed(rules.items())))
    others = [(POLICY + "\n", rules), (POLICY, {}), (POLICY, {**rules, "dynamics.lead": LEAD_RULES + "\n"})]
    assert len({policy.digest, *(digest_of(*other) for other in others)}) == 4


@given(st.data())
def test_a_damaged_policy_is_read_or_refused_but_never_crashes(data: st.DataObject) -> None:
    """Any piece of the shipped file may be missing, or be anything."""
    text = default_policy_text()
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(len(text), start + 40)))
    damaged = text[:start] + data.draw(st.text(max_size=10)) + text[end:]
    reading = examine(damaged, {})
    assert (reading.policy is None) == bool(reading.mistakes)
    for mistake in reading.mistakes:
        assert 1 <= mistake.line <= damaged.count("\n") + 2
        assert mistake.column >= 1


def test_the_shipped_texts_are_within_the_message_they_travel_in() -> None:
    """`policies` carries them in one message of at most 1 MiB."""
    assert len(default_policy_text()) + sum(map(len, default_rule_texts().values())) < 100_000
