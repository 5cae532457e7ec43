"""One record: read, made, written under conditions, emptied, deleted; what is refused, and how."""

from __future__ import annotations

from typing import Any

import pytest

from streams.simulators.dynamics.directory import APPLICATION_USER_ID, user_id_of
from tests.simulators.dynamics.organisation import LEAD_ID, QUALIFY, organisation

EVERYTHING = 'odata.include-annotations="*"'


async def test_a_new_lead_has_an_address_and_what_the_system_fills_in() -> None:
    """204 with OData-EntityId; times in whole seconds, lookups as ids, names as annotations."""
    async with organisation() as org:
        made = await org.ask("POST", "leads", {"firstname": "ada", "lastname": "Lovelace", "subject": "Trial"})
        assert made.status == 204 and not made.text and made.headers["OData-Version"] == "4.0"
        row = (await org.ask("GET", f"leads({made.entity_id})", Prefer=EVERYTHING)).row
        assert row["leadid"] == made.entity_id and row["fullname"] == "Ada Lovelace" and row["statecode"] == 0
        assert row["createdon"] == row["modifiedon"] == "2026-09-21T14:13:20Z"
        assert row["_modifiedby_value"] == APPLICATION_USER_ID
        assert row["_ownerid_value@OData.Community.Display.V1.FormattedValue"] == "sync-user"
        assert row["_ownerid_value@Microsoft.Dynamics.CRM.lookuplogicalname"] == "systemuser"
        assert row["statecode@OData.Community.Display.V1.FormattedValue"] == "Open"
        assert row["@odata.etag"] == f'W/"{row["versionnumber"]}"' and row["@odata.context"].endswith("#leads/$entity")


async def test_a_select_gives_the_columns_asked_for_and_the_id() -> None:
    """And no annotation without being asked."""
    async with organisation() as org:
        lead_id = await org.lead(jobtitle="CTO")
        answer = await org.ask("GET", f"leads({lead_id})?$select=jobtitle,_ownerid_value")
        assert set(answer.row) == {"@odata.context", "@odata.etag", "jobtitle", "_ownerid_value", "leadid"}
        assert answer.row["@odata.context"].endswith("$metadata#leads(jobtitle,_ownerid_value)/$entity")
        assert answer.headers["ETag"] == answer.row["@odata.etag"]


async def test_what_is_not_there_is_404() -> None:
    """A record, a table, a column in the path; a contact is no lead."""
    async with organisation() as org:
        gone = await org.ask("GET", f"leads({LEAD_ID})")
        assert (gone.status, gone.code) == (
            404,
            "0x80040217",
        ) and gone.message == f"lead With Id = {LEAD_ID} Does Not Exist"
        assert (await org.ask("GET", "widgets")).status == 404
        assert (await org.ask("GET", f"leads({await org.lead()})/nonsense")).status == 404
        assert (await org.ask("GET", f"contacts({await org.lead()})")).status == 404


async def test_a_write_returns_the_row_where_that_is_preferred() -> None:
    """201 for a new record, 200 for a changed one, with the columns of the select."""
    async with organisation() as org:
        target, prefer = f"leads({LEAD_ID})?$select=jobtitle", "return=representation"
        made = await org.ask("PATCH", target, {"lastname": "L", "jobtitle": "cto"}, Prefer=prefer)
        changed = await org.ask("PATCH", target, {"jobtitle": "ceo"}, Prefer=prefer)
        assert (made.status, made.row["jobtitle"]) == (201, "Cto") and (changed.status, changed.row["jobtitle"]) == (
            200,
            "Ceo",
        )
        assert changed.headers["Preference-Applied"] == "return=representation"
        posted = await org.ask("POST", "leads", {"lastname": "L"}, Prefer=prefer)
        assert posted.status == 201 and posted.row["lastname"] == "L"


async def test_if_match_lets_only_the_version_that_was_read_be_changed() -> None:
    """412 and its code, and the count."""
    async with organisation() as org:
        lead_id = await org.lead()
        etag = (await org.ask("GET", f"leads({lead_id})")).row["@odata.etag"]
        assert (await org.ask("PATCH", f"leads({lead_id})", {"jobtitle": "CTO"}, If_Match=etag)).status == 204
        for method, body in (("PATCH", {"jobtitle": "CEO"}), ("DELETE", None)):
            late = await org.ask(method, f"leads({lead_id})", body, If_Match=etag)
            assert (late.status, late.code) == (412, "0x80060882")
        assert org.faults.counts["stale_412"] == 2 and org.instance.records[lead_id].values["jobtitle"] == "CTO"


