"""Records that the connectors knew and that were not read: asked for by id, so that nothing counts as deleted that is only old.

For a bootstrap of an installation that has run before (`--again`). Marketo keeps deletions for two weeks and changes for 90 days, so
after a longer rest this is the only way to learn of them. A person who was merged away is told as deleted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from schemas.vocabulary import DYNAMICS, MARKETO, RecordType, System
from streams.connectors.dynamics.client import DataverseClient, Wanted
from streams.connectors.dynamics.columns import Columns
from streams.connectors.dynamics.lookups import read_all
from streams.connectors.dynamics.rows import read_row
from streams.connectors.known import KnownRecord, KnownRecords
from streams.connectors.marketo.client import MarketoClient
from streams.connectors.pacing import Priority
from streams.instances.bootstrapping.dynamics_reading import KINDS, close_what_ended, email_column, record_of
from streams.instances.bootstrapping.marketo_rows import asked_fields, person_of
from streams.instances.bootstrapping.store import Store
from streams.sync.policy import Policy

ASKED_MAX = 300


async def ask_in_marketo(client: MarketoClient, store: Store, known: KnownRecords, columns: Sequence[str]) -> None:
    """Keep who is there after all; note who is gone. Raises Refused."""
    missing = [each.record.id for each in _missing(store, known, MARKETO)]
    for start in range(0, len(missing), ASKED_MAX):
        ids = missing[start : start + ASKED_MAX]
        rows = await client.leads_by("id", ids, asked_fields(columns), Priority.BACKGROUND)
        found = [person for row in rows if (person := person_of(row, columns)) is not None]
        with store.together():
            store.put(found)
            store.put_gone(MARKETO, set(ids) - {person.id for person in found})


async def ask_in_dynamics(
    client: DataverseClient,
    store: Store,
    known: KnownRecords,
    columns: Mapping[RecordType, Columns],
    ourselves: str,
    policy: Policy,
) -> None:
    """The same for leads and contacts: one that came back into sight between two pages is kept."""
    missing = _missing(store, known, DYNAMICS)
    for kind in KINDS:
        ids = [each.record.id for each in missing if each.record.type == kind]
        select, entity_set = columns[kind].select, columns[kind].entity_set
        for start in range(0, len(ids), ASKED_MAX):
            asked = ids[start : start + ASKED_MAX]
            rows = await read_all(client, [Wanted(entity_set, each, select).part for each in asked])
            shown = [read_row(row, columns[kind], ourselves) for row in rows if row is not None]
            with store.together():
                store.put(record_of(each, email_column(policy, kind)) for each in shown)
                store.put_gone(DYNAMICS, set(asked) - {each.record.id for each in shown})
    with store.together():
        close_what_ended(store)


def _missing(store: Store, known: KnownRecords, system: System) -> list[KnownRecord]:
    """Told before, living by what is known, and not read."""
    return [
        each for each in known if each.state == "living" and each.version > 0 and not store.has(system, each.record.id)
    ]
