"""Whether what both systems hold at rest is right: by the oracle, or, where it cannot know, by what belongs together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

from schemas.identity import person_key_of
from schemas.vocabulary import DYNAMICS, MARKETO, SYSTEMS
from streams.demo.oracle.rest import is_alike_field
from streams.demo.oracle.verdict import differences, unequal
from streams.demo.record import HeldRecord
from streams.sync.person import PersonState
from streams.sync.values import canonical
from tests.simulation.findings import Finding, finding

if TYPE_CHECKING:
    from tests.simulation.world import World


def judged(world: World) -> list[Finding]:
    """What is wrong with the records."""
    return list(JUDGES[world.profile.judge](world))


def by_the_oracle(world: World) -> Iterator[Finding]:
    """Every field of every person, by who truly saw what."""
    errors = {
        key: [] if state is None else [slot for slot in state.errors if not slot.startswith("duplicate/")]
        for key, state in _states(world)
    }
    yield from (finding(text, text.partition(": ")[2]) for text in world.oracle.complaints)
    yield from (finding(str(each), each.text) for each in differences(world.oracle, errors))
    yield from converged(world)


def converged(world: World) -> Iterator[Finding]:
    """Every alike field of a linked person holds the same in both systems, unless a sync error is open for it."""
    for each in unequal(world.oracle):
        state = world.processor.state(each.person_key)
        if state is None or state.syncable is False or MARKETO in state.errors or DYNAMICS in state.errors:
            continue
        if f"rewriting/{each.about}" not in state.errors:
            yield Finding("convergence", f"{each}, and no error says why")


def alike(world: World) -> Iterator[Finding]:
    """Records of one person hold the same, unless a command to one of them is in flight for ever (streams without our fields)."""
    flying = {key for key, state in _states(world) if state is not None and _is_flying(state)}
    for each in unequal(world.oracle):
        if each.person_key not in flying:
            yield finding(str(each), each.text)


def by_links(world: World) -> Iterator[Finding]:
    """Records that the processor has linked live, are nobody else's, and hold the same."""
    owners: Counter[str] = Counter()
    for key, state in _states(world):
        if state is None:
            continue
        held = [record for system in SYSTEMS if (record := _linked(world, state, system)) is not None]
        owners.update(record.id for record in held)
        if len(held) == 2 and not state.errors and state.syncable is not False:
            yield from _unlike(world, key, *held)
        links = [system for system in SYSTEMS if state.system(system).link is not None]
        for system in links:
            if _linked(world, state, system) is None:
                yield Finding("link to nothing", f"{key}: its record in {system} is no more")
    for record_id, count in owners.items():
        if count > 1:
            yield Finding("owners", f"{record_id} is linked to {count} persons")


def by_twins(world: World) -> Iterator[Finding]:
    """As `by_links`; and nobody who should stand in both systems stands in one alone, unless what was in the other was deleted.

    That is whoever was made in Dynamics, and whom somebody ran Sync Person on; or an error says why.
    """
    yield from by_links(world)
    asked = {
        change.record.id
        for changes in world.processor.folded.values()
        for change in changes
        if change.kind == "requested" and change.record is not None
    }
    owners = {
        link.id: (key, state)
        for key, state in _states(world)
        if state is not None
        for link in (state.marketo.link, state.dynamics.link)
        if link is not None
    }
    duplicates = {
        each.value for told in world.processor.activities.values() for each in told if each.code == "duplicate"
    }
    deleted = {record_id for record_id, how in world.dynamics.gone.items() if how == "deleted"}
    gone = {person_key_of(DYNAMICS, record_id) for record_id in deleted}  # before anything of it was read, perhaps
    for where in (world.marketo, world.dynamics):
        for held in where.records.values():
            if held.state != "open" or held.id in duplicates or not (where is world.dynamics or held.id in asked):
                continue
            if held.id not in owners:
                yield Finding("nobody's", f"{held.id} is nobody's, and no error says why")
                continue
            key, state = owners[held.id]
            other = state.other(where.system)
            if other.link is None and not other.closed and not state.errors and key not in gone:
                yield Finding("alone", f"{key}: {held.id} stands alone in {where.system}, and no error says why")


def by_requests(world: World) -> Iterator[Finding]:
    """As `by_twins`; and no lead was made that nobody had asked for."""
    yield from by_twins(world)
    yield from (finding(text, text.partition(": ")[2]) for text in world.oracle.complaints if "Sync Person" in text)


def _unlike(world: World, key: str, person: HeldRecord, held: HeldRecord) -> Iterator[Finding]:
    for rule in world.policy.fields.values():
        if not is_alike_field(rule, held.record.type):
            continue
        marketo = canonical(rule, MARKETO, person.values.get(rule.marketo or ""))
        dynamics = canonical(rule, DYNAMICS, held.values.get(rule.column(held.record.type) or ""))
        if marketo != dynamics:
            yield Finding("unlike", f"{key} {rule.name}: marketo {marketo!r}, dynamics {dynamics!r}")


def _linked(world: World, state: PersonState, system: str) -> HeldRecord | None:
    link = state.marketo.link if system == MARKETO else state.dynamics.link
    where = world.marketo if system == MARKETO else world.dynamics
    return None if link is None else where.living(link.id)


def _is_flying(state: PersonState) -> bool:
    return state.marketo.flight is not None or state.dynamics.flight is not None


def _states(world: World) -> Iterator[tuple[str, PersonState | None]]:
    return ((key, world.processor.state(key)) for key in world.processor.persons())


JUDGES: Mapping[str, Callable[[World], Iterator[Finding]]] = {
    "oracle": by_the_oracle,
    "alike": alike,
    "links": by_links,
    "twins": by_twins,
    "asked": by_requests,
}
