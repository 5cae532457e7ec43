"""The simulation is worth what it finds: each rule left out here must be missed within a few hundred worlds.

The names stand in brackets in the package's docstring, each beside the fault that shows why the rule is there.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

import tests.simulation as package
from schemas.vocabulary import DYNAMICS, MARKETO
from streams.agents import intake, sync
from streams.demo import dynamics_applier, marketo_applier
from streams.demo.dynamics import SimulatedDynamics
from streams.demo.marketo import SimulatedMarketo
from streams.demo.record import HeldRecord
from streams.intake import Resolved
from streams.sync import answers, edits, landings, lifecycle, linking, records, requests, step
from streams.sync.messages import ApplyCommand, ApplyResult, PersonChange, Record
from streams.sync.outcome import Fold
from streams.sync.person import Edit, Link, SystemState
from tests.simulation.appliers import Appliers, Queue
from tests.simulation.processor import Handled, Place, Processor
from tests.simulation.profiles import PROFILES
from tests.simulation.running import failure

SEEDS_MAX = 300

Plant = Callable[[pytest.MonkeyPatch], None]


def handle(patch: pytest.MonkeyPatch, kind: str, handler: Callable[[Fold], None]) -> None:
    """Changes of a kind are folded so."""
    patch.setattr(step, "HANDLERS", {**step.HANDLERS, kind: handler})


def creates_without_a_key(patch: pytest.MonkeyPatch) -> None:
    """A repeated create makes a second Marketo person."""

    def careless(marketo: SimulatedMarketo, command: Any, now: float, late: bool) -> ApplyResult:
        return marketo_applier._make(marketo, command, now)

    patch.setattr(marketo_applier, "_BY_OPERATION", {**marketo_applier._BY_OPERATION, "create": careless})


def old_answers_heeded(patch: pytest.MonkeyPatch) -> None:
    """Whatever is answered, it is taken to be about the command in flight."""

    def credulous(fold: Fold) -> None:
        flight = fold.person.system(fold.change.system).flight
        if flight is not None:
            fold.change = msgspec.structs.replace(fold.change, command_id=flight.command_id)
        answers.on_answered(fold)

    handle(patch, "answered", credulous)


def late_repeats_taken_for_edits(patch: pytest.MonkeyPatch) -> None:
    """An old write of ours that comes through late counts as entered by somebody."""
    patch.setattr(
        edits,
        "fold_late_repeat",
        lambda fold, name, value: edits.fold_edit(fold, MARKETO, name, edits.new_edit(fold, MARKETO, value)),
    )


def unconditional_writes(patch: pytest.MonkeyPatch) -> None:
    """Dynamics' writes cover edits that nobody has read."""
    patch.setattr(dynamics_applier, "_holds_what_is_expected", lambda held, command: True)


def rows_folded_again(patch: pytest.MonkeyPatch) -> None:
    """A row of Dynamics that is older than the last one folded is folded all the same."""
    is_repeat = landings.is_repeat

    def forgetful(link: Link, version: int | None, time: str | None) -> bool:
        return link.type == "person" and is_repeat(link, version, time)

    patch.setattr(records, "is_repeat", forgetful)


def results_taken_for_landings(patch: pytest.MonkeyPatch) -> None:
    """A result's word counts as a landing."""

    def hasty(fold: Fold) -> None:
        state = fold.person.system(fold.change.system)
        flight = state.flight
        is_ours = flight is not None and flight.command_id == fold.change.command_id
        if flight is not None and is_ours and fold.change.answer == "superseded" and flight.operation == "update":
            edits.land(fold, fold.change.system, flight)
            state.flight = None
        answers.on_answered(fold)

    handle(patch, "answered", hasty)


def an_appliers_word_links(patch: pytest.MonkeyPatch) -> None:
    """`linked` from an applier links, though the create may yet be refused."""

    def hasty(fold: Fold) -> None:
        fold.change = msgspec.structs.replace(fold.change, revision=None, creation=None)
        lifecycle.on_linked(fold)

    handle(patch, "linked", hasty)


def views_always_folded(patch: pytest.MonkeyPatch) -> None:
    """A request's view counts as what the record holds, however old it is."""

    def folded(fold: Fold) -> None:
        change, link = fold.change, fold.person.marketo.link
        if change.fields is not None and link is not None and change.record is not None and link.id == change.record.id:
            for name, value in change.fields.items():
                edits.fold_edit(fold, MARKETO, name, edits.new_edit(fold, MARKETO, value))

    patch.setattr(requests, "_fold_view", folded)


def outputs_outside_of_the_transaction(patch: pytest.MonkeyPatch) -> None:
    """What a batch sends is sent before it commits, and once more when it is done again."""
    take_over = Processor.take_over

    def leaky(self: Processor, place: Place) -> None:
        handled = self.handle(place, random.Random(self.topics[place].committed).randint(1, 4))
        take_over(self, place)
        for output in handled.result.outputs:
            self._sent(output)

    patch.setattr(Processor, "take_over", leaky)


