"""Order independence: any interleaving of the two records' streams ends in the same values and the same final pair.

(Design, "Always true". Two bursts that happen to meet in one value need only converge: here every value is another one.)
"""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from streams.sync.dues import settled_edit
from streams.sync.messages import Activity, PersonChange
from streams.sync.outcome import Fold
from tests.sync.playbook import Playbook

FIELDS = {"phone": ("phone", "telephone1"), "city": ("city", "address1_city"), "job_title": ("jobTitle", "jobtitle")}
names = st.sampled_from(sorted(FIELDS))
bursts = st.lists(st.sets(names, min_size=1), max_size=5)


@given(marketo=bursts, dynamics=bursts, is_contact=st.booleans(), data=st.data())
def test_any_interleaving_ends_in_the_same_values_and_the_same_last_collision(
    marketo: list[set[str]], dynamics: list[set[str]], is_contact: bool, data: st.DataObject
) -> None:
    """The commands stay in flight: what lands is no matter of the streams' order, and is played elsewhere."""
    turns = [True] * len(marketo) + [False] * len(dynamics)
    one, other = (_played(marketo, dynamics, data.draw(st.permutations(turns)), is_contact) for _ in range(2))
    assert one == other


def _played(
    marketo: Sequence[set[str]], dynamics: Sequence[set[str]], turns: Sequence[bool], is_contact: bool
) -> tuple[dict[str, object], dict[str, object]]:
    book = Playbook().linked_lead(phone="0", city="0", jobTitle="0")
    if is_contact:
        book.qualified()
        book.lands(book.contact(telephone1="0", address1_city="0", jobtitle="0").to("dynamics"))
    entries, rows = iter(enumerate(marketo)), iter(enumerate(dynamics))
    row = {FIELDS[name][1]: "0" for name in FIELDS}
    show = book.contact if is_contact else book.dynamics
    for is_marketo in turns:
        if is_marketo:
            number, changed = next(entries)
            book.marketo(change_id=f"m{number}", **{FIELDS[name][0]: f"m{number}" for name in changed})
        else:
            number, changed = next(rows)
            row |= {FIELDS[name][1]: f"d{number}" for name in changed}
            show(change_id=f"d{number}", revision=book.known.dynamics.link.revision, **row)  # type: ignore[union-attr]
    return {name: _settled(book, name) for name in FIELDS}, {name: _last_pair(book, name) for name in FIELDS}


def _settled(book: Playbook, name: str) -> object:
    field = book.known.moving.get(name)
    if field is None:
        return book.known.at_rest[name]
    change = PersonChange(
        change_id="-", person_key="-", policy="-", kind="unlinked", system="marketo", record=book.record("marketo")
    )
    return settled_edit(Fold(book.known, change, book.policy), name, field).value


def _last_pair(book: Playbook, name: str) -> object:
    collisions: list[Activity] = [each for each in book.of_kind("collision") if each.field == name]
    if not collisions or collisions[-1].marketo is None or collisions[-1].dynamics is None:
        return None
    return collisions[-1].marketo.change_id, collisions[-1].dynamics.change_id, collisions[-1].winner
