"""The Dataverse Web API as leadsync uses it: rows and pages, conditional writes, actions, batches, metadata.

How calls are repeated stands in `calling`, many reads at once in `lookups`. Reads raise Refused; writes raise Refused and OutcomeUnknown.
"""

from __future__ import annotations

import asyncio
import json
import math
import random
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

from streams.connectors.dynamics import batch as batches
from streams.connectors.dynamics.batch import Part
from streams.connectors.dynamics.calling import Called, Caller, Request
from streams.connectors.dynamics.tokens import Tokens
from streams.connectors.dynamics.verdict import NO_SUCH_RESOURCE, THROTTLED
from streams.connectors.pacing import Backoff, Pacer, Priority
from streams.connectors.rest import Answer, OutcomeUnknown, Refused, Rest
from streams.connectors.settings import DynamicsConnection, tls_context

API = "/api/data/v9.2/"
ANNOTATIONS = 'odata.include-annotations="OData.Community.Display.V1.FormattedValue"'
REPRESENTATION = {"Prefer": f"return=representation,{ANNOTATIONS}"}
READING = {"Prefer": ANNOTATIONS}
JSON = {"Content-Type": "application/json"}
SECONDS_MAX = 130.0
"""Dataverse itself ends what lasts longer than 120 seconds, and answers so: whoever waits less never hears which operation that was."""

WebRow = Mapping[str, Any]


@dataclass(frozen=True)
class Page:
    """One page of rows. `next_link` where there are more; the last page of change tracking has a `delta_link`."""

    rows: tuple[WebRow, ...]
    next_link: str | None = None
    delta_link: str | None = None


@dataclass(frozen=True)
class Wanted:
    """A record that is to be read: its entity set (`leads`), its id, and the columns, as the Web API spells them."""

    entity_set: str
    id: str
    select: tuple[str, ...]

    @property
    def target(self) -> str:
        """Below the service's root."""
        return f"{self.entity_set}({self.id})?{selecting(self.select)}"

    @property
    def part(self) -> Part:
        """Its reading, as an operation of a batch."""
        return Part("GET", self.target, READING)


