"""The loads: people, policies, what the systems show, and what each load is unusual in, without a broker."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from itertools import pairwise

import pytest

from schemas.identity import person_key_of
from schemas.vocabulary import SYSTEMS
from streams.bench.editing import edits_of
from streams.bench.load import LOAD_WORDS, LOADS, Load, load_named
from streams.bench.message import SPOILS, Shown, message_of, with_bad
from streams.bench.systems import Systems
from streams.codec import Unreadable, decode_source_change
from streams.intake import resolve_change, resolve_result
from streams.sync.messages import Activity, ApplyCommand, ApplyResult, PersonChange
from streams.sync.person import PersonState
from streams.sync.step import step

SIZES = Load(people=60, edits=50, fields=10)
ORDERS = {"as written": (None,), "marketo first": SYSTEMS, "dynamics first": SYSTEMS[::-1]}


class Merge:
    """Both agents in memory, without codecs. `order`: whose streams of a wave are read first; the partitions may do any."""

    def __init__(self, load: Load, order: Iterable[str | None]) -> None:
        self._policy, self._order = load.policy(), tuple(order)
        self._links: dict[str, bytes] = {}
        self._states: dict[str, PersonState | None] = {}
        self.activities: list[Activity] = []

    def fold(self, words: Iterable[Shown | ApplyResult]) -> list[ApplyCommand]:
        """One wave; what the systems are told to do."""
        wave = list(words)
        in_order = [word for system in self._order for word in wave if system in (None, word.system)]
        return [command for word in in_order for change in self._resolved(word) for command in self._step(change)]

    def _resolved(self, word: Shown | ApplyResult) -> Iterable[PersonChange]:
        if isinstance(word, ApplyResult):
            return (resolve_result(word, self._policy),)
        resolved = resolve_change(word.stream, word.change, self._links.get(word.stream), self._policy)
        self._links[word.stream] = resolved.link
        return resolved.changes

    def _step(self, change: PersonChange) -> Iterable[ApplyCommand]:
        outcome = step(self._states.get(change.person_key), change, self._policy)
        self._states[change.person_key] = outcome.state
        self.activities += outcome.activities
        return outcome.commands

    def until_rest(self, systems: Systems, words: Iterable[Shown | ApplyResult]) -> int:
        """Wave after wave; how many edits and landings it took. Fails where it does not end."""
        changes = 0
        for _ in range(10):
            wave = list(words)
            changes += sum(isinstance(word, Shown) for word in wave)
            commands = self.fold(wave)
            if not commands:
                return changes
            words = [systems.carry_out(command) for command in commands]
        raise AssertionError("people do not come to rest")


@pytest.mark.parametrize("fields", [3, 25, 100])
def test_people_have_as_many_fields_as_asked(fields: int) -> None:
    """Fields beyond the shipped policy's are added to it; each is synced both ways."""
    load = Load(people=1, edits=1, fields=fields)
    (first,) = Systems(load).new_leads()
    assert len(first.change.fields or {}) == len(load.rules()) == fields
    assert set(first.change.fields or {}) <= set(load.policy().inbound["lead"])


def test_a_lead_has_what_dynamics_requires() -> None:
    """However few the fields: without these nobody would come to rest."""
    required = {column for column, _ in Load().policy().required["lead"]}
    (first,) = Systems(Load(people=1, edits=1, fields=3)).new_leads()
    assert required <= set(first.change.fields or {})


def test_everyone_is_edited_once_in_a_round_at_most() -> None:
    """By turns in Marketo, where the feed shows the field alone, and in Dynamics, where the whole row is read."""
    load = Load(people=10, edits=10, fields=5)
    shown = list(edits_of(load, Systems(load), 1))
    assert [each.system for each in shown] == ["marketo", "dynamics"] * 5
    assert [len(each.change.fields or {}) for each in shown] == [1, 5] * 5
    assert len({each.stream for each in shown}) == 10


def test_the_hot_person_gets_a_tenth_of_all_edits() -> None:
    """Spread among the others', by turns in both systems, in fields that only one of them edits."""
    load = load_named("hot_person", Load(people=100, edits=100, fields=10))
    systems = Systems(load)
    shown = list(edits_of(load, systems, 1))
    hot = systems.people[0]
    places = [place for place, each in enumerate(shown) if each.stream in (hot.lead.id, hot.marketo.id)]
    assert (len(shown), len(places)) == (100, 10)
    assert {after - before for before, after in pairwise(places)} == {10}
    assert [shown[place].system for place in places] == ["marketo", "dynamics"] * 5
    assert Counter(each.stream for each in shown).most_common(3)[2][1] == 1


