"""Marketo's REST interface as the connector, the setup and the doctor use it: one method a call, shapes in and out.

    client = MarketoClient(connection, Pacer(MARKETO_PACE), metrics.called, rng=random.Random())
    await client.leads_by("id", ["775"], ["firstName"])

Every method may raise Refused (code and message are Marketo's), writes OutcomeUnknown too. Secrets stand in no error.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from typing import Any

from streams.connectors.marketo.calls import Calls, Request
from streams.connectors.marketo.names import LEADS_MAX
from streams.connectors.marketo.token import Tokens
from streams.connectors.pacing import Backoff, Pacer, Priority
from streams.connectors.rest import OutcomeUnknown, Rest
from streams.connectors.settings import MarketoConnection, tls_context

Json = dict[str, Any]

PAGE_MAX = 300
PAGES_OF_A_LIST_MAX = 1_000
LEAD_IDS_MAX = 30
"""How many persons a reading of activities can be narrowed to."""

NOBODYS_ID = 2**31 - 1
"""Ids are given one after the other: no instance comes so far."""

SYNC_LEADS_SECONDS = 100.0
GET_LEADS_SECONDS = 70.0
"""Marketo's own time-outs (90 and 60 seconds) and ten seconds for the way."""


def called_nowhere(endpoint: str, outcome: str) -> None:
    """Where nobody counts."""


