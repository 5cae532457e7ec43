"""Many writes in one batch: each has its own answer, and a batch that brings none leaves every one of them in doubt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from streams.connectors.dynamics.batch import Part
from streams.connectors.dynamics.client import REPRESENTATION, DataverseClient, WebRow
from streams.connectors.dynamics.verdict import Verdict, refusal_of, verdict_of
from streams.connectors.pacing import Priority
from streams.connectors.rest import Answer, CallFailed, OutcomeUnknown

ENDPOINT = "PATCH in $batch"
DUPLICATE_RULE = "0x80040333"
KEY_CODES = frozenset({"0x80040237", "0x80060892"})
"""A key is taken. Of a create that may be the record's own, made by an earlier try of it: 0x80040237 is `If-None-Match: *` too."""
ROUNDS_AT_ONCE = 3
"""So often a write is tried again at once whose record changed meanwhile."""

Fate = Literal["done", "refused", "taken", "condition", "missing", "not_yet", "unknown"]
"""`taken`: a key is; `condition`: a 412 that says no more than that the record is another than it was thought to be."""


@dataclass(frozen=True)
class Written:
    """What became of one write. `row`: the record as it is then, where Dataverse gave it; `error`: why it was not done."""

    fate: Fate
    row: WebRow | None = None
    error: CallFailed | None = None
    reply: Answer | None = None


def patch(target: str, condition: Mapping[str, str], body: Mapping[str, Any]) -> Part:
    """A conditional write that brings the row."""
    return Part("PATCH", target, {**REPRESENTATION, **condition}, body)


class Writes:
    """The writes of a few commands, in as many rounds as it takes."""

    def __init__(self, client: DataverseClient) -> None:
        self._client, self._waits, self._rounds = client, client.caller.waits(), 0

    async def carry_out(self, parts: Sequence[Part], priority: Priority) -> list[Written]:
        """One round: what became of each. `pause` before the next."""
        if not parts:
            return []
        try:
            return [_written(reply) for reply in await self._client.batch(parts, priority=priority)]
        except OutcomeUnknown as error:
            return [Written("unknown", error=error)] * len(parts)

    async def pause(self, written: Sequence[Written]) -> None:
        """Wait, where some could not be carried out just now, or have been in vain again and again. Raises Refused."""
        self._rounds += 1
        replies = [each.reply for each in written if each.reply is not None]
        unknown = next((each.error for each in written if each.fate == "unknown" and each.reply is None), None)
        changed = next((each.error for each in written if each.fate == "condition"), None)
        if unknown is not None:
            await self._client.caller.wait(ENDPOINT, unknown, self._waits)
        elif replies:
            await self._client.wait_for_parts(ENDPOINT, replies, self._waits)
        elif changed is not None and self._rounds > ROUNDS_AT_ONCE:
            await self._client.caller.wait(ENDPOINT, changed, self._waits)
        else:
            self._client.caller.well(ENDPOINT)


def _written(reply: Answer) -> Written:
    verdict = verdict_of(reply)
    if verdict is Verdict.DONE:
        row = reply.json() if reply.body else None
        return Written("done", row if isinstance(row, dict) else None)
    error = refusal_of(reply)
    if verdict is not Verdict.REFUSED:
        return Written("not_yet" if verdict is Verdict.NOT_YET else "unknown", error=error, reply=reply)
    if error.code in KEY_CODES:
        return Written("taken", error=error)
    if reply.status == 412 and error.code != DUPLICATE_RULE:
        return Written("condition", error=error)
    return Written("missing" if reply.status == 404 else "refused", error=error)
