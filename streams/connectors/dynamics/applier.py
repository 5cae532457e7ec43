"""Commands for Dynamics, carried out: each operation in its own way, all of a wave side by side."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from typing import Any

from streams.connectors.dynamics.actions import Actions
from streams.connectors.dynamics.client import DataverseClient
from streams.connectors.dynamics.creates import Creates
from streams.connectors.dynamics.decisions import impossible
from streams.connectors.dynamics.organisation import Organisation
from streams.connectors.dynamics.reading import Reading
from streams.connectors.dynamics.relations import Relations
from streams.connectors.dynamics.side_by_side import side_by_side
from streams.connectors.dynamics.telling import Telling
from streams.connectors.dynamics.twins import Twins
from streams.connectors.dynamics.updates import Updates
from streams.connectors.dynamics.waiting import Waiting
from streams.connectors.journal import Entry, Journal
from streams.connectors.lanes import Given, InHand, places_of
from streams.connectors.pacing import Priority
from streams.sync.messages import ApplyResult

PARTS_MAX = 100
"""Of a batch: small enough that one which brings no answer leaves little in doubt."""


class Applier:
    """`apply` is what a command lane calls; `run` tries what waits again. `in_hand`: the persons whom the lanes are at."""

    def __init__(
        self,
        client: DataverseClient,
        organisation: Organisation,
        relations: Relations,
        telling: Telling,
        journal: Journal,
        read_deletions: Callable[[], Awaitable[int]],
        in_hand: InHand,
    ) -> None:
        self.waiting = Waiting()
        self._client, self._journal, self._in_hand = client, journal, in_hand
        reading = Reading(client, organisation)
        twins = Twins(client, organisation)
        self._updates = Updates(client, organisation, reading, relations, telling, self.waiting)
        self._creates = Creates(client, reading, relations, telling, twins, journal, read_deletions, self.waiting)
        self._actions = Actions(client, reading, relations, telling, self.waiting)

    async def apply(self, wave: list[Given], priority: Priority) -> Entry:
        """Carry out commands, at most one of a person. What their writes show is told by then; the entry holds the answers."""
        given = self.waiting.begin(wave)
        results = await self._carry_out(given, priority)
        return Entry(results=results, done=places_of(self.waiting.end(given)))

    async def run(self) -> None:
        """Until cancelled: try what waits again, ever more seldom. Raises what the journal raises."""
        while True:
            await self.waiting.some.wait()
            waits = self._client.caller.waits()
            while self.waiting:
                await self._client.caller.sleep(next(waits))
                await self.try_again()

    async def try_again(self) -> None:
        """The first command of each person who waits, and whom no lane has in hand: it may itself wait for room among them.

        They were taken long ago; that is written down anew before anything is done of them, by which a connector that stood still
        and has a successor learns it, as in a command lane.
        """
        async with self._in_hand.hold_free(self.waiting.persons()) as persons:
            given = self.waiting.first_of_each(persons)
            await self._journal.write(Entry(taken=self._journal.progress.still_open(places_of(given))))
            results = await self._carry_out(given, Priority.BACKGROUND)
            await self._journal.write(Entry(results=results, done=places_of(self.waiting.end(given))))

    async def _carry_out(self, given: Sequence[Given], priority: Priority) -> tuple[ApplyResult, ...]:
        refused = [answer for each in given if (answer := impossible(each.command)) is not None]
        possible = [each for each in given if impossible(each.command) is None]
        results = await side_by_side(list(self._work(possible, priority)))
        return tuple(result for each in (refused, *results) for result in each)

    def _work(self, wave: Sequence[Given], priority: Priority) -> Iterator[Coroutine[Any, Any, list[ApplyResult]]]:
        for updates in _slices([each for each in wave if each.command.operation == "update"]):
            yield self._updates.carry_out([each.command for each in updates], priority)
        for creates in _slices([each for each in wave if each.command.operation == "create"]):
            yield self._creates.carry_out(creates, priority)
        for each in wave:
            if each.command.operation == "qualify":
                yield self._actions.qualify(each.command, priority)
            elif each.command.operation == "delete":
                yield self._actions.delete(each.command, priority)


def _slices(given: Sequence[Given]) -> Iterator[Sequence[Given]]:
    for start in range(0, len(given), PARTS_MAX):
        yield given[start : start + PARTS_MAX]
