"""A batch of records to write, in as many calls and rounds as it takes, and for each record what became of it.

A call that is refused as a whole because of what is in it is halved until the one to blame stands alone. After a call whose outcome nobody
knows every record of it is in doubt, and whoever wrote reads before the next round. One record may be what Marketo stumbles over
each time (611, 604), and the others must not wait for it: who was in doubt travels, in the next round, in loads of half the size, until
the one to blame stands alone; when that one has failed so often enough it is refused. None of it while Marketo takes no writes at
all, which is no record's fault: that is waited out. (Design, "Validation": other people are not held up.)
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any, Literal, NamedTuple

import msgspec

from streams.connectors.marketo.client import MarketoClient
from streams.connectors.marketo.codes import is_about_the_body, meaning_of
from streams.connectors.marketo.names import LEADS_MAX
from streams.connectors.marketo.patience import Patience
from streams.connectors.pacing import Priority
from streams.connectors.rest import OutcomeUnknown, Refused

log = logging.getLogger(__name__)

BODY_BYTES_MAX = 900_000
"""Marketo takes 1 MB; this leaves room for what stands around the records."""

ALONE_TRIES_MAX = 8
"""So often a record may fail alone while others of its batch came through; with the pauses between, half a minute."""
ALONE_TRIES_UNPROVEN_MAX = 36
"""Where none did, since it is the only one, say: a quarter of an hour. That Marketo answers a write for nobody is less of a proof."""

NOT_FOUND = "1004"
EXISTS = "1005"
SEVERAL = "1007"
DONE = ("created", "updated", "deleted", "added")

Input = Mapping[str, Any]
Send = Callable[[Sequence[Input]], Awaitable[list[dict[str, Any]]]]


class Verdict(NamedTuple):
    """What became of one record: done; refused, or nobody knows, with a code and a message. `records`: of how many nobody knows with it."""

    outcome: Literal["done", "refused", "unsure"]
    id: str = ""
    code: str = ""
    message: str = ""
    records: int = 1


NOT_TRIED = Verdict("unsure")


class Rounds:
    """The rounds of one batch: `sent` with what is left of it, `pause`, read what is in doubt, and again.

    `send`: one call of at most 300 records; one result each, in their order. `takes_writes`: asks whether Marketo takes any at all.
    """

    def __init__(self, send: Send, takes_writes: Callable[[], Awaitable[bool]], patience: Patience) -> None:
        self._send, self._takes_writes, self._patience = send, takes_writes, patience
        self._pause = patience.begin()
        self._doubts: dict[str, Verdict] = {}
        self._alone: Counter[str] = Counter()
        self._came_through = self._is_proven = False

    async def sent(self, records: Mapping[str, Input]) -> dict[str, Verdict]:
        """Records by name, and a verdict for each. Raises Refused for what no record is to blame for."""
        tries_max = ALONE_TRIES_MAX if self._is_proven else ALONE_TRIES_UNPROVEN_MAX
        verdicts = {name: self._given_up(name) for name in records if self._alone[name] >= tries_max}
        is_taking = self._came_through = False
        for names in self._loads({name: each for name, each in records.items() if name not in verdicts}):
            told = dict(zip(names, await _sent([records[name] for name in names], self._send), strict=True))
            verdicts |= told
            doubts = {name: each for name, each in told.items() if each.outcome == "unsure"}
            self._came_through |= len(doubts) < len(told)
            self._is_proven |= self._came_through
            is_taking = is_taking or self._came_through or await self._takes_writes()
            if not is_taking:
                break  # nobody is to blame, and more would be for nothing
            self._blame(doubts)
        return {name: verdicts.get(name, NOT_TRIED) for name in records}

    async def pause(self) -> None:
        """Wait before the next round: ever longer, while nothing comes through."""
        if self._came_through:
            self._pause = self._patience.begin()
        await self._pause()

    def _blame(self, doubts: Mapping[str, Verdict]) -> None:
        self._doubts |= doubts
        self._alone.update(name for name, each in doubts.items() if each.records == 1)

    def _given_up(self, name: str) -> Verdict:
        doubt = self._doubts[name]
        log.error("Marketo fails on a record each time it is written, which is given up: %s", doubt.message)
        return doubt._replace(outcome="refused")

    def _loads(self, records: Mapping[str, Input]) -> Iterator[list[str]]:
        """As many records as one call takes, by number and by size; first those that were in no doubt."""

        def most(name: str) -> int:
            return (self._doubts[name].records + 1) // 2 if name in self._doubts else LEADS_MAX

        for count_max, names in groupby(sorted(records, key=most, reverse=True), most):
            load: list[str] = []
            size = 0
            for name in names:
                length = len(msgspec.json.encode(records[name])) + 1
                if load and (len(load) == count_max or size + length > BODY_BYTES_MAX):
                    yield load
                    load, size = [], 0
                load.append(name)
                size += length
            yield load


def lead_writes(
    client: MarketoClient, action: str, lookup_field: str, patience: Patience, priority: Priority
) -> Rounds:
    """Rounds of what `write_leads` takes."""

    async def send(records: Sequence[Input]) -> list[dict[str, Any]]:
        return await client.write_leads(action, lookup_field, records, priority)

    return Rounds(send, lambda: client.takes_writes(priority), patience)


async def _sent(records: Sequence[Input], send: Send) -> list[Verdict]:
    try:
        results = await send(records)
    except OutcomeUnknown as error:
        return [Verdict("unsure", "", error.code, str(error), len(records))] * len(records)
    except Refused as error:
        if not is_about_the_body(error.code):
            raise
        if len(records) == 1:
            return [Verdict("refused", "", error.code, error.message)]
        half = len(records) // 2
        return [*await _sent(records[:half], send), *await _sent(records[half:], send)]
    if len(results) != len(records):
        told = f"Marketo answered for {len(results)} records, and was sent {len(records)}"
        return [Verdict("unsure", "", "results", told, len(records))] * len(records)
    return [_verdict(each) for each in results]


def _verdict(told: Mapping[str, Any]) -> Verdict:
    record_id = str(told.get("id", ""))
    if told.get("status") in DONE:
        return Verdict("done", record_id)
    reasons = told.get("reasons") or told.get("errors") or [{}]
    code, message = str(reasons[0].get("code", "skipped")), str(reasons[0].get("message", ""))
    outcome: Literal["refused", "unsure"] = "refused" if meaning_of(code) == "refused" else "unsure"
    return Verdict(outcome, record_id, code, message)