class DataverseClient:
    """One organisation, as one application user. `called(endpoint, outcome)` hears of every call; `close` at the end.

    `patient`: wait without end for an answer, for credentials and privileges too (401, 403). Impatient, as a check
    wants it: a few tries, then whatever stood in the way is raised, Unreachable included.
    """

    def __init__(
        self,
        connection: DynamicsConnection,
        pacer: Pacer,
        called: Called = lambda endpoint, outcome: None,
        *,
        rng: random.Random | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        backoff: Backoff | None = None,
        patient: bool = True,
        seconds_max: float = SECONDS_MAX,
    ) -> None:
        self._rest = Rest(tls_context(connection.ca_file), pacer.pace.concurrent + 1)
        tokens = Tokens(connection, self._rest)
        self.caller = Caller(
            self._rest, tokens, pacer, called, rng or random.Random(), sleep, backoff or Backoff(), patient, seconds_max
        )
        self._root = connection.url + API

    @property
    def trouble(self) -> str | None:
        """What keeps calls from being answered, in one line; None while they are."""
        return self.caller.trouble

    async def close(self) -> None:
        """Let go of the connections."""
        await self._rest.close()

    async def get(self, target: str, *, prefer: str = ANNOTATIONS, priority: Priority = Priority.FIRST) -> WebRow:
        """What a target below the service's root, or a link of this organisation, holds, as a JSON object."""
        found: WebRow = await self.caller.call(
            Request(f"GET {route(target)}", "GET", self._url(target), {"Prefer": prefer}, priority=priority),
            json_object,
        )
        return found

    async def page(self, target: str, *, prefer: str = ANNOTATIONS, priority: Priority = Priority.FEED) -> Page:
        """One page of an entity set, of a query or of change tracking."""
        return _page(await self.get(target, prefer=prefer, priority=priority))

    async def rows(self, target: str, *, priority: Priority = Priority.FIRST) -> AsyncIterator[WebRow]:
        """Every row of a query, page by page."""
        link: str | None = target
        while link is not None:
            page = await self.page(link, priority=priority)
            for row in page.rows:
                yield row
            link = page.next_link

    async def batch(
        self, parts: Sequence[Part], *, priority: Priority = Priority.FIRST, unanswered_max: float = math.inf
    ) -> list[Answer]:
        """The answer to each part, errors included; a 429 among them holds back everybody.

        Raises OutcomeUnknown where not all are answered: at once where a part writes, else so often as `unanswered_max` says.
        """
        if not parts:
            return []
        boundary = f"batch_{uuid.uuid4().hex}"
        headers = {"Content-Type": f'multipart/mixed; boundary="{boundary}"', "Prefer": "odata.continue-on-error"}
        unanswered_max = 1 if any(part.writes for part in parts) else unanswered_max
        body = batches.written(parts, boundary, urlsplit(self._root).path)
        request = Request("POST $batch", "POST", self._root + "$batch", headers, body, unanswered_max, priority)
        answers = await self.caller.call(request, lambda answer: batches.read(answer, len(parts)))
        for answer in answers:
            if answer.status == THROTTLED:
                self.caller.held_back(answer)
        return answers

    async def patch(
        self,
        wanted: Wanted,
        body: Mapping[str, Any],
        condition: Mapping[str, str],
        *,
        priority: Priority = Priority.FIRST,
    ) -> WebRow:
        """Write, under a condition such as `{"If-Match": etag}` or `{"If-None-Match": "*"}`; the row as it is then."""
        headers = {**JSON, **REPRESENTATION, **condition}
        endpoint, url = f"PATCH {route(wanted.target)}", self._url(wanted.target)
        request = Request(endpoint, "PATCH", url, headers, _json(body), 1, priority, True)
        found: WebRow = await self.caller.call(request, json_object)
        return found

    async def post(self, target: str, body: Mapping[str, Any], *, priority: Priority = Priority.FIRST) -> WebRow:
        """An action."""
        headers = {**JSON, "Prefer": ANNOTATIONS}
        request = Request(f"POST {route(target)}", "POST", self._url(target), headers, _json(body), 1, priority, True)
        found: WebRow = await self.caller.call(request, json_object)
        return found

    async def delete(self, entity_set: str, record_id: str, *, priority: Priority = Priority.FIRST) -> None:
        """Delete a record."""
        target = f"{entity_set}({record_id})"
        endpoint = f"DELETE {route(target)}"
        request = Request(endpoint, "DELETE", self._url(target), {}, None, 1, priority, True)
        await self.caller.call(request, lambda answer: None)

    async def who_am_i(self) -> str:
        """The application user's `systemuserid`. Raises OutcomeUnknown where something else answers than a Dataverse organisation."""
        found = (await self.get("WhoAmI")).get("UserId")
        if not isinstance(found, str):
            raise OutcomeUnknown("WhoAmI was answered without a user: is the address that of a Dataverse organisation?")
        return found.lower()

    async def users(
        self, condition: str, select: Sequence[str] = ("systemuserid",), *, priority: Priority = Priority.FIRST
    ) -> list[WebRow]:
        """`systemusers` that a `$filter` finds."""
        return [
            row async for row in self.rows(f"systemusers?{selecting(select)}&{filtering(condition)}", priority=priority)
        ]

    async def entity(self, logical_name: str, select: Sequence[str] = ()) -> WebRow:
        """What Dataverse says of a table, such as `lead`."""
        query = f"?{selecting(select)}" if select else ""
        return await self.get(f"EntityDefinitions(LogicalName='{logical_name}'){query}")

    async def attributes(
        self, logical_name: str, kind: str | None = None, select: Sequence[str] = (), expand: str | None = None
    ) -> list[WebRow]:
        """The columns of a table; `kind` such as `String` or `Picklist` only those, with what only they have."""
        cast = "" if kind is None else f"/Microsoft.Dynamics.CRM.{kind}AttributeMetadata"
        query = "&".join(
            [*([selecting(select)] if select else []), *([f"$expand={quote(expand, safe='$,()=')}"] if expand else [])]
        )
        target = f"EntityDefinitions(LogicalName='{logical_name}')/Attributes{cast}" + (f"?{query}" if query else "")
        return [row async for row in self.rows(target)]

    def _url(self, target: str) -> str:
        """A link must lead to this organisation: it gets our token."""
        if "://" not in target:
            return self._root + target
        if not target.startswith(self._root):
            raise Refused("foreign_link", f"Dynamics names an address outside {self._root}", 200)
        return target


def selecting(columns: Sequence[str]) -> str:
    """`$select`, ready for an address."""
    return f"$select={','.join(columns)}"


def filtering(condition: str) -> str:
    """`$filter`, ready for an address."""
    return f"$filter={quote(condition, safe='')}"


def literal(text: str) -> str:
    """A text within a `$filter`."""
    return "'" + text.replace("'", "''") + "'"


def route(target: str) -> str:
    """A target without what only one call has: ids, and the query."""
    path = target.partition("?")[0].partition(API)[2] or target.partition("?")[0]
    return "/".join(_bare(part) for part in path.split("/"))


def _bare(part: str) -> str:
    name, opened, _ = part.partition("(")
    return f"{name}(id)" if opened else name


def says_missing(error: Refused) -> bool:
    """Whether there is no such record; a wrong address is answered 404 as well."""
    return error.status == 404 and error.code != NO_SUCH_RESOURCE


def json_object(answer: Answer) -> dict[str, Any]:
    """The object that an answer brings. Raises OutcomeUnknown where it brings none."""
    found = answer.json()
    if not isinstance(found, dict):
        raise OutcomeUnknown(f"HTTP {answer.status} with a body that is no JSON object")
    return found


def _page(found: WebRow) -> Page:
    rows = found.get("value")
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise OutcomeUnknown("a page without rows")
    return Page(tuple(rows), found.get("@odata.nextLink"), found.get("@odata.deltaLink"))


def _json(body: Mapping[str, Any]) -> bytes:
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
