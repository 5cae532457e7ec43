"""Table and column definitions: what is there, what only a cast shows, and how columns and keys come and go."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import pytest

from tests.simulators.dynamics.organisation import Organisation, organisation

LEAD = "EntityDefinitions(LogicalName='lead')"
CRM = "Microsoft.Dynamics.CRM"
KEY = {
    "@odata.type": f"{CRM}.StringAttributeMetadata",
    "SchemaName": "new_LeadsyncKey",
    "MaxLength": 100,
    "FormatName": {"Value": "Text"},
    "RequiredLevel": {"Value": "None"},
}
REVISION = {
    "@odata.type": f"{CRM}.IntegerAttributeMetadata",
    "SchemaName": "new_leadsyncrevision",
    "MinValue": 0,
    "MaxValue": 99,
}


async def attributes(org: Organisation, cast: str = "", query: str = "") -> dict[str, dict[str, Any]]:
    """The columns of a lead by name, as a cast shows them."""
    path = f"{LEAD}/Attributes{f'/{CRM}.{cast}AttributeMetadata' if cast else ''}"
    answer = await org.ask("GET", f"{path}?{query}" if query else path)
    assert answer.status == 200, answer.text
    return {each["LogicalName"]: each for each in answer.row["value"]}


async def test_a_table_says_whether_it_tracks_changes_and_checks_versions() -> None:
    """And how it is called in all ways."""
    async with organisation(checks_versions=False) as org:
        row = (
            await org.ask("GET", f"{LEAD}?$select=LogicalName,ChangeTrackingEnabled,IsOptimisticConcurrencyEnabled")
        ).row
        assert (row["LogicalName"], row["ChangeTrackingEnabled"], row["IsOptimisticConcurrencyEnabled"]) == (
            "lead",
            True,
            False,
        )
        query = (
            "EntityDefinitions?$select=LogicalName,EntitySetName,PrimaryIdAttribute&$filter=LogicalName eq 'contact'"
        )
        (found,) = (await org.ask("GET", query)).row["value"]
        assert (found["EntitySetName"], found["PrimaryIdAttribute"]) == ("contacts", "contactid")
        assert (await org.ask("GET", f"EntityDefinitions({found['MetadataId']})")).row["LogicalName"] == "contact"
        tracking = "EntityDefinitions?$select=SchemaName&$filter=ChangeTrackingEnabled eq true"
        assert [each["SchemaName"] for each in (await org.ask("GET", tracking)).row["value"]] == ["Lead", "Contact"]
        assert (await org.ask("GET", "EntityDefinitions(LogicalName='widget')")).status == 404


async def test_change_tracking_can_be_turned_on_and_never_off() -> None:
    """By PUT of the definition."""
    async with organisation(tracks_changes=False) as org:
        assert (await org.ask("PUT", LEAD, {"ChangeTrackingEnabled": True})).status == 204
        assert (await org.ask("PUT", LEAD, {"ChangeTrackingEnabled": False})).status == 204
        assert (await org.ask("GET", LEAD)).row["ChangeTrackingEnabled"] is True


async def test_columns_without_a_cast_show_what_all_have() -> None:
    """Type, required level, who may write; what only a type has is not known there."""
    async with organisation() as org:
        found = await attributes(org)
        assert {name: found[name]["AttributeType"] for name in ("jobtitle", "ownerid", "statecode", "leadid", "revenue")} == {
            "jobtitle": "String", "ownerid": "Owner", "statecode": "State", "leadid": "Uniqueidentifier", "revenue": "Money",
        }  # fmt: skip
        levels = {
            name: found[name]["RequiredLevel"]["Value"] for name in ("lastname", "firstname", "ownerid", "jobtitle")
        }
        assert levels == {
            "lastname": "ApplicationRequired", "firstname": "Recommended", "ownerid": "SystemRequired", "jobtitle": "None",
        }  # fmt: skip
        assert not found["fullname"]["IsValidForCreate"] and not found["createdon"]["IsValidForUpdate"]
        assert found["jobtitle"]["@odata.type"] == f"#{CRM}.StringAttributeMetadata"
        assert (await org.ask("GET", f"{LEAD}/Attributes?$select=LogicalName,MaxLength")).code == "0x80060888"
        query = "$select=LogicalName&$filter=AttributeType eq 'Boolean' and IsCustomAttribute eq true"
        assert set(await attributes(org, query=query)) == {"new_synctomkto"}


@pytest.mark.parametrize(
    ("cast", "name", "expected"),
    [
        ("String", "emailaddress1", {"MaxLength": 100, "FormatName": {"Value": "Email"}}),
        ("Memo", "description", {"MaxLength": 2_000}),
        ("Integer", "numberofemployees", {"MinValue": 0, "MaxValue": 1_000_000}),
        ("Money", "revenue", {"MinValue": 0, "MaxValue": 100_000_000_000_000}),
        ("Boolean", "donotphone", {"DefaultValue": False}),
        ("DateTime", "createdon", {"Format": "DateAndTime", "DateTimeBehavior": {"Value": "UserLocal"}}),
        ("DateTime", "estimatedclosedate", {"Format": "DateOnly", "DateTimeBehavior": {"Value": "DateOnly"}}),
        ("Picklist", "leadqualitycode", {"DefaultFormValue": 2}),
        ("Picklist", "leadsourcecode", {"DefaultFormValue": -1}),
        ("Lookup", "ownerid", {"Targets": ["systemuser", "team"]}),
    ],
)
async def test_a_cast_shows_what_only_its_type_has(cast: str, name: str, expected: dict[str, Any]) -> None:
    """And only the columns of that type."""
    async with organisation() as org:
        found = await attributes(org, cast, f"$select=LogicalName,{','.join(expected)}")
        assert {key: found[name][key] for key in expected} == expected
        one = (await org.ask("GET", f"{LEAD}/Attributes(LogicalName='{name}')/{CRM}.{cast}AttributeMetadata")).row
        assert {key: one[key] for key in expected} == expected
        assert all(each not in found for each in ("jobtitle",) if cast != "String")


async def test_a_type_without_columns_is_an_empty_list() -> None:
    """A lead as shipped has no decimals and no multi-selects."""
    async with organisation() as org:
        for cast in ("Decimal", "Double", "MultiSelectPicklist"):
            assert await attributes(org, cast) == {}


async def test_options_come_with_their_words_where_they_are_expanded() -> None:
    """Of a picklist, of states, of status reasons with their state, of a Yes/No."""
    expand = "$select=LogicalName&$expand=OptionSet($select=Options),GlobalOptionSet($select=Options)"
    async with organisation() as org:
        rating = (await attributes(org, "Picklist", expand))["leadqualitycode"]
        words = {each["Value"]: each["Label"]["UserLocalizedLabel"]["Label"] for each in rating["OptionSet"]["Options"]}
        assert words == {1: "Hot", 2: "Warm", 3: "Cold"} and rating["GlobalOptionSet"] is None
        assert "OptionSet" not in (await attributes(org, "Picklist"))["leadqualitycode"]
        reasons = (await attributes(org, "Status", expand))["statuscode"]["OptionSet"]["Options"]
        assert {each["Value"]: each["State"] for each in reasons}[3] == 1
        yes_no = (await attributes(org, "Boolean", "$expand=OptionSet"))["new_synctomkto"]["OptionSet"]
        assert yes_no["TrueOption"]["Label"]["UserLocalizedLabel"]["Label"] == "Yes"
        single = await org.ask(
            "GET", f"{LEAD}/Attributes(LogicalName='statecode')/{CRM}.StateAttributeMetadata/OptionSet"
        )
        assert [each["Value"] for each in single.row["Options"]] == [0, 1, 2]


async def test_our_columns_can_be_made_and_used_at_once() -> None:
    """The schema name's small letters are the logical name; a second time it exists."""
    async with organisation(with_our_columns=False) as org:
        made = await org.ask("POST", f"{LEAD}/Attributes", KEY)
        assert made.status == 204 and f"{org.api}EntityDefinitions(" in made.headers["OData-EntityId"]
        assert (await org.ask("POST", f"{LEAD}/Attributes", REVISION)).status == 204
        again = await org.ask("POST", f"{LEAD}/Attributes", KEY)
        assert (again.status, again.code) == (400, "0x80047013")
        assert (await attributes(org, "String"))["new_leadsynckey"]["SchemaName"] == "new_LeadsyncKey"
        lead_id = await org.synced_lead()
        assert org.instance.records[lead_id].key == "p-1#1"
        assert (await org.ask("PATCH", f"leads({lead_id})", {"new_leadsyncrevision": 100})).code == "0x80044330"
        assert "new_leadsynckey" not in org.instance.schema.tables["contact"].columns


