"""The keys that persons hold in Marketo now, for calls about people of whom nothing is known yet.

A person whom we create is known a moment after Marketo has them, and long after where the answer was lost; a campaign for new
persons may ask for Sync Person in between. By its key the request finds for whom the record stands, who is in Dynamics already.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence

from streams.connectors.marketo.client import MarketoClient
from streams.connectors.marketo.names import KEY_FIELD
from streams.connectors.marketo.rows import key_shown
from streams.connectors.rest import CallFailed

log = logging.getLogger(__name__)

LOOK_SECONDS_MAX = 5.0
"""Whoever calls waits for an answer; without keys the request is taken as it is."""

KeysOf = Callable[[Sequence[str]], Awaitable[Mapping[str, str]]]


def keys_in(client: MarketoClient, seconds_max: float = LOOK_SECONDS_MAX) -> KeysOf:
    """Looks the keys of persons up, by their ids; gives those that there are, or none where Marketo does not answer in time."""

    async def keys_of(ids: Sequence[str]) -> Mapping[str, str]:
        try:
            async with asyncio.timeout(seconds_max):
                rows = await client.leads_by("id", ids, ["id", KEY_FIELD])
        except (CallFailed, TimeoutError) as error:
            log.warning("whom persons stand for was not found out in time: %s", str(error) or type(error).__name__)
            return {}
        return {str(row["id"]): key for row in rows if (key := key_shown(row.get(KEY_FIELD))) is not None}

    return keys_of
