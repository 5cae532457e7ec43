"""What the two APIs tell of columns, as rule files and checks have it."""

from __future__ import annotations

from typing import Any

import pytest

from streams.instances.dynamics_metadata import QUERIES, record_table
from streams.instances.live import LiveColumn, LiveTable
from streams.instances.marketo_metadata import person_table
from streams.sync.policy import TEXT_TYPES, AttributeRule

Told = dict[str, Any]


def general(name: str, type_name: str, level: str = "None", **more: Any) -> Told:
    """One attribute of the list of all."""
    return {
        "LogicalName": name,
        "AttributeType": type_name,
        "AttributeTypeName": {"Value": f"{type_name}Type"},
        "AttributeOf": None,
        "RequiredLevel": {"Value": level, "CanBeChanged": True},
        "IsValidForCreate": True,
        "IsValidForUpdate": True,
        "IsValidForRead": True,
        **more,
    }


def one(name: str, type_name: str, special: Told | None = None, **more: Any) -> LiveColumn:
    """A lead that has just this column."""
    return lead([general(name, type_name, **more)], {type_name: [{"LogicalName": name, **(special or {})}]}).columns[
        name
    ]


def lead(attributes: list[Told], by_type: dict[str, list[Told]] | None = None, **entity: Any) -> LiveTable:
    return record_table("lead", entity, attributes, by_type or {})


def option(number: int, label: str) -> Told:
    return {"Value": number, "Label": {"UserLocalizedLabel": {"Label": label, "LanguageCode": 1033}}}


@pytest.mark.parametrize(
    ("format_name", "expected"),
    [("Text", None), ("Email", "email"), ("Phone", "phone"), ("Url", "url"), ("TextArea", None)],
)
def test_a_text_has_its_length_and_format(format_name: str, expected: str | None) -> None:
    """`FormatName` is a value within an object."""
    live = one("emailaddress1", "String", {"MaxLength": 100, "FormatName": {"Value": format_name}})
    assert live.rule == AttributeRule("emailaddress1", length_max=100, format=expected)  # type: ignore[arg-type]
    assert set(live.holds) == TEXT_TYPES


@pytest.mark.parametrize(
    ("level", "required", "fills_itself"),
    [
        ("None", False, False),
        ("Recommended", False, False),
        ("ApplicationRequired", True, False),
        ("SystemRequired", False, True),
    ],
)
def test_only_application_required_is_required(level: str, required: bool, fills_itself: bool) -> None:
    """Dynamics fills what the system requires."""
    live = one("lastname", "String", level=level)
    assert (live.rule.required, live.fills_itself) == (required, fills_itself)


@pytest.mark.parametrize(
    ("special", "expected"),
    [
        ({"Format": "DateOnly", "DateTimeBehavior": {"Value": "DateOnly"}}, "date"),
        ({"Format": "DateOnly", "DateTimeBehavior": {"Value": "UserLocal"}}, "datetime"),
        ({"Format": "DateAndTime", "DateTimeBehavior": {"Value": "TimeZoneIndependent"}}, "datetime"),
        ({"Format": "DateOnly"}, "date"),
        ({"Format": "DateAndTime"}, "datetime"),
    ],
)
def test_what_the_web_api_shows_as_a_time_is_a_time(special: Told, expected: str) -> None:
    """A form may show a user-local time as a day; the API gives the time all the same."""
    live = one("birthdate", "DateTime", special)
    assert (live.rule.format, live.holds) == (expected, (expected,))


def test_options_come_from_the_column_or_from_a_global_set() -> None:
    """With their words; a multi-select calls itself virtual."""
    own = one("leadsourcecode", "Picklist", {"OptionSet": {"Options": [option(1, "Web")]}, "GlobalOptionSet": None})
    shared = one("new_region", "Picklist", {"OptionSet": None, "GlobalOptionSet": {"Options": [option(7, "North")]}})
    several = one(
        "new_topics",
        "MultiSelectPicklist",
        {"OptionSet": {"Options": [option(1, "Beer"), option(2, "Wine")]}},
        AttributeType="Virtual",
    )
    assert (own.rule.options, own.labels) == (frozenset({1}), {1: "Web"})
    assert (shared.rule.options, shared.labels) == (frozenset({7}), {7: "North"})
    assert (several.rule.options, several.rule.multiple, several.holds) == (frozenset({1, 2}), True, ("options",))