def no_fencing(patch: pytest.MonkeyPatch) -> None:
    """A zombie that wakes up commits what it had computed."""
    commit = Processor.commit

    def credulous(self: Processor, handled: Handled) -> list[ApplyCommand] | None:
        return commit(self, handled._replace(epoch=self.topics[handled.place].epoch))

    patch.setattr(Processor, "commit", credulous)


def deletions_not_read(patch: pytest.MonkeyPatch) -> None:
    """A create that is repeated after a deletion makes the record again."""
    delete = SimulatedDynamics.delete

    def forgetful(self: SimulatedDynamics, record_id: str, who: str, now: float) -> None:
        delete(self, record_id, who, now)
        self.gone.pop(record_id)

    patch.setattr(SimulatedDynamics, "delete", forgetful)


def void_commands_forgotten(patch: pytest.MonkeyPatch) -> None:
    """What was in flight to a lead that is qualified counts as delivered."""
    convert = linking.convert

    def forgetful(fold: Fold, contact: Record) -> None:
        flight = fold.person.dynamics.flight
        if flight is not None and flight.operation == "update":
            edits.land(fold, DYNAMICS, flight)
        convert(fold, contact)

    patch.setattr(linking, "convert", forgetful)
    patch.setattr(records, "convert", forgetful)


def merged_losers_kept(patch: pytest.MonkeyPatch) -> None:
    """A record that lost a merge stays linked."""
    handle(patch, "merged", lambda fold: None)


def streams_never_let_go_of(patch: pytest.MonkeyPatch) -> None:
    """Whose record is another person's now keeps it."""
    handle(patch, "unlinked", lambda fold: None)


def rewritings_taken_for_edits(patch: pytest.MonkeyPatch) -> None:
    """What a system made of our value on save counts as entered by somebody."""
    new_edit = edits.new_edit

    def credulous(fold: Fold, system: Any, value: Any, weak: bool = False, rewrites: int = 0) -> Edit:
        return new_edit(fold, system, value, weak=False, rewrites=0)

    patch.setattr(edits, "new_edit", credulous)


def what_was_kept_taken_for_landed(patch: pytest.MonkeyPatch) -> None:
    """Marketo's feed lists nothing for a value that it kept, and so it holds what it was sent."""
    patch.setattr(landings, "_left_unchanged", lambda fold, landed: {})


def unknown_outcomes_taken_for_done(patch: pytest.MonkeyPatch) -> None:
    """An applier that is left without a word takes it that the write came through."""
    lose_sight = Appliers._lose_sight

    def careless(self: Appliers, queue: Queue, command: ApplyCommand, now: float) -> str:
        story = lose_sight(self, queue, command, now)
        self.unknown.pop(queue)
        self.ready[queue] = None
        self._finish(queue, command)
        return story

    patch.setattr(Appliers, "_lose_sight", careless)


def repeats_folded_again(patch: pytest.MonkeyPatch) -> None:
    """An entry of Marketo's feed that came before is folded again."""
    is_repeat = landings.is_repeat

    def forgetful(link: Link, version: int | None, time: str | None) -> bool:
        return link.type != "person" and is_repeat(link, version, time)

    patch.setattr(records, "is_repeat", forgetful)


def arrival_taken_for_sight(patch: pytest.MonkeyPatch) -> None:
    """What comes later counts as made in sight of what came before."""
    patch.setattr(edits, "_is_left_in_error", lambda fold, system: True)


def deletions_told_twice(patch: pytest.MonkeyPatch) -> None:
    """Nobody remembers which records are closed: whatever is told of them again counts."""
    patch.setattr(SystemState, "closure_of", lambda self, record_id: None)


def the_next_change_taken_for_the_landing(patch: pytest.MonkeyPatch) -> None:
    """Where a stream does not show our fields, whatever is told next counts as the landing, whatever it says."""
    patch.setattr(landings, "_reports_without_revision", lambda fold, flight: fold.change.who is None)


def landings_half_believed(patch: pytest.MonkeyPatch) -> None:
    """Of every third command the landing is folded, but not that the record holds now what was sent: it goes out once more."""
    land_field = edits.land_field

    def forgetful(fold: Fold, system: Any, name: str, sent: Edit, **more: Any) -> None:
        held = edits.held_value(fold, system, name)
        land_field(fold, system, name, sent, **more)
        moving = fold.person.moving.get(name)
        if moving is not None and held is not edits.UNKNOWN and fold.person.system(system).revision % 3 == 0:
            moving.side(system).held = held  # type: ignore[assignment]  # a value, as it is not unknown

    patch.setattr(edits, "land_field", forgetful)


def twins_taken_from_their_persons(patch: pytest.MonkeyPatch) -> None:
    """Whoever finds a twin in Dynamics takes it, while its own person may take the one that it was found for."""
    patch.setattr(answers, "_twin_found", lifecycle.link_twin)


