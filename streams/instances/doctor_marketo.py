"""A first connection to Marketo, step by step. Nothing is changed: writing is tried on a person and an activity that can't exist.

Marketo checks a role's permission (603) before it looks at the records of a call, so `updateOnly` of the id 0 tells whether
writing is allowed and writes nothing.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import AsyncExitStack

from streams.connectors.marketo.client import MarketoClient
from streams.connectors.marketo.names import NEW_LEAD
from streams.connectors.marketo.token import Tokens
from streams.connectors.our_fields import SYNC_ACTIVITY
from streams.connectors.rest import Refused, Rest
from streams.connectors.settings import MarketoConnection, tls_context
from streams.connectors.times import rfc3339
from streams.instances.connecting import marketo_here, open_marketo
from streams.instances.doctor_address import check_address
from streams.instances.doctor_fields import mapped_fields, our_fields
from streams.instances.doctor_steps import Line, Step, failed, well
from streams.instances.live import LiveTable
from streams.instances.marketo_metadata import person_table
from streams.sync.policy import Policy

NOBODY = 0
"""No person has this id."""

QUOTA_TYPICAL = 50_000
QUOTA_WARNED = 0.8

PERMISSIONS = {
    "read people": "Read-Write Lead",
    "write people": "Read-Write Lead",
    "read activities": "Read-Only Activity",
    "write activities": "Read-Write Activity",
    "activity type": "Read-Write Activity Metadata",
}
"""Step -> the permission (Access API) that the API user's role must have."""


class MarketoDoctor:
    """Holds what one step finds for the next. What is opened is closed with `stack`."""

    def __init__(self, policy: Policy, stack: AsyncExitStack) -> None:
        self._policy, self._stack = policy, stack
        self._connection: MarketoConnection | None = None
        self._client: MarketoClient | None = None
        self._person: LiveTable | None = None
        self._activity_type_id: int | None = None

    def steps(self) -> list[Step]:
        """In their order."""
        asked = ("credentials",)
        return [
            Step("settings", self._settings),
            Step("address", self._address, ("settings",)),
            Step("credentials", self._credentials, ("address",)),
            Step("read people", self._read_people, asked),
            Step("read activities", self._read_activities, asked),
            Step("fields", self._describe, asked),
            Step("write people", self._write_people, asked),
            Step("our fields", self._our_fields, ("fields",)),
            Step("mapped fields", self._mapped_fields, ("fields",)),
            Step("activity type", self._activity_type, asked),
            Step("write activities", self._write_activities, ("activity type",)),
            Step("quota", self._quota, asked),
        ]

    async def _settings(self) -> Sequence[Line]:
        self._connection = marketo_here()
        return well(f"{self._connection.url} as client {self._connection.client_id}")

    async def _address(self) -> Sequence[Line]:
        connection = self._the_connection()
        lines = await check_address(
            connection.url, "LEADSYNC_MARKETO_URL", connection.ca_file, "LEADSYNC_MARKETO_CA_FILE"
        )
        if connection.identity_url.startswith(f"{connection.url}/"):
            return lines
        return lines + await check_address(
            connection.identity_url, "LEADSYNC_MARKETO_IDENTITY_URL", connection.ca_file, "LEADSYNC_MARKETO_CA_FILE"
        )

    async def _credentials(self) -> Sequence[Line]:
        connection = self._the_connection()
        rest = Rest(tls_context(connection.ca_file), 1)
        try:
            await Tokens(rest, connection, lambda endpoint, outcome: None).get()
        finally:
            await rest.close()
        self._client = await self._stack.enter_async_context(open_marketo(connection))
        return well("the identity service gives a token")

    async def _read_people(self) -> Sequence[Line]:
        await self._the_client().leads_by("id", [str(NOBODY)], ["id"])
        return well("allowed")

    async def _read_activities(self) -> Sequence[Line]:
        since = rfc3339(time.time() - 60)
        token = await self._the_client().paging_token(since)
        await self._the_client().activities(token, [NEW_LEAD])
        return well("allowed")

    async def _describe(self) -> Sequence[Line]:
        client = self._the_client()
        self._person = person_table(await client.describe(), await client.searchable_fields())
        return well(f"{len(self._person.columns)} fields of a person are described")

    async def _write_people(self) -> Sequence[Line]:
        results = await self._the_client().write_leads("updateOnly", "id", [{"id": NOBODY}])
        status = results[0].get("status") if results else None
        if status in ("updated", "created"):
            return failed(f"the person {NOBODY} was {status}, whom there can't be", "report this, please")
        return well("allowed (tried on a person who can't exist)")

    async def _our_fields(self) -> Sequence[Line]:
        return our_fields([self._the_person()])

    async def _mapped_fields(self) -> Sequence[Line]:
        return mapped_fields(self._policy, [self._the_person()])

    async def _activity_type(self) -> Sequence[Line]:
        types = await self._the_client().custom_activity_types()
        found = next((each for each in types if each.get("apiName") == SYNC_ACTIVITY), None)
        if found is None:
            return failed(f"there is no activity type {SYNC_ACTIVITY}", "`leadsync setup` makes it")
        if "approved" not in str(found.get("status", "")).lower():
            return failed(f"the activity type {SYNC_ACTIVITY} is not approved", "`leadsync setup` approves it")
        self._activity_type_id = int(found["id"])
        return well(f"{SYNC_ACTIVITY} is there and approved")

    async def _write_activities(self) -> Sequence[Line]:
        entry = {
            "leadId": NOBODY,
            "activityDate": rfc3339(time.time()),
            "activityTypeId": self._activity_type_id,
            "primaryAttributeValue": "leadsync doctor",
            "attributes": [],
        }
        await self._the_client().add_custom_activities([entry])
        return well("allowed (tried on a person who can't exist)")

    async def _quota(self) -> Sequence[Line]:
        usage = await self._the_client().usage()
        total = usage[-1].get("total", 0) if usage else 0
        found = f"{total:,} calls today by all API users; a subscription typically has {QUOTA_TYPICAL:,} a day"
        if total >= QUOTA_TYPICAL * QUOTA_WARNED:
            return [
                Line("warned", found, "find out who calls so often (Admin, Web Services), or have the quota raised")
            ]
        return well(found)

    def _the_connection(self) -> MarketoConnection:
        assert self._connection is not None
        return self._connection

    def _the_client(self) -> MarketoClient:
        assert self._client is not None
        return self._client

    def _the_person(self) -> LiveTable:
        assert self._person is not None
        return self._person


def remedy_in_marketo(step: str, error: Refused) -> str:
    """What to do about a refusal."""
    if error.code == "603":
        permission = PERMISSIONS.get(step, "for it")
        return f"give the API user's role the permission {permission} (Admin, Users & Roles, Access API)"
    if error.code in ("400", "401"):
        return "check LEADSYNC_MARKETO_CLIENT_ID and …_CLIENT_SECRET against Admin, LaunchPoint, View Details"
    if error.code == "404":
        return "check LEADSYNC_MARKETO_URL and …_IDENTITY_URL against Admin, Web Services, REST API (without /rest)"
    if error.code == "607":
        return "the day's calls are used up: wait for midnight US Central time, or have the quota raised"
    return 'see "Error codes" of Marketo\'s REST API guide'
