"""Persons as they are in Marketo now, for calls about people of whom the feed has told nothing yet.

A call may say nothing of the person, or some of its fields only, which cannot stand for its row. And a person whom we create is known a
moment after Marketo has them, and long after where the answer was lost; a campaign for new persons may ask for Sync Person in
between. By its key the request finds for whom the record stands, who is in Dynamics already.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence

from streams.connectors.marketo.client import Json, MarketoClient
from streams.connectors.marketo.names import OUR_FIELDS, UPDATED_AT
from streams.connectors.rest import CallFailed

log = logging.getLogger(__name__)

LOOK_SECONDS_MAX = 5.0
"""Whoever calls waits for an answer; what could not be looked up is taken as it is, and waits for the feed."""

PersonsOf = Callable[[Sequence[str], Sequence[str]], Awaitable[Mapping[str, Json]]]
"""Ids and columns -> the rows that there are, by id, with our two fields and `updatedAt`."""


def persons_in(client: MarketoClient, seconds_max: float = LOOK_SECONDS_MAX) -> PersonsOf:
    """Looks persons up by their ids; gives none where Marketo does not answer in time."""

    async def persons_of(ids: Sequence[str], columns: Sequence[str]) -> Mapping[str, Json]:
        try:
            async with asyncio.timeout(seconds_max):
                rows = await client.leads_by("id", ids, ["id", UPDATED_AT, *columns, *OUR_FIELDS])
        except (CallFailed, TimeoutError) as error:
            log.warning("who persons are was not found out in time: %s", str(error) or type(error).__name__)
            return {}
        return {str(row["id"]): row for row in rows}

    return persons_of
