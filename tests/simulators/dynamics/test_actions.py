"""Actions: qualify, merge, many at once, publish; and what the application user may do."""

from __future__ import annotations

from streams.simulators.dynamics.directory import APPLICATION_USER_ID
from tests.simulators.dynamics.organisation import LEAD_ID, QUALIFY, organisation

ACTION = "Microsoft.Dynamics.CRM"


def party(kind: str, record_id: str, **values: object) -> dict[str, object]:
    """A record as Merge wants it."""
    return {"@odata.type": f"{ACTION}.{kind}", f"{kind}id": record_id, **values}


async def test_qualifying_closes_the_lead_and_lists_the_contact() -> None:
    """With the lead's values and none of our two; once only."""
    async with organisation() as org:
        lead_id = await org.synced_lead(jobtitle="CTO")
        answer = await org.ask("POST", f"leads({lead_id})/{ACTION}.QualifyLead", QUALIFY)
        (made,) = answer.row["value"]
        assert answer.status == 200 and made["@odata.type"] == f"#{ACTION}.contact"
        contact = (await org.ask("GET", f"contacts({made['contactid']})")).row
        assert (contact["jobtitle"], contact["_originatingleadid_value"]) == ("CTO", lead_id)
        assert contact["new_leadsynckey"] is contact["new_leadsyncrevision"] is None
        assert contact["_parentcustomerid_value"] is None
        again = await org.ask("POST", f"leads({lead_id})/{ACTION}.QualifyLead", QUALIFY)
        assert (again.status, again.code) == (400, "0x8004022e")


async def test_qualifying_needs_every_parameter_and_a_qualified_status() -> None:
    """-1 leaves the status to the system; an account is made where it is asked for."""
    async with organisation() as org:
        lead_id = await org.lead(companyname="Contoso")
        target = f"leads({lead_id})/{ACTION}.QualifyLead"
        assert (await org.ask("POST", target, {})).code == "0x80048d19"
        assert (await org.ask("POST", target, {**QUALIFY, "Status": 4})).code == "0x80048408"
        assert (await org.ask("POST", target, {**QUALIFY, "CreateContact": False})).status == 501
        account, contact = (await org.ask("POST", target, {**QUALIFY, "CreateAccount": True, "Status": -1})).row[
            "value"
        ]
        row = (await org.ask("GET", f"contacts({contact['contactid']})")).row
        assert row["_parentcustomerid_value"] == account["accountid"]


async def test_merging_closes_the_subordinate_and_gives_the_target_its_new_values() -> None:
    """The loser stays readable, with its master; nothing is deleted."""
    async with organisation() as org:
        target, loser = await org.lead(jobtitle="CTO"), await org.lead(jobtitle="CEO")
        body = {
            "Target": party("lead", target),
            "Subordinate": party("lead", loser),
            "UpdateContent": {"@odata.type": f"{ACTION}.lead", "jobtitle": "CEO"},
            "PerformParentingChecks": False,
        }
        assert (await org.ask("POST", "Merge", body)).status == 204
        row = (await org.ask("GET", f"leads({loser})")).row
        assert (row["statecode"], row["merged"], row["_masterid_value"]) == (2, True, target)
        row = (await org.ask("GET", f"leads({target})")).row
        assert (row["jobtitle"], row["merged"], row["_masterid_value"]) == ("CEO", False, None)
        assert [fact[0] for fact in org.told.facts][:4] == ["created", "created", "merged", "entered"]
        again = await org.ask("POST", "Merge", body)
        assert (again.status, again.code) == (400, "0x8004022e")


async def test_a_merge_that_makes_no_sense_is_refused() -> None:
    """With itself, with another type, without types, with somebody who isn't there, under different parents."""
    async with organisation() as org:
        lead_id = await org.lead()
        one, other = [(await org.ask("POST", "contacts", {"lastname": n})).entity_id for n in "AB"]
        for contact, name in ((one, "Contoso"), (other, "Fabrikam")):
            bind = {"parentcustomerid_account@odata.bind": f"accounts({org.instance.accounts.add(name)})"}
            await org.ask("PATCH", f"contacts({contact})", bind)
        checks = {"PerformParentingChecks": True}
        for target, loser in (
            (party("lead", lead_id), party("lead", lead_id)),
            (party("lead", lead_id), party("contact", one)),
            ({"leadid": lead_id}, party("lead", lead_id)),
            (party("contact", one), party("contact", other)),
        ):
            assert (await org.ask("POST", "Merge", {"Target": target, "Subordinate": loser, **checks})).status == 400
        absent = {"Target": party("lead", lead_id), "Subordinate": party("lead", LEAD_ID), **checks}
        assert (await org.ask("POST", "Merge", absent)).status == 404


