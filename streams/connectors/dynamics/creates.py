"""Creates: once, however often they are repeated, and even when nobody knows what became of the last attempt.

The record's id follows from its key, so a repeat finds it; or finds that there is none, and then asks change tracking whether it
was there and was deleted. Before the write, `linked` goes into the record's stream, so that whatever the feed says of it finds its
person. `If-None-Match: *` makes Dataverse refuse a second record; since it says so with the code of any key that is taken, the record
is looked for before that is believed. (Design, "Creation, links, conversion, merges".)
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from schemas.vocabulary import OURSELVES
from streams.connectors.dynamics import answers
from streams.connectors.dynamics.batch import Part
from streams.connectors.dynamics.client import DataverseClient, Wanted
from streams.connectors.dynamics.decisions import body_of, decide_found, first_unwritable
from streams.connectors.dynamics.owners import Owners
from streams.connectors.dynamics.reading import Reading, record_of
from streams.connectors.dynamics.relations import Relations
from streams.connectors.dynamics.rows import Shown
from streams.connectors.dynamics.telling import Telling
from streams.connectors.dynamics.twins import Twins
from streams.connectors.dynamics.verdict import may_pass
from streams.connectors.dynamics.waiting import Waiting
from streams.connectors.dynamics.writing import Writes, Written, patch
from streams.connectors.journal import Journal
from streams.connectors.lanes import Given, InHand
from streams.connectors.pacing import Priority
from streams.connectors.rest import CallFailed, Refused
from streams.sync.messages import ApplyCommand, ApplyResult, Record, SourceChange


@dataclass
class _Attempt:
    """A create under way. `doubtful`: its record may be there, for all that is known; `said_to_exist`: the last answer said so.

    `owner_id`: of the user whom it names. `waits`: another time; `lacks_room`: it would, and too many do.
    """

    command: ApplyCommand
    doubtful: bool
    said_to_exist: bool = False
    owner_id: str | None = None
    announced: bool = False
    waits: bool = False
    lacks_room: bool = False
    results: list[ApplyResult] = field(default_factory=list)

    @property
    def record(self) -> Record:
        """What it is to make."""
        return record_of(self.command)


class Creates:
    """Carries out creates. `read_deletions` reads change tracking to its end."""

    def __init__(
        self,
        client: DataverseClient,
        reading: Reading,
        relations: Relations,
        telling: Telling,
        twins: Twins,
        journal: Journal,
        read_deletions: Callable[[], Awaitable[int]],
        waiting: Waiting,
    ) -> None:
        self._waiting = waiting
        self._client, self._reading, self._relations, self._telling = client, reading, relations, telling
        self._twins, self._journal, self._read_deletions = twins, journal, read_deletions
        self._owners, self._addresses = Owners(client), InHand()
        # commands that wait, whose links stand in the log: they need not go there at every try
        self._announced = set[str]()

    async def carry_out(self, given: Sequence[Given], priority: Priority) -> list[ApplyResult]:
        """An answer to each that does not wait. Of two that may be each other's twins, the later one looks when the first is made."""
        results: list[ApplyResult] = []
        for turn, addresses in self._turns(given):
            results += await self._carry_out(turn, addresses, priority)
        return results

    def _turns(self, given: Sequence[Given]) -> list[tuple[list[Given], set[str]]]:
        """In order, but no e-mail address by which twins are searched twice in one turn; each with its addresses."""
        made: list[tuple[list[Given], set[str]]] = []
        for each in given:
            addresses = self._twins.addresses(each.command)
            later_than = [n for n, (_, taken) in enumerate(made) if addresses & taken]
            turn = max(later_than, default=-1) + 1
            if turn == len(made):
                made.append(([], set()))
            made[turn][0].append(each)
            made[turn][1].update(addresses)
        return made

    async def _carry_out(self, given: Sequence[Given], addresses: set[str], priority: Priority) -> list[ApplyResult]:
        rounds = Writes(self._client, all(self._waiting.has(each.command) for each in given))
        attempts = [
            _Attempt(each.command, each.maybe_done, announced=each.command.command_id in self._announced)
            for each in given
        ]
        left = attempts
        while left:
            async with self._addresses.hold(addresses):
                left, written = await self._go_on(left, rounds, priority)
            await rounds.pause(written if left else [])
        self._announced -= {attempt.command.command_id for attempt in attempts}
        self._announced |= {attempt.command.command_id for attempt in attempts if attempt.announced and attempt.waits}
        return [result for attempt in attempts for result in attempt.results]

    async def _go_on(
        self, left: list[_Attempt], rounds: Writes, priority: Priority
    ) -> tuple[list[_Attempt], list[Written]]:
        """Round by round, until none is left; or until one lacks room: who makes it may want an address that is held here.

        Gives those that are left, and what stands in their way.
        """
        while True:
            unread = await self._look(left, priority)
            unread += await self._find_twins(_ready(left), priority)
            unread += await self._check(_ready(left), priority)
            ready = _ready(left)
            await self._announce(ready)
            written = await rounds.carry_out([await self._part(attempt) for attempt in ready], priority)
            await self._heed(ready, written, priority)
            left = _open(left)
            if not left or any(attempt.lacks_room for attempt in left):
                return left, [*written, *unread]
            await rounds.pause([*written, *unread])

    async def _look(self, attempts: Sequence[_Attempt], priority: Priority) -> list[Written]:
        """What is known to be gone is; what may be there is read; where it is not, the deletions are.

        What cannot be read just now stays doubtful, if it does not wait; gives what stood in its way.
        """
        self._heed_deletions(attempts)
        doubtful = [attempt for attempt in _open(attempts) if attempt.doubtful or self._was_told(attempt)]
        found = await self._reading.commanded([attempt.command for attempt in doubtful], priority)
        unread, missing = [], []
        for attempt, shown in zip(doubtful, found, strict=True):
            if shown is None:
                missing.append(attempt)
                continue
            try:
                attempt.results.append(await self._found(attempt, shown, priority))
            except CallFailed as error:
                unread.append(self._put_off(attempt, error))
        if missing:
            await self._read_deletions()
            self._heed_deletions(missing)
        for attempt in missing:
            attempt.doubtful = False
        return unread

    def _put_off(self, attempt: _Attempt, error: CallFailed) -> Written:
        """Something that it hangs on can't be read now: it waits, or is looked at again from the beginning."""
        if not may_pass(error):
            raise error
        attempt.doubtful = True
        self._let_wait(attempt, error)
        return Written("not_yet", error=error)

    def _let_wait(self, attempt: _Attempt, error: CallFailed | None) -> None:
        attempt.waits = self._waiting.take(attempt.command, error)
        attempt.lacks_room = not attempt.waits and error is not None and may_pass(error)

    async def _found(self, attempt: _Attempt, shown: Shown | CallFailed, priority: Priority) -> ApplyResult:
        if isinstance(shown, CallFailed):
            raise shown
        contact = None
        if shown.standing == "qualified":
            contact = await self._relations.contact_of(shown.record.id, priority)
        await self._telling.tell([shown], priority=priority)
        return decide_found(attempt.command, shown, contact)

    def _heed_deletions(self, attempts: Sequence[_Attempt]) -> None:
        for attempt in attempts:
            known = self._journal.known.get(attempt.record.id)
            if known is not None and known.state == "deleted":
                attempt.results.append(answers.gone_deleted(attempt.command))

    def _was_told(self, attempt: _Attempt) -> bool:
        known = self._journal.known.get(attempt.record.id)
        return known is not None and known.version > 0

    async def _find_twins(self, attempts: Sequence[_Attempt], priority: Priority) -> list[Written]:
        """Those that have one are linked; gives what stood in the way of a search."""
        asking = [attempt.command for attempt in attempts if attempt.command.dedupe is not None]
        twins = await self._twins.of(asking, priority) if asking else {}
        unread = []
        for attempt in attempts:
            if (twin := twins.get(attempt.command.command_id)) is None:
                continue
            try:
                attempt.results.append(await self._linked(attempt.command, twin, priority))
            except CallFailed as error:
                unread.append(self._put_off(attempt, error))
        return unread

    async def _linked(self, command: ApplyCommand, twin: Shown | CallFailed, priority: Priority) -> ApplyResult:
        if isinstance(twin, CallFailed):
            raise twin
        return answers.linked(command, twin, await self._relations.person_of(twin, priority))

    async def _check(self, attempts: Sequence[_Attempt], priority: Priority) -> list[Written]:
        """Before anything is said or done: columns that can be written, and an owner who exists."""
        unread = []
        for attempt in attempts:
            command = attempt.command
            unwritable = first_unwritable(command, await self._reading.columns(attempt.command))
            if unwritable is not None:
                attempt.results.append(unwritable)
            elif command.owner is not None and attempt.owner_id is None:
                try:
                    attempt.owner_id = await self._owners.id_of(command.owner, priority)
                except CallFailed as error:
                    unread.append(self._put_off(attempt, error))
                    continue
                if attempt.owner_id is None:
                    attempt.results.append(_owner_unknown(command))
        return unread

    async def _announce(self, attempts: Sequence[_Attempt]) -> None:
        fresh = [attempt for attempt in attempts if not attempt.announced]
        if fresh:
            await self._telling.announce([each.command for each in fresh], [_link(each) for each in fresh])
        for attempt in fresh:
            attempt.announced = True

    async def _heed(self, attempts: Sequence[_Attempt], written: Sequence[Written], priority: Priority) -> None:
        rows: list[Shown] = []
        for attempt, each in zip(attempts, written, strict=True):
            said_before, attempt.said_to_exist = attempt.said_to_exist, each.fate in ("taken", "condition")
            attempt.doubtful = attempt.said_to_exist or each.fate == "unknown"
            if each.fate == "done":
                attempt.results.append(answers.created(attempt.command, attempt.record))
                if each.row is not None:
                    rows.append(self._reading.shown(each.row, await self._reading.columns(attempt.command)))
            elif each.fate in ("refused", "missing") or (said_before and attempt.said_to_exist):
                attempt.results.append(_refused(attempt.command, each))
            elif not attempt.said_to_exist:
                self._let_wait(attempt, each.error)
        await self._telling.tell(rows, priority=priority)

    async def _part(self, attempt: _Attempt) -> Part:
        columns = await self._reading.columns(attempt.command)
        target = Wanted(columns.entity_set, attempt.record.id, columns.select).target
        return patch(target, {"If-None-Match": "*"}, body_of(attempt.command, attempt.owner_id))


def _open(attempts: Sequence[_Attempt]) -> list[_Attempt]:
    return [attempt for attempt in attempts if not attempt.results and not attempt.waits]


def _ready(attempts: Sequence[_Attempt]) -> list[_Attempt]:
    """Those that can be gone on with now."""
    return [attempt for attempt in _open(attempts) if not attempt.doubtful]


def _link(attempt: _Attempt) -> SourceChange:
    command = attempt.command
    return SourceChange(
        change_id=f"linked/{command.command_id}",
        kind="linked",
        record=attempt.record,
        person_key=command.person_key,
        creation=command.creation,
        revision=command.revision,
        who=OURSELVES,
    )


def _refused(command: ApplyCommand, written: Written) -> ApplyResult:
    """What a new record points to can be missing: the only such thing is its owner."""
    if written.fate == "missing" and command.owner is not None:
        return _owner_unknown(command)
    assert isinstance(written.error, Refused)
    return answers.refused_by(command, written.error)


def _owner_unknown(command: ApplyCommand) -> ApplyResult:
    message = f"There is no active user {command.owner} in Dynamics."
    return answers.refused(command, answers.OWNER_UNKNOWN, message, "ownerid")
