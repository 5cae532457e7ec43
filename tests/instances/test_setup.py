"""`leadsync setup` on both simulators, and its plan alone."""

from __future__ import annotations

import pytest

from schemas.vocabulary import RecordKind
from streams.connectors.dynamics.columns import KEY, REVISION
from streams.connectors.marketo.names import ACTIVITY_API_NAME, ACTIVITY_ATTRIBUTES, ACTIVITY_PRIMARY, OUR_FIELDS
from streams.connectors.our_fields import (
    DYNAMICS_KEY,
    DYNAMICS_REVISION,
    MARKETO_KEY,
    MARKETO_REVISION,
    SYNC_ACTIVITY,
)
from streams.instances.live import LiveColumn, LiveTable
from streams.instances.setup_dynamics import SCHEMA_NAMES
from streams.instances.setup_plan import ActivityType, State, dynamics_items, marketo_items
from streams.sync.policy import AttributeRule
from tests.instances.systems import Systems

COMPLETE = dict.fromkeys(ACTIVITY_ATTRIBUTES, "string")


def test_the_connectors_use_the_names_that_setup_makes() -> None:
    """A field that is made under one name and written under another would never show a landing."""
    assert OUR_FIELDS == (MARKETO_KEY, MARKETO_REVISION)
    assert (KEY, REVISION) == (DYNAMICS_KEY, DYNAMICS_REVISION)
    assert ACTIVITY_API_NAME == SYNC_ACTIVITY
    assert [name.lower() for name in SCHEMA_NAMES.values()] == [DYNAMICS_KEY, DYNAMICS_REVISION]


def test_setup_shows_what_is_missing_asks_and_makes_it(bare: Systems) -> None:
    """Each thing that was made is said, in both systems."""
    result = bare.run("setup", answer="y\n")
    assert result.exit_code == 0, result.output
    assert "Make what is missing (7 of 7)? [y/N]" in result.stderr
    shown, made = result.stdout.splitlines()[:7], result.stdout.splitlines()[7:]
    assert all(line.endswith("\tto be made") for line in shown)
    assert len([line for line in made if line.startswith("made ")]) == 7
    assert made[-1] == "published in Dynamics: contact, lead"
    key, revision = bare.marketo.catalog.get(MARKETO_KEY), bare.marketo.catalog.get(MARKETO_REVISION)
    assert key is not None and (key.data_type, key.searchable) == ("string", True)
    assert revision is not None and revision.data_type == "integer"
    for kind in ("lead", "contact"):
        columns = bare.dynamics.schema.tables[kind].columns
        assert (columns[DYNAMICS_KEY].type, columns[DYNAMICS_KEY].length_max) == ("String", 100)
        assert (columns[DYNAMICS_REVISION].type, columns[DYNAMICS_REVISION].maximum) == ("Integer", 2_147_483_647)
    assert bare.dynamics.calls["POST PublishXml"] == 1


def test_the_activity_type_is_made_with_what_the_connector_writes_and_approved(systems: Systems) -> None:
    """A draft could not be written to."""
    made = systems.marketo.activity_types.custom[SYNC_ACTIVITY]
    assert made.status == "approved"
    assert made.live is not None and made.live["primaryAttribute"]["apiName"] == ACTIVITY_PRIMARY
    assert {each["apiName"] for each in made.live["attributes"]} == set(ACTIVITY_ATTRIBUTES)


def test_setup_again_finds_everything_there_and_writes_nothing(systems: Systems) -> None:
    """As often as you like."""
    before = dict(systems.marketo.calls + systems.dynamics.calls)
    result = systems.run("setup")
    assert result.exit_code == 0, result.output
    assert result.stderr == "nothing to make: everything is there\n"
    assert all(line.endswith("\tthere") for line in result.stdout.splitlines())
    after = systems.marketo.calls + systems.dynamics.calls
    assert not [name for name in after if after[name] > before.get(name, 0) and name.startswith("POST /rest")]
    assert after["POST PublishXml"] == before["POST PublishXml"]