@pytest.mark.parametrize(
    "body",
    [
        {**KEY, "@odata.type": f"{CRM}.WidgetAttributeMetadata"},
        {**KEY, "SchemaName": "noprefix"},
        {**KEY, "SchemaName": None},
        {**KEY, "MaxLength": 0},
        {**KEY, "RequiredLevel": {"Value": "SystemRequired"}},
    ],
)
async def test_a_definition_that_makes_no_column_is_refused(body: dict[str, Any]) -> None:
    """And nothing is made."""
    async with organisation() as org:
        before = set(await attributes(org))
        assert (await org.ask("POST", f"{LEAD}/Attributes", body)).status == 400
        assert set(await attributes(org)) == before


async def test_columns_of_all_types_can_be_made_and_written() -> None:
    """Picklists with their options, multi-selects with several."""
    options = {"Options": [{"Value": n, "Label": {"LocalizedLabels": [{"Label": f"W{n}"}]}} for n in (1, 2, 3)]}
    values = {
        "Memo": "text", "Integer": 7, "Decimal": 1.5, "Double": 2.5, "Money": 3.5, "Boolean": True,
        "DateTime": "2026-09-01T09:14:07Z", "Picklist": 2, "MultiSelectPicklist": "1,3",
    }  # fmt: skip
    async with organisation() as org:
        for kind in values:
            body = {"@odata.type": f"{CRM}.{kind}AttributeMetadata", "SchemaName": f"new_{kind}", "OptionSet": options}
            assert (await org.ask("POST", f"{LEAD}/Attributes", body)).status == 204
        lead_id = await org.lead(**{f"new_{kind.lower()}": value for kind, value in values.items()})
        row = (await org.ask("GET", f"leads({lead_id})", Prefer='odata.include-annotations="*"')).row
        assert {kind: row[f"new_{kind.lower()}"] for kind in values} == values
        assert row["new_multiselectpicklist@OData.Community.Display.V1.FormattedValue"] == "W1; W3"
        wrong = await org.ask("PATCH", f"leads({lead_id})", {"new_multiselectpicklist": "1,9"})
        assert wrong.code == "0x8004431A"


