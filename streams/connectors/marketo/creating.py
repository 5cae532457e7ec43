"""Creates: made, or found by their key, or known to be gone, or linked to a twin. The key makes it one, however often it is repeated:
Marketo is asked to create where nobody has the key, and only who may be there is looked up first.

Marketo gives the id, so the word that the record is ours, `linked`, goes into its stream right after. Before a create is repeated
the deletions are read: somebody may have deleted meanwhile what an earlier try had made. (Design, "Creation, links, conversion, merges".)
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from typing import Any

import msgspec

from streams.connectors.journal import Journal
from streams.connectors.lanes import Given
from streams.connectors.marketo.answers import Said, person
from streams.connectors.marketo.client import MarketoClient
from streams.connectors.marketo.looking_up import looked_up
from streams.connectors.marketo.names import KEY_FIELD, OUR_FIELDS, REVISION_FIELD
from streams.connectors.marketo.patience import Patience
from streams.connectors.marketo.rows import revision_shown
from streams.connectors.marketo.sending import EXISTS, SEVERAL, Rounds, Verdict, lead_writes
from streams.connectors.marketo.twins import Twins
from streams.connectors.marketo.unseen import Unseen
from streams.connectors.marketo.updating import Updating
from streams.connectors.pacing import Priority
from streams.sync.messages import ApplyCommand

TAKEN_MAX = 8
"""So often Marketo may say that a key is taken and show nobody who has it: an index is late at times, but not for ever."""


class Creating:
    """`create` for the creates of one wave."""

    def __init__(
        self,
        client: MarketoClient,
        journal: Journal,
        updating: Updating,
        patience: Patience,
        columns: Callable[[], Sequence[str]],
        now: Callable[[], float],
        last_read: float | None,
    ) -> None:
        self._client, self._journal, self._updating, self._patience = client, journal, updating, patience
        self._twins = Twins(client, columns, patience)
        self._unseen = Unseen(client, journal, now, last_read)

    async def create(self, given: Sequence[Given], said: Said, priority: Priority) -> None:
        """Each is answered, or found and updated; waits for as long as it takes."""
        rounds = lead_writes(self._client, "createOnly", KEY_FIELD, self._patience, priority)
        taken, claiming, pause_for_the_index = Counter[str](), self._twins.claiming(priority), self._patience.begin()
        left = {each.command.command_id: each.command for each in given if not self._is_gone(each.command, said)}
        since = {each.command.command_id: self._unseen.first_tried(each.maybe_done) for each in given}
        doubtful = {each.command.command_id for each in given if each.maybe_done}
        looked_for = doubtful | {each for each, command in left.items() if self._is_known(command)}
        while left:
            await self._take_found(left, looked_for, said, priority)
            for command, record_id in await self._unseen.found(
                [(left[each], since[each]) for each in left if each in doubtful], priority
            ):
                said.came_and_went(command, record_id)
                del left[command.command_id]
            look_again = await self._twins.take(left, claiming, said, priority)
            doubtful = await self._make(left, look_again, taken, rounds, said)
            looked_for = set(left)  # whatever could not be made may be there
            if any(taken[each] for each in left):
                await pause_for_the_index()
            elif left:
                await rounds.pause()

    def _is_gone(self, command: ApplyCommand, said: Said) -> bool:
        known = self._journal.known.of_key(command.key or "")
        if known is None or known.state == "living":
            return False
        said.gone(command, known.record.id)
        return True

    def _is_known(self, command: ApplyCommand) -> bool:
        return self._journal.known.of_key(command.key or "") is not None

    async def _take_found(
        self, left: dict[str, ApplyCommand], looked_for: Collection[str], said: Said, priority: Priority
    ) -> None:
        """Those whose record is there: it is said so, since who made it may have died before, and it is brought up to the command."""
        by_key = {command.key or "": command for each, command in left.items() if each in looked_for}
        if not by_key:
            return
        found = await looked_up(self._client, KEY_FIELD, list(by_key), ["id", *OUR_FIELDS], priority)
        found.refuse(by_key, left, said)
        known = {each.key: each.record.id for key in by_key if (each := self._journal.known.of_key(key)) is not None}
        revisions = {key: -1 for key in known if key is not None}
        ids: dict[str, str] = {key: record_id for key, record_id in known.items() if key is not None}
        for row in sorted(found.rows, key=lambda each: int(each["id"]), reverse=True):  # the oldest of several is last
            ids[str(row[KEY_FIELD])] = str(row["id"])
            revisions[str(row[KEY_FIELD])] = revision_shown(row.get(REVISION_FIELD)) or 0
        behind = []
        for key, record_id in ids.items():
            command = by_key.get(key)
            if command is None:
                continue
            del left[command.command_id]
            said.linked(command, record_id)
            if revisions[key] >= command.revision:
                said.written += 1
                said.answer(command, "superseded", person(record_id))
            else:
                behind.append(Given(msgspec.structs.replace(command, record=person(record_id))))
        await self._updating.update(behind, said, priority)

    async def _make(
        self,
        left: dict[str, ApplyCommand],
        but: Collection[str],
        taken: Counter[str],
        rounds: Rounds,
        said: Said,
    ) -> set[str]:
        """Create those that are nowhere; gives those that nobody knows of. Who is there after all is left, to be found."""
        commands = {name: command for name, command in left.items() if name not in but}
        verdicts = await rounds.sent({name: _input(command) for name, command in commands.items()})
        doubtful = set()
        for name, command in commands.items():
            verdict = verdicts[name]
            if verdict.outcome == "unsure":
                doubtful.add(name)
            elif verdict.code in (EXISTS, SEVERAL) and taken[name] < TAKEN_MAX:
                taken[name] += 1
            else:
                del left[name]
                self._answer(command, verdict, said)
        return doubtful

    def _answer(self, command: ApplyCommand, verdict: Verdict, said: Said) -> None:
        if verdict.outcome == "done":
            said.written += 1
            said.linked(command, verdict.id)
            said.answer(command, "created", person(verdict.id))
        else:
            said.answer(command, "refused", code=verdict.code, message=verdict.message)


def _input(command: ApplyCommand) -> dict[str, Any]:
    return {**(command.fields or {}), KEY_FIELD: command.key, REVISION_FIELD: command.revision}