async def test_many_records_are_made_and_changed_in_one_call_or_none_is() -> None:
    """CreateMultiple, UpdateMultiple and UpsertMultiple roll back as one."""
    async with organisation(alternate_keys={"lead": (("new_marketoid",),)}) as org:
        both = {"Targets": [{"lastname": "A"}, {"lastname": "B"}]}
        ids = (await org.ask("POST", f"leads/{ACTION}.CreateMultiple", both)).row["Ids"]
        assert len(ids) == 2
        half = {"Targets": [{"lastname": "C"}, {"lastname": "x" * 51}]}
        assert (await org.ask("POST", f"leads/{ACTION}.CreateMultiple", half)).code == "0x80044331"
        changes = [{"leadid": ids[0], "jobtitle": "X"}, {"leadid": LEAD_ID, "jobtitle": "Y"}]
        assert (await org.ask("POST", f"leads/{ACTION}.UpdateMultiple", {"Targets": changes})).status == 404
        assert set(org.instance.records) == set(ids) and org.instance.records[ids[0]].values.get("jobtitle") is None
        keyed = [{"@odata.id": "leads(new_marketoid='7')", "lastname": "D"}, {"leadid": ids[0], "lastname": "E"}]
        assert (await org.ask("POST", f"leads/{ACTION}.UpsertMultiple", {"Targets": keyed})).status == 204
        assert (await org.ask("GET", "leads(new_marketoid='7')")).row["lastname"] == "D"


async def test_a_bulk_deletion_takes_the_records_that_it_names() -> None:
    """At once, here; other queries are not simulated."""
    async with organisation() as org:
        ids = [await org.lead() for _ in range(3)]
        condition = {
            "AttributeName": "leadid",
            "Operator": "In",
            "Values": [{"Value": i, "Type": "System.Guid"} for i in ids[:2]],
        }
        query = {"EntityName": "lead", "Criteria": {"Conditions": [condition]}}
        assert (await org.ask("POST", "BulkDelete", {"QuerySet": [query]})).row["JobId"]
        assert list(org.instance.records) == ids[2:]
        condition["AttributeName"] = "lastname"
        assert (await org.ask("POST", "BulkDelete", {"QuerySet": [query]})).status == 501


async def test_the_application_user_can_ask_who_it_is_and_what_it_may_do() -> None:
    """WhoAmI, the privileges, the role."""
    async with organisation(privileges=frozenset({"prvReadLead"})) as org:
        user_id = (await org.ask("GET", "WhoAmI")).row["UserId"]
        assert user_id == APPLICATION_USER_ID
        held = (await org.ask("GET", f"systemusers({user_id})/{ACTION}.RetrieveUserPrivileges")).row["RolePrivileges"]
        assert [(each["PrivilegeName"], each["Depth"]) for each in held] == [("prvReadLead", "Global")]
        roles = (await org.ask("GET", f"systemusers({user_id})/systemuserroles_association?$select=name")).row["value"]
        assert [role["name"] for role in roles] == ["System Administrator"]
        assert (await org.ask("GET", f"systemusers({LEAD_ID})/{ACTION}.RetrieveUserPrivileges")).status == 404
        assert (await org.ask("POST", "PublishAllXml")).status == 403


async def test_publishing_is_accepted() -> None:
    """Here everything is in force already."""
    async with organisation() as org:
        assert (await org.ask("POST", "PublishXml", {"ParameterXml": "<importexportxml/>"})).status == 204
        assert (await org.ask("POST", "PublishAllXml")).status == 204
        assert (await org.ask("GET", "PublishAllXml")).status == 405