async def test_a_custom_column_can_be_changed_and_removed_with_what_stood_in_it() -> None:
    """Then it is unknown; a column of the system stays."""
    async with organisation() as org:
        await org.ask("POST", f"{LEAD}/Attributes", {**KEY, "SchemaName": "new_Shoe"})
        lead_id = await org.lead(new_shoe="44")
        place = f"{LEAD}/Attributes(LogicalName='new_shoe')"
        assert (await org.ask("PUT", place, {**KEY, "SchemaName": "new_Shoe", "MaxLength": 2})).status == 204
        assert (await org.ask("PATCH", f"leads({lead_id})", {"new_shoe": "444"})).code == "0x80044331"
        assert (await org.ask("DELETE", place)).status == 204
        assert (await org.ask("GET", "leads?$select=new_shoe")).status == 400
        assert "new_shoe" not in org.instance.records[lead_id].values
        assert (await org.ask("DELETE", f"{LEAD}/Attributes(LogicalName='jobtitle')")).status == 400
        assert (await org.ask("GET", f"{LEAD}/Attributes(LogicalName='new_shoe')")).status == 404


async def test_an_alternate_key_can_be_made_and_removed() -> None:
    """Records that are there already are found by it."""
    async with organisation() as org:
        lead_id = await org.lead(fax="775")
        made = await org.ask("POST", f"{LEAD}/Keys", {"SchemaName": "new_ByFax", "KeyAttributes": ["fax"]})
        (key,) = (await org.ask("GET", f"{LEAD}/Keys")).row["value"]
        assert key["EntityKeyIndexStatus"] == "Active" and made.entity_id == key["MetadataId"]
        assert (await org.ask("GET", "leads(fax='775')")).row["leadid"] == lead_id
        assert (await org.ask("DELETE", f"{LEAD}/Keys({key['MetadataId']})")).status == 204
        assert (await org.ask("GET", "leads(fax='775')")).status == 400
        assert (await org.ask("POST", f"{LEAD}/Keys", {"SchemaName": "x", "KeyAttributes": ["nonsense"]})).status == 400


