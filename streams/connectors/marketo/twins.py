"""Deduplication at create time: somebody with the same e-mail address is linked instead (policy, `dedupe: email`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from streams.connectors.marketo.answers import Said, person
from streams.connectors.marketo.client import Json, MarketoClient
from streams.connectors.marketo.looking_up import looked_up
from streams.connectors.marketo.names import KEY_FIELD, OUR_FIELDS
from streams.connectors.marketo.rows import key_shown, ours_in, row_of, without_ours
from streams.connectors.pacing import Priority
from streams.sync.messages import ApplyCommand, Row, Value

EMAIL = "email"


class Twins:
    """`columns`: the fields that a row states."""

    def __init__(self, client: MarketoClient, columns: Callable[[], Sequence[str]]) -> None:
        self._client, self._columns = client, columns

    async def take(self, left: dict[str, ApplyCommand], said: Said, priority: Priority) -> None:
        """Answer `linked`, with its row, where there is a twin who stands for nobody else yet; the oldest of several."""
        wanted = {mail: each for each in left.values() if each.dedupe == "email" and (mail := _mail(each)) is not None}
        if not wanted:
            return
        fields = ["id", EMAIL, *(name for name in self._columns() if name != EMAIL), *OUR_FIELDS]
        found = await looked_up(self._client, EMAIL, list(wanted), fields, priority)
        found.refuse(wanted, left, said)
        for row in sorted(found.rows, key=lambda each: int(each["id"])):
            command = wanted.get(str(row.get(EMAIL)).lower())
            if command is None or command.command_id not in left or key_shown(row.get(KEY_FIELD)) is not None:
                continue
            del left[command.command_id]
            said.answer(command, "linked", person(str(row["id"])), row=self._row(row, said))

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


def _mail(command: ApplyCommand) -> str | None:
    """An address that can be looked up: values are listed with commas between them."""
    mail = (command.fields or {}).get(EMAIL)
    return mail.lower() if isinstance(mail, str) and mail and "," not in mail else None
