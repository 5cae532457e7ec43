"""Records that a create made and somebody deleted before anybody knew of them. A deletion shows an id and a name, and no key.

So before a create is repeated the deletions since its first try are read: a person of that name of whom nobody knows, created
by a program since then too, is the one. (Design, "Creation, links, conversion, merges".)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from schemas.identity import person_key_of
from schemas.vocabulary import MARKETO
from streams.connectors.journal import Journal
from streams.connectors.marketo.changes import is_told
from streams.connectors.marketo.client import LEAD_IDS_MAX, MarketoClient, batches
from streams.connectors.marketo.names import NEW_LEAD
from streams.connectors.pacing import Priority
from streams.connectors.times import rfc3339
from streams.sync.messages import ApplyCommand

SKEW_SECONDS = 60.0
FORMER_SECONDS = 3_600.0
"""How long before it last read the feed the connector before us may have tried."""

PAGES_MAX = 100
SOURCE_TYPE = "Source Type"
API_SOURCE = "Web service API"


class Unseen:
    """Looks for them. `now` and `last_read`, when the connector before us last read the feed, in seconds since the epoch."""

    def __init__(
        self, client: MarketoClient, journal: Journal, now: Callable[[], float], last_read: float | None
    ) -> None:
        self._client, self._journal, self._now = client, journal, now
        self._former = (now() if last_read is None else last_read) - FORMER_SECONDS

    def first_tried(self, maybe_done: bool) -> float:
        """From when on a create that begins now may have been made."""
        return self._former if maybe_done else self._now() - SKEW_SECONDS

    async def found(
        self, creates: Sequence[tuple[ApplyCommand, float]], priority: Priority
    ) -> list[tuple[ApplyCommand, str]]:
        """Those creates whose record came and went, each with its record's id."""
        wanted = {name: command for command, _ in creates if (name := _name(command.fields or {}))}
        if not wanted:
            return []
        token = await self._client.paging_token(rfc3339(min(since for _, since in creates)), priority)
        deleted = {
            str(each["leadId"]): name
            for each in await self._pages(token, None, priority)
            if (name := _spelled(each.get("primaryAttributeValue"))) in wanted
            and self._may_be_made_for(wanted[name], str(each["leadId"]))
        }
        made = await self._created_since(token, list(deleted), priority)
        found: dict[str, tuple[ApplyCommand, str]] = {}
        for record_id, name in deleted.items():
            if record_id in made:
                found[name] = wanted[name], record_id
        return list(found.values())

    def _may_be_made_for(self, command: ApplyCommand, record_id: str) -> bool:
        """Whether it stands for nobody whom we know by a key, and is not the record from which the person itself came."""
        known = self._journal.known.get(record_id)
        if known is None or (known.key is None and not is_told(known)):
            return person_key_of(MARKETO, record_id) != command.person_key
        return known.state == "deleted" and known.key is None and known.person_key != command.person_key

    async def _created_since(self, token: str, ids: Sequence[str], priority: Priority) -> set[str]:
        made: set[str] = set()
        for some in batches(ids, LEAD_IDS_MAX):
            made |= {str(each["leadId"]) for each in await self._pages(token, some, priority) if _is_by_api(each)}
        return made

    async def _pages(self, token: str, created: Sequence[str] | None, priority: Priority) -> list[dict[str, Any]]:
        """Deletions from a place on, or the creations of these records."""
        found: list[dict[str, Any]] = []
        for _ in range(PAGES_MAX):
            if created is None:
                page = await self._client.deleted_leads(token, priority)
            else:
                page = await self._client.activities(token, (NEW_LEAD,), created, priority)
            found += page.get("result") or ()
            token = page["nextPageToken"]
            if not page.get("moreResult"):
                break
        return found


def _is_by_api(created: Mapping[str, Any]) -> bool:
    """Whether a program made it; what somebody typed in, or a form brought, is none of ours."""
    said = {each.get("name"): each.get("value") for each in created.get("attributes") or ()}
    return bool(said.get(SOURCE_TYPE, API_SOURCE) == API_SOURCE)


def _name(fields: Mapping[str, object]) -> str:
    return _spelled(" ".join(str(fields[name]) for name in ("firstName", "lastName") if fields.get(name)))


def _spelled(name: object) -> str:
    return " ".join(str(name or "").split()).casefold()
