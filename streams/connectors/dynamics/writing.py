"""Many writes in one batch: each has its own answer, and a batch that brings none leaves every one of them in doubt.

One write that outlasts our patience every time would leave all those in doubt that travel with it. So after a few such rounds each
goes alone, and one that still brings no answer is in the way of nobody but itself: its command waits (`waiting`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from streams.connectors.dynamics.batch import Part
from streams.connectors.dynamics.client import REPRESENTATION, DataverseClient, WebRow
from streams.connectors.dynamics.side_by_side import side_by_side
from streams.connectors.dynamics.verdict import Verdict, is_throttled, refusal_of, verdict_of
from streams.connectors.pacing import Priority
from streams.connectors.rest import Answer, CallFailed, OutcomeUnknown

ENDPOINT = "PATCH in $batch"
DUPLICATE_RULE = "0x80040333"
KEY_CODES = frozenset({"0x80040237", "0x80060892"})
"""A key is taken. Of a create that may be the record's own, made by an earlier try of it: 0x80040237 is `If-None-Match: *` too."""
ROUNDS_AT_ONCE = 3
"""So often a write is tried again at once whose record changed meanwhile."""
TOGETHER_MAX, IN_VAIN_MAX = 2, 4
"""So often writes go together without an answer before each goes alone; and so often one is tried, in all, before its command waits."""

Fate = Literal["done", "refused", "taken", "condition", "missing", "not_yet", "unknown"]
"""`taken`: a key is; `condition`: a 412 that says no more than that the record is another than it was thought to be."""


@dataclass(frozen=True)
class Written:
    """What became of one write. `row`: the record as it is then, where Dataverse gave it.

    `error`: why it was not done; None too where only others may be why nothing is known.
    """

    fate: Fate
    row: WebRow | None = None
    error: CallFailed | None = None


def patch(target: str, condition: Mapping[str, str], body: Mapping[str, Any]) -> Part:
    """A conditional write that brings the row."""
    return Part("PATCH", target, {**REPRESENTATION, **condition}, body)


class Writes:
    """The writes of a few commands, in as many rounds as it takes. `have_waited`: one more round without an answer is enough."""

    def __init__(self, client: DataverseClient, have_waited: bool = False) -> None:
        self._client, self._waits, self._rounds = client, client.caller.waits(), 0
        self._in_vain = IN_VAIN_MAX - 1 if have_waited else 0
        self._unanswered: OutcomeUnknown | None = None

    async def carry_out(self, parts: Sequence[Part], priority: Priority) -> list[Written]:
        """One round: what became of each. `pause` before the next."""
        self._unanswered = None
        if not parts:
            return []
        batches = [parts] if self._in_vain < TOGETHER_MAX else [[part] for part in parts]
        written = await side_by_side([self._one_batch(batch, priority) for batch in batches])
        self._in_vain += self._unanswered is not None
        return [each for batch in written for each in batch]

    async def _one_batch(self, parts: Sequence[Part], priority: Priority) -> list[Written]:
        try:
            return [_written(reply) for reply in await self._client.batch(parts, priority=priority)]
        except OutcomeUnknown as error:
            self._unanswered = error
            return [Written("unknown", error=error if self._in_vain + 1 >= IN_VAIN_MAX else None)] * len(parts)

    async def pause(self, written: Sequence[Written]) -> None:
        """Wait, where some could not be carried out just now, or have been in vain again and again."""
        self._rounds += 1
        passing = [
            each.error for each in written if each.fate in ("not_yet", "unknown") and not is_throttled(each.error)
        ]
        changed = [each.error for each in written if each.fate == "condition" and self._rounds > ROUNDS_AT_ONCE]
        errors = [self._unanswered, *passing, *changed] if written else []
        if error := next(filter(None, errors), None):
            await self._client.caller.wait(ENDPOINT, error, self._waits)
        else:
            self._client.caller.well(ENDPOINT)


def _written(reply: Answer) -> Written:
    verdict = verdict_of(reply)
    if verdict is Verdict.DONE:
        row = reply.json() if reply.body else None
        return Written("done", row if isinstance(row, dict) else None)
    error = refusal_of(reply)
    if verdict is not Verdict.REFUSED:
        return Written("not_yet" if verdict is Verdict.NOT_YET else "unknown", error=error)
    if error.code in KEY_CODES:
        return Written("taken", error=error)
    if reply.status == 412 and error.code != DUPLICATE_RULE:
        return Written("condition", error=error)
    return Written("missing" if reply.status == 404 else "refused", error=error)