async def test_if_match_any_never_creates_and_if_none_match_any_never_updates() -> None:
    """404 and 412."""
    async with organisation() as org:
        absent = await org.ask("PATCH", f"leads({LEAD_ID})", {"lastname": "L"}, If_Match="*")
        assert (absent.status, absent.code) == (404, "0x80040217") and not org.instance.records
        assert (await org.ask("PATCH", f"leads({LEAD_ID})", {"lastname": "L"}, If_None_Match="*")).status == 204
        again = await org.ask("PATCH", f"leads({LEAD_ID})", {"lastname": "M"}, If_None_Match="*")
        assert again.status == 412 and again.message == "A record with matching key values already exists."
        assert org.instance.records[LEAD_ID].values["lastname"] == "L"


async def test_a_conditional_read_of_an_unchanged_row_is_304() -> None:
    """Except with annotations; `null` is no condition."""
    async with organisation() as org:
        lead_id = await org.lead()
        etag = (await org.ask("GET", f"leads({lead_id})", If_None_Match="null")).row["@odata.etag"]
        same = await org.ask("GET", f"leads({lead_id})", If_None_Match=etag)
        assert same.status == 304 and not same.text
        assert (await org.ask("GET", f"leads({lead_id})", If_None_Match=etag, Prefer=EVERYTHING)).status == 200
        await org.ask("PATCH", f"leads({lead_id})", {"jobtitle": "CTO"})
        assert (await org.ask("GET", f"leads({lead_id})", If_None_Match=etag)).status == 200


async def test_null_the_empty_text_and_delete_of_a_property_clear_it() -> None:
    """All three read as null; a property that is null reads as 204."""
    async with organisation() as org:
        lead_id = await org.lead(jobtitle="CTO", fax="1", description="x")
        assert (await org.ask("GET", f"leads({lead_id})/jobtitle")).row["value"] == "CTO"
        await org.ask("PATCH", f"leads({lead_id})", {"jobtitle": None, "fax": ""})
        assert (await org.ask("DELETE", f"leads({lead_id})/description")).status == 204
        row = (await org.ask("GET", f"leads({lead_id})")).row
        assert row["jobtitle"] is row["fax"] is row["description"] is None
        assert (await org.ask("GET", f"leads({lead_id})/jobtitle")).status == 204
        assert (await org.ask("PUT", f"leads({lead_id})/jobtitle", {"value": "Coo"})).status == 204
        assert org.instance.records[lead_id].values["jobtitle"] == "Coo"


@pytest.mark.parametrize(
    ("body", "code", "named"),
    [
        ({"jobtitle": "x" * 101}, "0x80044331", "'jobtitle'"),
        ({"leadsourcecode": 99}, "0x8004431A", "'leadsourcecode'"),
        ({"numberofemployees": -1}, "0x80044330", "'numberofemployees'"),
        ({"revenue": 1e15}, "0x80044330", "'revenue'"),
        ({"ownerid@odata.bind": None}, "0x80040203", "ownerid"),
        ({"statecode": None}, "0x80040203", "statecode"),
        ({"nonsense": 1}, "0x80048d19", "'nonsense'"),
        ({"leadqualitycode": "Hot"}, "0x80048d19", "leadqualitycode"),
        ({"donotphone": "yes"}, "0x80048d19", "donotphone"),
        ({"jobtitle": 7}, "0x80048d19", "jobtitle"),
        ({"estimatedclosedate": "soon"}, "0x80048d19", "estimatedclosedate"),
        ({"ownerid": "x"}, "0x80048d19", "ownerid"),
        ({"statuscode": 3}, "0x80048408", "3"),
    ],
)
async def test_a_value_that_a_column_does_not_take_is_refused_with_code_and_name(
    body: dict[str, Any], code: str, named: str
) -> None:
    """And nothing of the body is written."""
    async with organisation() as org:
        lead_id = await org.lead()
        answer = await org.ask("PATCH", f"leads({lead_id})", {"firstname": "Ada", **body})
        assert (answer.status, answer.code) == (400, code) and named in answer.message
        assert org.instance.records[lead_id].values.get("firstname") is None


async def test_the_length_message_is_microsofts() -> None:
    """Clients take the column's name out of it."""
    async with organisation() as org:
        answer = await org.ask("POST", "leads", {"lastname": "x" * 51})
        assert answer.message == (
            "A validation error occurred. The length of the 'lastname' attribute of the 'lead' entity exceeded the maximum "
            "allowed length of '50'."
        )