def twins_claimed_late(patch: pytest.MonkeyPatch) -> None:
    """A twin in Marketo gets our key with the next command only: until then everybody finds it."""
    twin_of = marketo_applier._twin

    def slow(marketo: SimulatedMarketo, command: ApplyCommand, now: float) -> ApplyResult | None:
        with pytest.MonkeyPatch.context() as inner:
            inner.setattr(marketo_applier, "_put", lambda *arguments: None)
            return twin_of(marketo, command, now)

    patch.setattr(marketo_applier, "_twin", slow)


def refused_records_taken_for_strangers(patch: pytest.MonkeyPatch) -> None:
    """What a create wrote that was answered as refused is folded as if it had been there before us."""
    patch.setattr(
        linking, "fold_what_was_refused", lambda fold, sent: linking._fold_differences(fold, fold.change.system)
    )


def authority_swapped(patch: pytest.MonkeyPatch) -> None:
    """The core lets the wrong system win."""
    fold = sync.advance
    swapped = {"lead": DYNAMICS, "contact": MARKETO}
    patch.setattr(
        sync,
        "advance",
        lambda state, change, policy: fold(state, change, msgspec.structs.replace(policy, authority=swapped)),
    )


def feed_entries_lost(patch: pytest.MonkeyPatch) -> None:
    """Marketo's feed loses what happens between two reads."""
    publish = SimulatedMarketo._publish

    def lossy(self: SimulatedMarketo, held: HeldRecord, kind: str, **more: Any) -> None:
        if kind != "updated" or self.random.random() > 0.05:
            publish(self, held, kind, **more)

    patch.setattr(SimulatedMarketo, "_publish", lossy)


def revisions_not_seen(patch: pytest.MonkeyPatch) -> None:
    """Intake forgets the revision that a row shows, and takes our own landing for the next edit."""
    resolve = intake.resolve_change

    def forgetful(*arguments: Any) -> Resolved:
        resolved = resolve(*arguments)
        changes = tuple(_without_revision(change) for change in resolved.changes)
        return Resolved(changes, resolved.link)

    patch.setattr(intake, "resolve_change", forgetful)


def _without_revision(change: PersonChange) -> PersonChange:
    return msgspec.structs.replace(change, revision=None, who=None) if change.system == DYNAMICS else change


PLANTED: dict[str, tuple[Plant, str]] = {
    "creates without a key": (creates_without_a_key, "creations"),
    "answers to old commands heeded": (old_answers_heeded, "edits"),
    "late repeats taken for edits": (late_repeats_taken_for_edits, "edits"),
    "unconditional writes": (unconditional_writes, "edits"),
    "rows folded again": (rows_folded_again, "edits"),
    "results taken for landings": (results_taken_for_landings, "edits"),
    "an applier's word links": (an_appliers_word_links, "everything"),
    "views always folded": (views_always_folded, "creations"),
    "outputs outside of the transaction": (outputs_outside_of_the_transaction, "edits"),
    "no fencing": (no_fencing, "edits"),
    "deletions not read": (deletions_not_read, "life"),
    "void commands forgotten": (void_commands_forgotten, "conversions"),
    "merged losers kept": (merged_losers_kept, "merges"),
    "streams never let go of": (streams_never_let_go_of, "links"),
    "rewritings taken for edits": (rewritings_taken_for_edits, "rewriting"),
    "what was kept taken for landed": (what_was_kept_taken_for_landed, "fighting"),
    "unknown outcomes taken for done": (unknown_outcomes_taken_for_done, "edits"),
    "repeats folded again": (repeats_folded_again, "edits"),
    "what comes later taken to have seen what came before": (arrival_taken_for_sight, "edits"),
    "deletions told twice": (deletions_told_twice, "life"),
    "the next change taken for the landing": (the_next_change_taken_for_the_landing, "blind"),
    "landings half believed": (landings_half_believed, "calm"),
    "twins taken from their persons": (twins_taken_from_their_persons, "twins"),
    "twins claimed late": (twins_claimed_late, "twins"),
    "refused records taken for strangers": (refused_records_taken_for_strangers, "misreported_leads"),
    "authority swapped": (authority_swapped, "edits"),
    "feed entries lost": (feed_entries_lost, "edits"),
    "revisions not seen": (revisions_not_seen, "edits"),
}


@pytest.mark.parametrize("name", list(PLANTED))
def test_a_planted_fault_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some world goes wrong when this rule is left out."""
    plant, profile = PLANTED[name]
    plant(monkeypatch)
    assert any(failure(PROFILES[profile], seed) for seed in range(SEEDS_MAX)), (
        f"no world of {SEEDS_MAX} noticed: {name}"
    )


def test_every_fault_that_the_docstring_lists_is_planted_and_every_planted_one_listed() -> None:
    """What the package says of itself is what is tested."""
    listed = re.findall(r"\[([^\]]+)\]", (package.__doc__ or "").replace("\n  ", " "))
    assert sorted(listed) == sorted(PLANTED)