@pytest.mark.parametrize("answer", ["n\n", ""])
def test_nothing_is_made_without_a_yes(bare: Systems, answer: str) -> None:
    """No, and nobody there to answer, are the same."""
    result = bare.run("setup", answer=answer)
    assert result.exit_code == 1
    assert result.stderr.endswith("nothing was changed\n") or "nothing was changed" in result.stderr
    assert MARKETO_KEY not in bare.marketo.catalog
    assert DYNAMICS_KEY not in bare.dynamics.schema.tables["lead"].columns


def test_one_system_can_be_set_up_without_the_other(bare: Systems) -> None:
    """Not even its address is needed."""
    result = bare.run("setup", "--yes", "--only", "dynamics", LEADSYNC_MARKETO_URL=None)
    assert result.exit_code == 0, result.output
    assert MARKETO_KEY not in bare.marketo.catalog
    assert DYNAMICS_KEY in bare.dynamics.schema.tables["contact"].columns


def test_what_is_there_in_the_wrong_type_is_told_and_left_alone(systems: Systems) -> None:
    """With what is allowed; the rest is made all the same."""
    systems.change("lead", DYNAMICS_KEY, type="Integer")
    systems.change("contact", DYNAMICS_KEY, length_max=40)
    systems.change_field(MARKETO_REVISION, data_type="string")
    del systems.dynamics.schema.tables["contact"].columns[DYNAMICS_REVISION]
    result = systems.run("setup", "--yes")
    assert result.exit_code == 1
    told = [line for line in result.stderr.splitlines() if line.startswith("leadsync: ")]
    assert told == [
        f"leadsync: Marketo: {MARKETO_REVISION} of person is there as string; allowed: integer",
        f"leadsync: Dynamics: {DYNAMICS_KEY} of lead is there as Integer; allowed: text (String) of at least 100 characters",
        f"leadsync: Dynamics: {DYNAMICS_KEY} of contact is there with 40 characters; allowed: text (String) of at least "
        "100 characters",
    ]
    assert systems.dynamics.schema.tables["lead"].columns[DYNAMICS_KEY].type == "Integer"
    assert DYNAMICS_REVISION in systems.dynamics.schema.tables["contact"].columns


def test_an_activity_type_that_lacks_an_attribute_gets_it(bare: Systems) -> None:
    """An earlier run was broken off after the draft, or an older version made it."""
    types = bare.marketo.activity_types
    shape = {"apiName": SYNC_ACTIVITY, "name": "S", "triggerName": "T", "filterName": "F"}
    types.create({**shape, "primaryAttribute": {"apiName": ACTIVITY_PRIMARY, "name": "Event"}}, 10, 0.0)
    types.change_attributes(
        SYNC_ACTIVITY, "create", [{"apiName": "field", "name": "Field", "dataType": "string"}], 20, 0.0
    )
    result = bare.run("setup", "--yes", "--only", "marketo")
    assert result.exit_code == 0, result.output
    assert "is there without activityId, direction, operation" in result.stdout
    assert types.custom[SYNC_ACTIVITY].status == "approved"
    again = bare.run("setup", "--only", "marketo")
    assert again.exit_code == 0, again.output


def test_what_a_system_refuses_is_told_with_its_words(bare: Systems) -> None:
    """Here the role may read everything and change no metadata."""
    bare.denied.add("POST /rest/v1/leads/schema/fields.json")
    bare.dynamics.privileges = bare.dynamics.privileges - {"prvCreateAttribute"}
    result = bare.run("setup", "--yes")
    assert result.exit_code == 1
    assert "leadsync: Marketo: leadsyncKey of person could not be made: 603: Access denied" in result.stderr
    assert "leadsync: Dynamics: new_leadsynckey of lead could not be made: 0x80040220" in result.stderr
    assert "1 of 7 made; run `leadsync setup` again: it goes on where it stopped" in result.stderr