async def test_columns_that_may_not_be_written_are_passed_over_in_silence() -> None:
    """Read-only ones always, a state when a record is made; what forms alone require is not missed."""
    async with organisation() as org:
        made = await org.ask(
            "POST", "leads", {"fullname": "X", "statecode": 2, "merged": True, "createdon": "2001-01-01T00:00:00Z"}
        )
        row = (await org.ask("GET", f"leads({made.entity_id})")).row
        assert (row["fullname"], row["statecode"], row["merged"]) == (None, 0, False) and row["createdon"] > "2026"
        await org.ask("PATCH", f"leads({made.entity_id})", {"statecode": 2})
        assert (await org.ask("GET", f"leads({made.entity_id})?$select=statecode,statuscode")).row["statuscode"] == 4


async def test_an_owner_is_bound_by_reference() -> None:
    """Somebody who exists; somebody who doesn't is not found."""
    async with organisation() as org:
        ada = next(iter(sorted(org.instance.saving.owners)))
        lead_id = await org.lead(**{"ownerid@odata.bind": f"/systemusers({user_id_of(ada)})"})
        assert (await org.ask("GET", f"leads({lead_id})")).row["_ownerid_value"] == user_id_of(ada)
        assert org.instance.records[lead_id].values["ownerid"] == ada
        bound = await org.ask("PATCH", f"leads({lead_id})", {"ownerid@odata.bind": f"/systemusers({LEAD_ID})"})
        assert (bound.status, bound.code) == (404, "0x80040217") and bound.message.startswith("systemuser With Id")
        contact = await org.ask("POST", "contacts", {"lastname": "L"})
        account = org.instance.accounts.add("Contoso")
        body = {"parentcustomerid_account@odata.bind": f"/accounts({account})"}
        assert (await org.ask("PATCH", f"contacts({contact.entity_id})", body)).status == 204
        row = (await org.ask("GET", f"contacts({contact.entity_id})", Prefer=EVERYTHING)).row
        assert row["_parentcustomerid_value"] == account
        assert row["_parentcustomerid_value@OData.Community.Display.V1.FormattedValue"] == "Contoso"


async def test_times_are_kept_in_utc_by_the_second_and_days_as_days() -> None:
    """Whatever the zone they came in."""
    async with organisation() as org:
        await org.ask(
            "POST",
            "EntityDefinitions(LogicalName='lead')/Attributes",
            {"@odata.type": "Microsoft.Dynamics.CRM.DateTimeAttributeMetadata", "SchemaName": "new_Seen"},
        )
        lead_id = await org.lead(new_seen="2026-09-01T11:14:07.123+02:00", estimatedclosedate="2026-12-24")
        row = (await org.ask("GET", f"leads({lead_id})")).row
        assert (row["new_seen"], row["estimatedclosedate"]) == ("2026-09-01T09:14:07Z", "2026-12-24")


async def test_what_a_record_rule_forbids_is_412_and_counted() -> None:
    """The simulated plug-in always, Dynamics' own rule only where the header asks for it."""
    async with organisation() as org:
        marked = await org.ask("POST", "leads", {"lastname": "Lovelace (duplicate)"})
        assert (marked.status, marked.code) == (412, "0x80040333")
        await org.lead(emailaddress1="ada@example.com")
        body = {"lastname": "L", "emailaddress1": "ADA@example.com"}
        assert (await org.ask("POST", "leads", body)).status == 204
        strict = await org.ask("POST", "leads", body, **{"MSCRM.SuppressDuplicateDetection": "false"})
        assert (strict.status, strict.code) == (412, "0x80040333") and org.faults.counts["duplicate_rule"] == 2


async def test_a_record_is_found_and_made_by_its_alternate_key() -> None:
    """The key's value becomes the record's; a second record can't have it."""
    async with organisation(alternate_keys={"lead": (("new_marketoid",),)}) as org:
        target = "leads(new_marketoid='775')"
        made = await org.ask("PATCH", target, {"lastname": "L"}, If_None_Match="*")
        assert made.status == 204
        assert (await org.ask("PATCH", target, {"lastname": "M"}, If_None_Match="*")).status == 412
        assert (await org.ask("PATCH", target, {"lastname": "N"})).status == 204
        row = (await org.ask("GET", target)).row
        assert (row["leadid"], row["new_marketoid"], row["lastname"]) == (made.entity_id, "775", "N")
        rival = await org.ask("POST", "leads", {"lastname": "O", "new_marketoid": "775"})
        assert (rival.status, rival.code) == (412, "0x80060892")
        await org.ask("DELETE", target)
        assert (await org.ask("GET", target)).status == 404
        assert (await org.ask("GET", "leads(jobtitle='CTO')")).status == 400


