"""Persons looked up by what one of their fields holds, however many there are. Marketo gives 1,000 matches of one call at the most.

Where more match, the values are halved until the one to blame stands alone: what is asked for the others must not fail with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from streams.connectors.marketo.answers import Said
from streams.connectors.marketo.client import Json, MarketoClient, batches
from streams.connectors.pacing import Priority
from streams.connectors.rest import Refused
from streams.sync.messages import ApplyCommand

INVALID_DATA = "1003"
TOO_MANY = "too many results"


@dataclass
class Found:
    """Rows, and the values that too many persons have, each with Marketo's refusal."""

    rows: list[Json] = field(default_factory=list)
    too_many: dict[str, Refused] = field(default_factory=dict)

    def refuse(self, wanted: dict[str, ApplyCommand], left: dict[str, ApplyCommand], said: Said) -> None:
        """Answer the commands that wanted one of these values, and take them out of what is wanted and what is left."""
        for value, error in self.too_many.items():
            command = wanted.pop(value)
            del left[command.command_id]
            said.answer(command, "refused", code=error.code, message=error.message)


async def looked_up(
    client: MarketoClient, filter_type: str, values: Sequence[str], fields: Sequence[str], priority: Priority
) -> Found:
    """The persons whose `filter_type` is one of these values. Raises Refused for what no value is to blame for."""
    found = Found()
    for some in batches(values):
        await _look_up(client, filter_type, some, fields, priority, found)
    return found


async def _look_up(
    client: MarketoClient,
    filter_type: str,
    values: Sequence[str],
    fields: Sequence[str],
    priority: Priority,
    found: Found,
) -> None:
    try:
        found.rows += await client.leads_by(filter_type, values, fields, priority)
    except Refused as error:
        if error.code != INVALID_DATA or TOO_MANY not in error.message.casefold():
            raise
        if len(values) == 1:
            found.too_many[values[0]] = error
            return
        half = len(values) // 2
        for some in (values[:half], values[half:]):
            await _look_up(client, filter_type, some, fields, priority, found)
