"""Functions and actions: who am I, what may I do, qualify a lead, merge two records, publish."""

from __future__ import annotations

from typing import Any

from schemas.vocabulary import OURSELVES
from streams.demo.record import HeldRecord
from streams.simulators.dynamics.answers import ApiError, Reply, bad_payload, not_found, not_simulated, read_only
from streams.simulators.dynamics.call import Call, Segment
from streams.simulators.dynamics.definitions import ENGLISH
from streams.simulators.dynamics.directory import (
    API_USER,
    APPLICATION_USER_ID,
    BUSINESS_UNIT_ID,
    ORGANISATION_ID,
    ROLE_ID,
)
from streams.simulators.dynamics.finding import place_of
from streams.simulators.dynamics.instance import DynamicsInstance
from streams.simulators.dynamics.option_labels import STATUS_STATES
from streams.simulators.dynamics.privileges import need, role_privileges
from streams.simulators.dynamics.schema import Table
from streams.simulators.dynamics.tracking import EXPIRY_DAYS
from streams.simulators.dynamics.writes import check_rules, entered

QUALIFIED_STATE = 1
STATUS_CHOSEN_BY_SYSTEM = -1


def who_am_i(call: Call) -> Reply:
    """`GET WhoAmI`."""
    body = {
        "@odata.context": f"{call.base}$metadata#Microsoft.Dynamics.CRM.WhoAmIResponse",
        "BusinessUnitId": BUSINESS_UNIT_ID,
        "UserId": APPLICATION_USER_ID,
        "OrganizationId": ORGANISATION_ID,
    }
    return Reply(200, body)


def organizations(call: Call) -> Reply:
    """`GET organizations`: the one that this is."""
    row = {
        "@odata.etag": 'W/"1000"',
        "organizationid": ORGANISATION_ID,
        "name": "leadsync",
        "languagecode": ENGLISH,
        "expirechangetrackingindays": EXPIRY_DAYS,
    }
    return Reply(200, {"@odata.context": f"{call.base}$metadata#organizations", "value": [row]})


def user_privileges(instance: DynamicsInstance, user_id: str, call: Call) -> Reply:
    """`GET systemusers(<id>)/Microsoft.Dynamics.CRM.RetrieveUserPrivileges`. Users other than ours may do everything."""
    if user_id not in instance.users:
        raise not_found("systemuser", user_id)
    body = {
        "@odata.context": f"{call.base}$metadata#Microsoft.Dynamics.CRM.RetrieveUserPrivilegesResponse",
        "RolePrivileges": role_privileges(instance.privileges),
    }
    return Reply(200, body)


def user_roles(instance: DynamicsInstance, user_id: str, call: Call) -> Reply:
    """`GET systemusers(<id>)/systemuserroles_association`: one role, System Administrator."""
    if user_id not in instance.users:
        raise not_found("systemuser", user_id)
    role = {"@odata.etag": 'W/"1000"', "name": "System Administrator", "roleid": ROLE_ID}
    return Reply(200, {"@odata.context": f"{call.base}$metadata#roles(name)", "value": [role]})


def qualify(instance: DynamicsInstance, table: Table, segment: Segment, call: Call, who: str) -> Reply:
    """`POST leads(<id>)/Microsoft.Dynamics.CRM.QualifyLead`: the lead is closed, what is made of it is listed."""
    need(instance.privileges, "Write", "lead")
    need(instance.privileges, "Create", "contact")
    lead, asked = place_of(instance, table, segment).needed(table), call.body()
    for name in ("CreateAccount", "CreateContact", "CreateOpportunity", "Status"):
        if name not in asked:
            raise ApiError(400, "0x80048d19", f"The parameter '{name}' in the request payload is missing.")
    if not asked["CreateContact"] or asked["CreateOpportunity"]:
        raise not_simulated("Qualifying without a contact, or with an opportunity,")
    status = asked["Status"]
    if status != STATUS_CHOSEN_BY_SYSTEM and STATUS_STATES["lead"].get(status) != QUALIFIED_STATE:
        raise ApiError(
            400,
            "0x80048408",
            f"{status} is not a valid status code for state code LeadState.Qualified on lead with Id {lead.id}.",
        )
    if lead.state != "open":
        raise read_only()
    contact = instance.qualify(lead.id, OURSELVES if who == API_USER else who, instance.clock())
    made = [_entity("contact", contact.id)]
    if asked["CreateAccount"]:
        made.insert(0, _with_account(instance, lead, contact, who))
    return Reply(200, {"@odata.context": f"{call.base}$metadata#crmbaseentity", "value": made})


def merge(instance: DynamicsInstance, call: Call, who: str) -> Reply:
    """`POST Merge`: the subordinate is deactivated; the target takes the values of UpdateContent, whatever they were before."""
    asked = call.body()
    target, table = _party(instance, asked, "Target")
    loser, _ = _party(instance, asked, "Subordinate")
    if target.record.type != loser.record.type or target.id == loser.id:
        raise ApiError(400, "0x80040203", "Cannot merge a record with itself or with one of another type.")
    if "PerformParentingChecks" not in asked:
        raise ApiError(400, "0x80048d19", "The parameter 'PerformParentingChecks' in the request payload is missing.")
    need(instance.privileges, "Write", table.logical_name)
    if target.state != "open" or loser.state != "open":
        raise read_only()
    parents = {party.values.get("parentcustomerid") for party in (target, loser)} - {None}
    if asked["PerformParentingChecks"] and len(parents) > 1:
        raise ApiError(400, "0x80040203", "Merge warning: sub-entity will be reparented: the parents are different.")
    found = entered(instance, table, asked.get("UpdateContent") or {}, creates=False)
    check_rules(instance, table, found, target.id)
    now = instance.clock()
    instance.merge(loser.id, target.id, who, now)
    instance.edit(target.id, who, found.values, now)
    return Reply(204)


def publish(instance: DynamicsInstance) -> Reply:
    """`POST PublishXml`, `POST PublishAllXml`: here everything is in force at once."""
    if "prvPublishCustomization" not in instance.privileges:
        raise ApiError(403, "0x80040220", "Principal user is missing prvPublishCustomization privilege.")
    return Reply(204)


def _party(instance: DynamicsInstance, asked: dict[str, Any], name: str) -> tuple[HeldRecord, Table]:
    party = asked.get(name)
    if not isinstance(party, dict) or "@odata.type" not in party:
        raise bad_payload("Merge", f"The parameter '{name}' needs an object with '@odata.type'.")
    table = instance.schema.tables.get(str(party["@odata.type"]).rpartition(".")[2])
    if table is None or table.logical_name not in ("lead", "contact"):
        raise bad_payload("Merge", f"'{party['@odata.type']}' can't be merged.")
    record_id = str(party.get(table.primary_id, "")).lower()
    held = instance.records.get(record_id)
    if held is None or held.record.type != table.logical_name:
        raise not_found(table.logical_name, record_id)
    return held, table


def _with_account(instance: DynamicsInstance, lead: HeldRecord, contact: HeldRecord, who: str) -> dict[str, str]:
    name = lead.values.get("companyname") or lead.id
    account_id = instance.accounts.add(str(name))
    instance.edit(contact.id, who, {"parentcustomerid": str(name)}, instance.clock())
    return _entity("account", account_id)


def _entity(logical_name: str, record_id: str) -> dict[str, str]:
    return {"@odata.type": f"#Microsoft.Dynamics.CRM.{logical_name}", f"{logical_name}id": record_id}