def test_a_field_that_marketo_passes_over_is_not_called_made(bare: Systems) -> None:
    """Its answer is a success with a reason in it; here another field has the display name."""
    bare.change_field("city", display_name="Leadsync Key")
    result = bare.run("setup", "--yes", "--only", "marketo")
    assert result.exit_code == 1
    assert "leadsync: Marketo: leadsyncKey of person could not be made: 1017: " in result.stderr
    assert "2 of 3 made" in result.stderr


def test_a_system_that_cannot_be_asked_is_one_line_and_status_2(bare: Systems) -> None:
    """With the command that finds out why."""
    result = bare.run("setup", LEADSYNC_MARKETO_CLIENT_SECRET="wrong")
    assert result.exit_code == 2
    assert result.stderr == (
        "leadsync: Marketo: 401: the identity service does not take the client id and secret; "
        "`leadsync doctor marketo` finds out why\n"
    )


# The plan alone


def person(**columns: LiveColumn) -> LiveTable:
    return LiveTable("person", columns)


def column(name: str, type_name: str, **rule: object) -> LiveColumn:
    return LiveColumn(AttributeRule(name, **rule), type_name, ())  # type: ignore[arg-type]


def activity(**changed: object) -> ActivityType:
    given = {"is_approved": True, "has_draft": False, "primary": ACTIVITY_PRIMARY, "attributes": COMPLETE, **changed}
    return ActivityType(**given)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("found", "state", "remark"),
    [
        (None, "missing", ""),
        (activity(), "there", ""),
        (activity(is_approved=False, has_draft=True), "missing", "is a draft, not approved"),
        (activity(has_draft=True), "missing", "is a draft, not approved"),
        (activity(attributes={**COMPLETE, "code": "integer"}), "wrong", "its attribute code is there as integer; allowed: string, text"),
        (activity(primary="other"), "wrong", "its primary attribute is other; allowed: event"),
    ],
)  # fmt: skip
def test_the_activity_type_may_be_in_any_state(found: ActivityType | None, state: State, remark: str) -> None:
    """Only one that is approved, complete and of the right types is there."""
    item = marketo_items(person(), found)[-1]
    assert (item.state, item.remark) == (state, remark)


@pytest.mark.parametrize(
    ("found", "remark"),
    [
        (column(MARKETO_KEY, "string", creatable=False, updatable=False), "read-only"),
        (LiveColumn(AttributeRule(MARKETO_KEY), "string", (), searchable=False), "can't be looked up"),
        (column(MARKETO_KEY, "text"), "is there as text; allowed: string"),
    ],
)
def test_a_key_field_that_would_not_do_is_wrong(found: LiveColumn, remark: str) -> None:
    """It must be writable, and people must be found by it: creates are repeated by it."""
    item = marketo_items(person(leadsyncKey=found), None)[0]
    assert item.state == "wrong"
    assert remark in item.remark


@pytest.mark.parametrize(
    ("found", "remark"),
    [
        (column(DYNAMICS_REVISION, "Integer", maximum=100), "is there with a maximum of 100; allowed: a whole number"),
        (column(DYNAMICS_REVISION, "Decimal"), "is there as Decimal; allowed: a whole number (Integer)"),
        (column(DYNAMICS_REVISION, "Integer", updatable=False), "read-only"),
    ],
)
def test_a_revision_column_that_would_not_do_is_wrong(found: LiveColumn, remark: str) -> None:
    """A revision that does not fit would be refused one day."""
    tables: dict[RecordKind, LiveTable] = {
        "lead": LiveTable("lead", {DYNAMICS_REVISION: found}),
        "contact": LiveTable("contact", {}),
    }
    item = next(item for item in dynamics_items(tables) if item.name == DYNAMICS_REVISION)
    assert item.state == "wrong"
    assert remark in item.remark