def test_a_column_with_a_default_fills_itself() -> None:
    """Minus one is Dataverse's word for no default."""
    options = {"OptionSet": {"Options": [option(2, "Warm")]}}
    assert one("leadqualitycode", "Picklist", {**options, "DefaultFormValue": 2}).fills_itself
    assert not one("leadqualitycode", "Picklist", {**options, "DefaultFormValue": -1}).fills_itself
    assert one("donotphone", "Boolean").fills_itself


@pytest.mark.parametrize("type_name", ["Integer", "Decimal", "Double", "Money"])
def test_numbers_have_their_range(type_name: str) -> None:
    """Whole numbers take no fractions."""
    live = one("revenue", type_name, {"MinValue": 0, "MaxValue": 1_000_000.5})
    expected = "integer" if type_name == "Integer" else "decimal"
    assert (live.rule.minimum, live.rule.maximum, live.rule.format) == (0, 1_000_000.5, expected)
    assert "integer" in live.holds


def test_what_may_not_be_written_is_read_only() -> None:
    """Each on its own: some can be written once."""
    live = one("statecode", "State", IsValidForCreate=False)
    assert (live.rule.creatable, live.rule.updatable) == (False, True)
    assert one("ownerid", "Owner").is_lookup


def test_columns_that_only_repeat_others_are_none() -> None:
    """The name of a lookup, the word of an option, and what nobody can read."""
    table = lead(
        [
            general("owneridname", "String", AttributeOf="ownerid"),
            general("leadsourcecodename", "Virtual", AttributeOf="leadsourcecode"),
            general("entityimage", "Virtual"),
            general("hidden", "String", IsValidForRead=False),
            general("ownerid", "Owner"),
        ]
    )
    assert list(table.columns) == ["ownerid"]


def test_a_table_says_whether_it_tracks_changes() -> None:
    """And whether it checks versions; None where Dataverse does not say."""
    table = lead([], ChangeTrackingEnabled=True, IsOptimisticConcurrencyEnabled=False)
    assert (table.tracks_changes, table.checks_versions) == (True, False)
    assert (lead([]).tracks_changes, lead([]).checks_versions) == (None, None)


def test_every_type_whose_list_is_read_is_understood() -> None:
    """A list that nobody looks at would be a call for nothing."""
    for type_name in QUERIES:
        assert one("new_column", type_name).holds, type_name


# Marketo


def described(name: str, data_type: str, length: int | None = None, read_only: bool = False) -> Told:
    """A field as describe.json shows it."""
    shown: Told = {"id": 1, "displayName": name, "dataType": data_type, "rest": {"name": name, "readOnly": read_only}}
    return shown if length is None else {**shown, "length": length}


@pytest.mark.parametrize(
    ("field", "rule"),
    [
        (described("jobTitle", "string", 255), AttributeRule("jobTitle", length_max=255)),
        (described("email", "email", 255), AttributeRule("email", length_max=255, format="email")),
        (described("notes", "text", 30_000), AttributeRule("notes", bytes_max=30_000)),
        (described("notes", "textArea"), AttributeRule("notes", bytes_max=30_000)),
        (described("leadScore", "score"), AttributeRule("leadScore", format="integer")),
        (described("share", "percent"), AttributeRule("share", format="integer")),
        (described("annualRevenue", "currency"), AttributeRule("annualRevenue", format="decimal")),
        (described("unsubscribed", "boolean"), AttributeRule("unsubscribed", format="boolean")),
        (described("born", "date"), AttributeRule("born", format="date")),
        (described("since", "datetime"), AttributeRule("since", format="datetime")),
        (described("id", "integer", read_only=True), AttributeRule("id", format="integer", creatable=False, updatable=False)),
        (described("sum", "formula"), AttributeRule("sum", creatable=False, updatable=False)),
    ],
)  # fmt: skip
def test_a_field_of_each_type(field: Told, rule: AttributeRule) -> None:
    """Lengths of texts only; a text area is measured in bytes; a type that nobody knows is read-only."""
    assert person_table([field], None).columns[rule.name].rule == rule


def test_a_field_that_rest_cannot_name_is_none() -> None:
    """SOAP's alone."""
    assert not person_table([{"id": 1, "displayName": "X", "dataType": "string", "soap": {"name": "X"}}], None).columns


def test_describe2_says_what_people_can_be_looked_up_by() -> None:
    """Where it could not be read, anything might."""
    fields = [described("email", "email"), described("topic", "string")]
    known = person_table(fields, ["email", "id"]).columns
    assert (known["email"].searchable, known["topic"].searchable) == (True, False)
    assert person_table(fields, None).columns["topic"].searchable