class MarketoClient:
    """One API user. `close` at the end. `tries_max`: None waits out everything that passes by itself, for hours if need be."""

    def __init__(
        self,
        connection: MarketoConnection,
        pacer: Pacer,
        called: Callable[[str, str], None] = called_nowhere,
        *,
        rng: random.Random,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        now: Callable[[], float] = time.time,
        backoff: Backoff | None = None,
        tries_max: int | None = None,
        quota_pause_seconds_max: float | None = None,
    ) -> None:
        self.pacer = pacer
        self._rest = Rest(tls_context(connection.ca_file), pacer.pace.concurrent + 1)
        self.calls = Calls(
            self._rest,
            connection.url,
            Tokens(self._rest, connection, called),
            pacer,
            called,
            rng=rng,
            sleep=sleep,
            now=now,
            backoff=backoff,
            tries_max=tries_max,
            quota_pause_seconds_max=quota_pause_seconds_max,
        )

    async def close(self) -> None:
        """Let go of the connections."""
        await self._rest.close()

    # Persons

    async def leads_by(
        self, filter_type: str, values: Sequence[str], fields: Sequence[str], priority: Priority = Priority.FIRST
    ) -> list[Json]:
        """The persons whose `filter_type` is one of at most 300 `values`; a field that is absent from a row is empty."""
        query = {
            "filterType": filter_type,
            "filterValues": ",".join(values),
            "fields": ",".join(fields),
            "batchSize": str(PAGE_MAX),
        }
        request = Request("GET", "/rest/v1/leads.json", "leads", query, seconds_max=GET_LEADS_SECONDS)
        return await self._list(request, priority)

    async def write_leads(
        self, action: str, lookup_field: str, inputs: Sequence[Mapping[str, Any]], priority: Priority = Priority.FIRST
    ) -> list[Json]:
        """`updateOnly`, `createOnly` or `createOrUpdate` of at most 300 persons; one result each, in their order.

        A result is {"id", "status": "created" | "updated" | "skipped", "reasons": [{"code", "message"}]}.
        """
        body = {"action": action, "lookupField": lookup_field, "asyncProcessing": False, "input": list(inputs)}
        request = Request("POST", "/rest/v1/leads.json", "leads/write", None, body, True, SYNC_LEADS_SECONDS)
        return _results(await self.calls.json(request, priority))

    async def takes_writes(self, priority: Priority = Priority.FIRST) -> bool:
        """Whether a write that can do nothing, for a person whom there is not, is answered."""
        return await _is_answered(self.write_leads("updateOnly", "id", [{"id": NOBODYS_ID}], priority))

    async def takes_deletions(self, priority: Priority = Priority.FIRST) -> bool:
        """The same of a deletion."""
        return await _is_answered(self.delete_leads([NOBODYS_ID], priority))

    async def takes_activities(self, entry: Mapping[str, Any], priority: Priority = Priority.FIRST) -> bool:
        """The same of an entry of a log."""
        return await _is_answered(self.add_custom_activities([{**entry, "leadId": NOBODYS_ID}], priority))

    async def delete_leads(self, ids: Sequence[int], priority: Priority = Priority.FIRST) -> list[Json]:
        """Delete at most 300 persons; one result each, in their order."""
        body = {"input": [{"id": each} for each in ids]}
        return await self._post("/rest/v1/leads/delete.json", "leads/delete", body, priority)

    async def describe(self, priority: Priority = Priority.FIRST) -> list[Json]:
        """Each field: {"displayName", "dataType", "length", "rest": {"name", "readOnly"}}."""
        return await self._get("/rest/v1/leads/describe.json", "leads/describe", priority)

    async def describe2(self, priority: Priority = Priority.FIRST) -> list[Json]:
        """What describe2.json tells: {"searchableFields": [["id"], …], "fields": […]}."""
        return await self._get("/rest/v1/leads/describe2.json", "leads/describe2", priority)

    async def searchable_fields(self, priority: Priority = Priority.FIRST) -> frozenset[str]:
        """The fields by which persons can be looked up, each by itself."""
        keys = [key for each in await self.describe2(priority) for key in each.get("searchableFields", ())]
        return frozenset(key[0] for key in keys if len(key) == 1)

    async def create_schema_fields(
        self, fields: Sequence[Mapping[str, Any]], priority: Priority = Priority.FIRST
    ) -> list[Json]:
        """Create custom fields: {"name", "displayName", "dataType", "description"}; one result each."""
        body = {"input": list(fields)}
        return await self._post("/rest/v1/leads/schema/fields.json", "schema/fields/write", body, priority)

    # Change feeds

    async def paging_token(self, since: str, priority: Priority = Priority.FEED) -> str:
        """The place in the activity log from a time on (RFC 3339)."""
        request = Request(
            "GET", "/rest/v1/activities/pagingtoken.json", "activities/pagingtoken", {"sinceDatetime": since}
        )
        return str((await self.calls.json(request, priority))["nextPageToken"])

    async def lead_changes(self, token: str, fields: Sequence[str], priority: Priority = Priority.FEED) -> Json:
        """One page of changes of these fields, and of creations: {"nextPageToken", "moreResult", "result"}."""
        query = {"nextPageToken": token, "fields": ",".join(fields), "batchSize": str(PAGE_MAX)}
        request = Request("GET", "/rest/v1/activities/leadchanges.json", "activities/leadchanges", query)
        return await self.calls.json(request, priority)

    async def activities(
        self, token: str, type_ids: Iterable[int], lead_ids: Sequence[str] = (), priority: Priority = Priority.FEED
    ) -> Json:
        """One page of activities of at most 10 types, of at most 30 persons where any are named."""
        query = {"nextPageToken": token, "activityTypeIds": ",".join(map(str, type_ids)), "batchSize": str(PAGE_MAX)}
        if lead_ids:
            query["leadIds"] = ",".join(lead_ids)
        return await self.calls.json(Request("GET", "/rest/v1/activities.json", "activities", query), priority)

    async def deleted_leads(self, token: str, priority: Priority = Priority.FIRST) -> Json:
        """One page of deletions: activities whose `primaryAttributeValue` is the person's name."""
        query = {"nextPageToken": token, "batchSize": str(PAGE_MAX)}
        request = Request("GET", "/rest/v1/activities/deletedleads.json", "activities/deletedleads", query)
        return await self.calls.json(request, priority)

    # Custom activities

    async def custom_activity_types(self, priority: Priority = Priority.BACKGROUND) -> list[Json]:
        """Each type: {"id", "apiName", "status", "primaryAttribute", "attributes"}."""
        path = "/rest/v1/activities/external/types.json"
        return await self._get(path, "activities/external/types", priority)

    async def describe_custom_activity_type(
        self, api_name: str, priority: Priority = Priority.BACKGROUND
    ) -> Json | None:
        """The type with its attributes, [{"apiName", "name", "dataType"}]; None where there is none."""
        path = f"/rest/v1/activities/external/type/{api_name}/describe.json"
        found = await self._get(path, "activities/external/describe", priority)
        return found[0] if found else None

    async def create_custom_activity_type(self, shape: Mapping[str, Any]) -> list[Json]:
        """Create a type, as a draft: {"apiName", "name", "triggerName", "filterName", "primaryAttribute", …}."""
        path = "/rest/v1/activities/external/type.json"
        return await self._post(path, "activities/external/type", shape, Priority.FIRST)

    async def create_custom_activity_attributes(
        self, api_name: str, attributes: Sequence[Mapping[str, Any]]
    ) -> list[Json]:
        """Add attributes to a type's draft: {"apiName", "name", "dataType"}."""
        path = f"/rest/v1/activities/external/type/{api_name}/attributes/create.json"
        return await self._post(
            path, "activities/external/attributes", {"attributes": list(attributes)}, Priority.FIRST
        )

    async def approve_custom_activity_type(self, api_name: str) -> list[Json]:
        """Put a type's draft in force."""
        path = f"/rest/v1/activities/external/type/{api_name}/approve.json"
        return await self._post(path, "activities/external/approve", None, Priority.FIRST)

    async def add_custom_activities(
        self, entries: Sequence[Mapping[str, Any]], priority: Priority = Priority.BACKGROUND
    ) -> list[Json]:
        """At most 300 entries; one result each: {"id", "marketoGUID", "status": "added"}, or "skipped" with reasons."""
        body = {"input": list(entries)}
        return await self._post("/rest/v1/activities/external.json", "activities/external", body, priority)

    # The instance

    async def usage(self, priority: Priority = Priority.FIRST) -> list[Json]:
        """Calls of the day: [{"date", "total", "users": [{"userId", "count"}]}]."""
        return await self._get("/rest/v1/stats/usage.json", "stats/usage", priority)

    async def _get(self, path: str, endpoint: str, priority: Priority) -> list[Json]:
        return _results(await self.calls.json(Request("GET", path, endpoint), priority))

    async def _post(self, path: str, endpoint: str, body: Any, priority: Priority) -> list[Json]:
        return _results(await self.calls.json(Request("POST", path, endpoint, None, body, True), priority))

    async def _list(self, request: Request, priority: Priority) -> list[Json]:
        """All pages of a list."""
        found: list[Json] = []
        query = dict(request.query or {})
        for _ in range(PAGES_OF_A_LIST_MAX):
            asked = Request("GET", request.path, request.endpoint, query, seconds_max=request.seconds_max)
            page = await self.calls.json(asked, priority)
            found += _results(page)
            token = page.get("nextPageToken")
            if not token or not page.get("moreResult", True) or not _results(page):
                break
            query["nextPageToken"] = str(token)
        return found


def batches(values: Iterable[Any], most: int = LEADS_MAX) -> Iterator[list[Any]]:
    """As many calls as it takes."""
    everything = list(values)
    for start in range(0, len(everything), most):
        yield everything[start : start + most]


def _results(envelope: Json) -> list[Json]:
    result = envelope.get("result")
    return result if isinstance(result, list) else []


async def _is_answered(call: Coroutine[Any, Any, Any]) -> bool:
    try:
        await call
    except OutcomeUnknown:
        return False
    return True