@pytest.mark.parametrize("order", ORDERS.values(), ids=ORDERS)
@pytest.mark.parametrize("name", LOADS)
def test_every_load_comes_to_rest_alike(name: str, order: tuple[str | None, ...]) -> None:
    """Whichever stream is read first; only the load that is made of collisions has any."""
    load = load_named(name, SIZES)
    systems, merge = Systems(load), Merge(load, order)
    merge.until_rest(systems, systems.new_leads())
    assert systems.unlike() == []
    for number in range(1, 3):
        changes = merge.until_rest(systems, edits_of(load, systems, number))
        assert load.edits < changes <= 2.1 * load.edits
        assert systems.unlike() == []
    assert Counter(each.kind for each in merge.activities)["collision"] == 2 * load.collisions


@pytest.mark.parametrize("order", ORDERS.values(), ids=ORDERS)
def test_five_percent_of_the_people_collide_in_the_cores_eyes(order: tuple[str | None, ...]) -> None:
    """Neither edit was made in sight of the other: of a lead, Marketo's stands, and the collision is put on record."""
    load = load_named("collisions", Load(people=120, edits=105, fields=10))
    systems, merge = Systems(load), Merge(load, order)
    merge.until_rest(systems, systems.new_leads())
    shown = list(edits_of(load, systems, 1))
    both = [key for key, count in Counter(_person_of(systems, each) for each in shown).items() if count == 2]
    assert (len(shown), len(both)) == (105, 5)
    merge.until_rest(systems, shown)
    collisions = [each for each in merge.activities if each.kind == "collision"]
    assert sorted(each.person_key for each in collisions) == sorted(both)
    assert {(each.winner, each.rule) for each in collisions} == {("marketo", "authority")}


def test_people_who_are_not_alike_are_found() -> None:
    """An edit that nobody carries over is one."""
    load = Load(people=3, edits=2, fields=5)
    systems, merge = Systems(load), Merge(load, (None,))
    merge.until_rest(systems, systems.new_leads())
    systems.edit(systems.people[1], "dynamics", systems.edited[0])
    assert systems.unlike() == [systems.people[1].key]


def test_one_message_in_a_hundred_is_bad() -> None:
    """The good ones are all there, in their order; a bad one has the key of a good one before it."""
    load = load_named("bad_input", Load(people=990, edits=990, fields=3))
    good = [message_of(each) for each in edits_of(load, Systems(load), 1)]
    found = list(with_bad(good, load.bad_share))
    assert [each for each in found if each.sort != "bad"] == good
    assert sum(each.sort == "bad" for each in found) == 10
    assert list(with_bad(good, 0.0)) == good
    assert sum(each.sort == "bad" for each in with_bad(good[:3], load.bad_share)) == 1


@pytest.mark.parametrize("spoil", SPOILS)
@pytest.mark.parametrize("place", [0, 1])
def test_bad_messages_are_bad(spoil: object, place: int) -> None:
    """Whichever system's change it was made of; the change itself is good."""
    load = Load(people=2, edits=2, fields=5)
    body = message_of(list(edits_of(load, Systems(load), 1))[place]).value or b""
    decode_source_change(body)
    assert callable(spoil)
    with pytest.raises(Unreadable):
        decode_source_change(spoil(body))


def test_a_landing_shows_the_commands_revision_and_our_key() -> None:
    """In Marketo with the fields that were written, in Dynamics with the whole row."""
    systems, first, command = _commanded(expected={"lastname": "last name 0"})
    landing = systems.carry_out(command)
    assert isinstance(landing, Shown)
    assert (landing.change.revision, landing.change.person_key, landing.change.who) == (
        4,
        command.person_key,
        "leadsync",
    )
    assert landing.change.fields == {**(first.change.fields or {}), "lastname": "Byron"}


def test_a_command_that_expects_what_the_lead_no_longer_holds_is_in_conflict() -> None:
    """Nothing is written; the answer brings the row as it is."""
    systems, first, command = _commanded(expected={"lastname": "Lovelace"})
    answer = systems.carry_out(command)
    assert isinstance(answer, ApplyResult) and answer.row is not None
    assert (answer.answer, answer.row.fields, answer.row.version) == ("conflict", first.change.fields, 1)


def test_every_load_has_a_name_for_people() -> None:
    """The table's rows."""
    assert LOAD_WORDS.keys() == LOADS.keys()


def _commanded(expected: dict[str, str]) -> tuple[Systems, Shown, ApplyCommand]:
    systems = Systems(Load(people=1, edits=1, fields=3))
    (first,) = systems.new_leads()
    lead = first.change.record
    command = ApplyCommand(
        command_id="c", person_key=person_key_of("dynamics", lead.id), system="dynamics", operation="update", revision=4,
        record=lead, fields={"lastname": "Byron"}, expected=expected, key="k",
    )  # fmt: skip
    return systems, first, command


def _person_of(systems: Systems, shown: Shown) -> str:
    return next(person.key for person in systems.people if shown.stream in (person.lead.id, person.marketo.id))