async def test_columns_can_be_expanded_with_the_table() -> None:
    """As many clients read them."""
    async with organisation() as org:
        row = (await org.ask("GET", f"{LEAD}?$select=LogicalName&$expand=Attributes($select=LogicalName)")).row
        assert {"LogicalName", "MetadataId", "Attributes"} <= set(row) and len(row["Attributes"]) > 40


async def test_metadata_needs_its_own_privileges() -> None:
    """To read, and to make."""
    async with organisation(privileges=frozenset({"prvReadEntity", "prvReadAttribute"})) as org:
        assert await attributes(org)
        assert (await org.ask("POST", f"{LEAD}/Attributes", KEY)).status == 403
    async with organisation(privileges=frozenset()) as org:
        assert (await org.ask("GET", LEAD)).status == 403


async def test_relationships_say_where_lookups_point() -> None:
    """From either side; the navigation property is what `@odata.bind` takes."""
    async with organisation() as org:
        path = "EntityDefinitions(LogicalName='contact')/ManyToOneRelationships"
        query = "$filter=ReferencingAttribute eq 'parentcustomerid'&$select=ReferencedEntity,ReferencingEntityNavigationPropertyName"
        found = (await org.ask("GET", f"{path}?{query}")).row["value"]
        assert {each["ReferencedEntity"]: each["ReferencingEntityNavigationPropertyName"] for each in found} == {
            "account": "parentcustomerid_account", "contact": "parentcustomerid_contact",
        }  # fmt: skip
        inverse = (await org.ask("GET", f"{LEAD}/OneToManyRelationships")).row["value"]
        assert {each["ReferencingAttribute"] for each in inverse} == {"masterid", "originatingleadid"}


async def test_definitions_can_be_had_in_one_answer() -> None:
    """RetrieveMetadataChanges, for tables and columns by name; other conditions are not simulated."""
    query = {
        "Properties": {"PropertyNames": ["LogicalName"]},
        "Criteria": {"Conditions": [{"PropertyName": "LogicalName", "ConditionOperator": "Equals", "Value": {"Value": "lead"}}]},
        "AttributeQuery": {
            "Properties": {"PropertyNames": ["LogicalName", "MaxLength"]},
            "Criteria": {"Conditions": [{"PropertyName": "LogicalName", "ConditionOperator": "In", "Value": ["jobtitle", "fax"]}]},
        },
    }  # fmt: skip
    async with organisation() as org:
        target = f"RetrieveMetadataChanges(Query=@p1)?@p1={quote(json.dumps(query))}"
        (table,) = (await org.ask("GET", target)).row["EntityMetadata"]
        assert {each["LogicalName"]: each["MaxLength"] for each in table["Attributes"]} == {"jobtitle": 100, "fax": 50}
        query["Criteria"]["Conditions"][0]["PropertyName"] = "IsCustomEntity"  # type: ignore[index]
        other = f"RetrieveMetadataChanges(Query=@p1)?@p1={quote(json.dumps(query))}"
        assert (await org.ask("GET", other)).status == 501