async def test_a_post_may_choose_its_id_once() -> None:
    """The second time a record has it already."""
    async with organisation() as org:
        body = {"leadid": LEAD_ID, "lastname": "L"}
        assert (await org.ask("POST", "leads", body)).entity_id == LEAD_ID
        assert (await org.ask("POST", "leads", body)).status == 412


async def test_a_deleted_record_is_gone_and_its_id_free_again() -> None:
    """As Dataverse has it: an upsert under the id makes a new record."""
    async with organisation() as org:
        lead_id = await org.lead()
        assert (await org.ask("DELETE", f"leads({lead_id})")).status == 204
        assert (await org.ask("GET", f"leads({lead_id})")).status == 404
        assert (await org.ask("DELETE", f"leads({lead_id})")).status == 404
        assert (await org.ask("PATCH", f"leads({lead_id})", {"lastname": "L"})).status == 204
        assert lead_id not in org.instance.gone and (await org.ask("GET", f"leads({lead_id})")).status == 200


async def test_a_closed_record_can_be_read_and_not_written() -> None:
    """With the state that closed it."""
    async with organisation() as org:
        lead_id = await org.lead()
        await org.ask("POST", f"leads({lead_id})/Microsoft.Dynamics.CRM.QualifyLead", QUALIFY)
        row = (await org.ask("GET", f"leads({lead_id})")).row
        assert (row["statecode"], row["statuscode"]) == (1, 3)
        written = await org.ask("PATCH", f"leads({lead_id})", {"jobtitle": "CTO"})
        assert (written.status, written.code) == (400, "0x8004022e")


async def test_columns_that_no_policy_maps_are_kept_too() -> None:
    """Other clients have other interests."""
    async with organisation() as org:
        lead_id = await org.lead(websiteurl="https://example.com", telephone2="1 2", industrycode=7)
        row = (await org.ask("GET", f"leads({lead_id})")).row
        assert (row["websiteurl"], row["telephone2"], row["industrycode"]) == ("https://example.com", "1 2", 7)


async def test_our_columns_are_not_there_before_setup() -> None:
    """Writing and selecting them is an error like with any other unknown column."""
    async with organisation(with_our_columns=False) as org:
        assert (await org.ask("POST", "leads", {"new_leadsynckey": "p#1"})).code == "0x80048d19"
        assert (await org.ask("GET", "leads?$select=new_leadsynckey")).code == "0x80060888"


async def test_a_user_can_be_acted_for() -> None:
    """The edit is theirs."""
    async with organisation() as org:
        ada = next(iter(sorted(org.instance.saving.owners)))
        lead_id = await org.lead()
        await org.ask("PATCH", f"leads({lead_id})", {"jobtitle": "CTO"}, MSCRMCallerID=user_id_of(ada))
        assert org.instance.records[lead_id].who == ada
        assert (await org.ask("GET", f"leads({lead_id})")).row["_modifiedby_value"] == user_id_of(ada)
        assert (await org.ask("GET", "WhoAmI", MSCRMCallerID=LEAD_ID)).status == 403


async def test_a_missing_privilege_is_403() -> None:
    """By the name that Dataverse gives it."""
    async with organisation(privileges=frozenset({"prvReadLead", "prvCreateLead"})) as org:
        lead_id = await org.lead()
        answer = await org.ask("PATCH", f"leads({lead_id})", {"jobtitle": "CTO"})
        assert (answer.status, answer.code) == (403, "0x80040220") and "prvWriteLead" in answer.message
        assert (await org.ask("DELETE", f"leads({lead_id})")).status == 403
        assert (await org.ask("GET", "contacts")).status == 403


async def test_wrong_methods_and_bodies_are_refused() -> None:
    """405, 400, and 501 for what this simulator does not know."""
    async with organisation() as org:
        assert (await org.ask("DELETE", "leads")).status == 405
        assert (await org.ask("PATCH", f"leads({LEAD_ID})", ["no object"])).status == 400
        assert (await org.ask("GET", "leads?$apply=aggregate(revenue with sum as total)")).status == 501
        assert (await org.ask("POST", "accounts", {"name": "Contoso"})).status == 501
