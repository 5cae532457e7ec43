"""Commands for Marketo, carried out in batches by what they ask for, and what is to be written of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from streams.connectors.journal import Entry, Journal
from streams.connectors.lanes import Given, places_of
from streams.connectors.marketo.answers import Said
from streams.connectors.marketo.client import MarketoClient
from streams.connectors.marketo.creating import Creating
from streams.connectors.marketo.late_writes import LateWrites
from streams.connectors.marketo.patience import Patience
from streams.connectors.marketo.updating import Updating
from streams.connectors.pacing import Priority


class Applier:
    """`apply` is what both lanes call, at once at times, never for one person.

    `columns`: the fields that a row states. `expect`: told that something was written and will show in the feed. `last_read`: when
    the connector before this one last read the feed, in seconds since the epoch.
    """

    def __init__(
        self,
        client: MarketoClient,
        journal: Journal,
        patience: Patience,
        *,
        columns: Callable[[], Sequence[str]],
        expect: Callable[[], None],
        late: LateWrites,
        now: Callable[[], float],
        last_read: float | None,
    ) -> None:
        self._journal, self._expect = journal, expect
        self._updating = Updating(client, patience, late)
        self._creating = Creating(client, journal, self._updating, patience, columns, now, last_read)

    async def apply(self, wave: list[Given], priority: Priority) -> Entry:
        """Carry them out; waits for as long as it takes. Raises Refused for what no command is to blame for."""
        said = Said(self._journal.known)
        carry_out = {"update": self._updating.update, "create": self._creating.create, "delete": self._updating.delete}
        for operation, how in carry_out.items():
            if given := [each for each in wave if each.command.operation == operation]:
                await how(given, said, priority)
        for each in wave:
            if each.command.operation not in carry_out:
                message = f"a Marketo person cannot be asked to {each.command.operation}"
                said.answer(each.command, "refused", code="operation", message=message)
        if said.written:
            self._expect()
        return replace(said.entry(), done=places_of(wave))
