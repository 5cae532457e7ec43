"""Deduplication at create time: somebody with the same e-mail address is linked instead (policy, `dedupe: email`).

Whoever is found gets our key at once: the next create that looks must not take the same person too, and from the place of that write
on the feed tells whom the record stands for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from schemas.identity import key_of
from streams.connectors.marketo.answers import Said, person
from streams.connectors.marketo.client import Json, MarketoClient
from streams.connectors.marketo.looking_up import looked_up
from streams.connectors.marketo.names import KEY_FIELD, OUR_FIELDS, REVISION_FIELD
from streams.connectors.marketo.patience import Patience
from streams.connectors.marketo.rows import Ours, ours_in, row_of, without_ours
from streams.connectors.marketo.sending import NOT_FOUND, Rounds, lead_writes
from streams.connectors.pacing import Priority
from streams.sync.messages import ApplyCommand, Row, Value

EMAIL = "email"


class Twin(NamedTuple):
    """Who was found for a create."""

    command: ApplyCommand
    row: Json

    @property
    def ours(self) -> Ours:
        """What our fields say."""
        return ours_in(row_of(self.row, ()))

    def claim(self) -> Json:
        """What is written to make the person this command's."""
        key = key_of(self.command.person_key, 0)
        return {"id": int(self.row["id"]), KEY_FIELD: key, REVISION_FIELD: self.command.revision}


class Twins:
    """`columns`: the fields that a row states."""

    def __init__(self, client: MarketoClient, columns: Callable[[], Sequence[str]], patience: Patience) -> None:
        self._client, self._columns, self._patience = client, columns, patience

    def claiming(self, priority: Priority) -> Rounds:
        """For the creates of one wave: how our key is written to the twins of all its rounds."""
        return lead_writes(self._client, "updateOnly", "id", self._patience, priority)

    async def take(self, left: dict[str, ApplyCommand], claiming: Rounds, said: Said, priority: Priority) -> set[str]:
        """Answer `linked`, with its row, where there is a twin who stands for nobody else yet; the oldest of several.

        Gives the commands that are to look again: their twin was gone when the key was written, or nobody knows whether it was.
        """
        wanted = {mail: each for each in left.values() if each.dedupe == "email" and (mail := _mail(each)) is not None}
        if not wanted:
            return set()
        fields = ["id", EMAIL, *(name for name in self._columns() if name != EMAIL), *OUR_FIELDS]
        found = await looked_up(self._client, EMAIL, list(wanted), fields, priority)
        found.refuse(wanted, left, said)
        twins: dict[str, Twin] = {}
        for row in sorted(found.rows, key=lambda each: int(each["id"])):
            if (command := wanted.get(str(row.get(EMAIL)).lower())) is not None:
                twin = Twin(command, row)
                if _stands_for(twin, said) in (None, command.person_key):
                    twins.setdefault(command.command_id, twin)
        own = [each for each in twins.values() if each.ours.key is not None]
        claimed = await self._claimed([each for each in twins.values() if each.ours.key is None], left, claiming, said)
        for twin in (*own, *claimed):
            del left[twin.command.command_id]
            said.answer(twin.command, "linked", person(str(twin.row["id"])), row=self._row(twin.row, said))
        return left.keys() & twins.keys()

    async def _claimed(
        self, twins: Sequence[Twin], left: dict[str, ApplyCommand], claiming: Rounds, said: Said
    ) -> list[Twin]:
        """Write our key to each; gives those to whom it was written, with what they hold now."""
        claimed = []
        claims = {each.command.command_id: each.claim() for each in twins}
        verdicts = await claiming.sent(claims)
        for twin in twins:
            claim, verdict = claims[twin.command.command_id], verdicts[twin.command.command_id]
            if verdict.outcome == "done":
                said.written += 1
                claimed.append(Twin(twin.command, {**twin.row, **claim}))
            elif verdict.outcome == "refused" and verdict.code != NOT_FOUND:
                del left[twin.command.command_id]
                said.answer(twin.command, "refused", code=verdict.code, message=verdict.message)
        return claimed

    def _row(self, shown: Json, said: Said) -> Row:
        """Its version is that of what was told last, so that nothing that the feed still has to tell passes for a repeat."""
        known = said.known.get(str(shown["id"]))
        values: Mapping[str, Value] = row_of(shown, tuple(self._columns()))
        ours = ours_in(values)
        return Row(
            record=person(str(shown["id"])),
            version=0 if known is None else known.version,
            fields=without_ours(values),
            revision=ours.revision,
            creation=ours.creation,
            who="marketo",
        )


def _stands_for(twin: Twin, said: Said) -> str | None:
    """Its key's person, else that of the key that it is about to get, since a bootstrap has linked it."""
    known = said.known.get(str(twin.row["id"]))
    return twin.ours.person_key or Ours(None if known is None else known.key).person_key


def _mail(command: ApplyCommand) -> str | None:
    """An address that can be looked up: values are listed with commas between them."""
    mail = (command.fields or {}).get(EMAIL)
    return mail.lower() if isinstance(mail, str) and mail and "," not in mail else None
