"""Many reads in one batch: each has its own answer, and one that never gets any is in the way of nobody but itself.

A read that outlasts our patience every time takes the answers of all those away that travel with it. So after a few such batches each
goes alone, once it is sure that Dynamics answers at all: an outage is no matter of single records, and is waited out.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence

from streams.connectors.dynamics.batch import Part
from streams.connectors.dynamics.calling import told
from streams.connectors.dynamics.client import DataverseClient, WebRow, json_object, says_missing
from streams.connectors.dynamics.side_by_side import side_by_side
from streams.connectors.dynamics.verdict import Verdict, is_throttled, refusal_of, verdict_of
from streams.connectors.pacing import Priority
from streams.connectors.rest import Answer, CallFailed, OutcomeUnknown

ENDPOINT = "GET in $batch"
PARTS_MAX = 100
TRIES_MAX, UNANSWERED_MAX = 3, 2
"""So often a read is answered with 401, 403 or 5xx, or goes in a batch without an answer (and then alone), before it is given up."""


class Unread(OutcomeUnknown):
    """A read that Dynamics does not answer, though it answers others."""


async def read_each(
    client: DataverseClient, parts: Sequence[Part], *, priority: Priority = Priority.FIRST
) -> list[WebRow | CallFailed | None]:
    """In their order; None for what there is none of, and for what can't be read now the reason: a Refused, or Unread.

    Raises Refused for what can't be read at all, such as a column that is no more.
    """
    return await _read(client, parts, TRIES_MAX, UNANSWERED_MAX, priority)


async def read_one(client: DataverseClient, part: Part, *, priority: Priority = Priority.FIRST) -> WebRow | None:
    """The same of one. Raises Refused and Unread where it can't be read now."""
    [found] = await read_each(client, [part], priority=priority)
    if isinstance(found, CallFailed):
        raise found
    return found


async def read_all(
    client: DataverseClient, parts: Sequence[Part], *, priority: Priority = Priority.FIRST
) -> list[WebRow | None]:
    """The same, each repeated until it is answered. Raises Refused, and Unread for what is answered with no JSON."""
    rows: list[WebRow | None] = []
    for row in await _read(client, parts, math.inf, math.inf, priority):
        if isinstance(row, CallFailed):
            raise row
        rows.append(row)
    return rows


async def _read(
    client: DataverseClient, parts: Sequence[Part], tries_max: float, unanswered_max: float, priority: Priority
) -> list[WebRow | CallFailed | None]:
    found: dict[int, WebRow | CallFailed | None] = {}
    waits, in_vain = client.caller.waits(), Counter[int]()
    while left := [n for n in range(len(parts)) if n not in found]:
        now = left[:PARTS_MAX]
        rows = dict(zip(now, await _read_once(client, [parts[n] for n in now], unanswered_max, priority), strict=True))
        failed = {n: row for n, row in rows.items() if isinstance(row, CallFailed) and not isinstance(row, Unread)}
        in_vain.update(n for n, error in failed.items() if not is_throttled(error))
        given_up = {n: _given_up(error) for n, error in failed.items() if in_vain[n] >= tries_max}
        read = {n: row for n, row in rows.items() if n not in failed} | given_up
        if not read:
            lasting = [error for error in failed.values() if not is_throttled(error)]
            await _wait(client, lasting, waits, in_silence=tries_max < math.inf)
        found |= read
    client.caller.well(ENDPOINT)
    return [found[n] for n in range(len(parts))]


async def _read_once(
    client: DataverseClient, parts: Sequence[Part], unanswered_max: float, priority: Priority
) -> list[WebRow | CallFailed | None]:
    """What each is answered, be it that it may not be read now."""
    try:
        return [_row_of(each) for each in await client.batch(parts, priority=priority, unanswered_max=unanswered_max)]
    except OutcomeUnknown as error:
        await client.who_am_i()  # an outage ends here
        if len(parts) == 1:
            return [Unread(str(error))]
    alone = await side_by_side([_read_once(client, [part], unanswered_max, priority) for part in parts])
    return [row for [row] in alone]


async def _wait(
    client: DataverseClient, errors: Sequence[CallFailed], waits: Iterator[float], in_silence: bool
) -> None:
    """Before what brought these errors is read again. Raises the first where an impatient client must not wait.

    `in_silence`: it is given up soon, and whoever does that has more to say.
    """
    if errors and not client.caller.patient:
        raise errors[0]
    if errors and in_silence:
        await client.caller.sleep(next(waits))
    elif errors:
        await client.caller.wait(ENDPOINT, errors[0], waits)


def _row_of(answer: Answer) -> WebRow | CallFailed | None:
    """The error of what may be read another time. Raises Refused for what is neither there nor missing."""
    verdict = verdict_of(answer)
    if verdict is Verdict.DONE:
        return json_object(answer)
    error = refusal_of(answer)
    if verdict is Verdict.UNKNOWN:
        return OutcomeUnknown(told(error))
    if verdict is Verdict.NOT_YET:
        return error
    if not says_missing(error):
        raise error
    return None


def _given_up(error: CallFailed) -> CallFailed:
    return Unread(str(error)) if isinstance(error, OutcomeUnknown) else error
