"""Whose a record's change is, and what its stream's link is from then on. (Design, "Flow", "Contracts".)"""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from schemas.identity import person_key_of
from streams.intake import link_to, person_of, resolve_change
from streams.policy import default_policy
from streams.sync.messages import SourceChange
from tests.builders import LEAD, dynamics_row, lead, source_change

ADA, BEN = "p-ada", "p-ben"


def told(changes: Sequence[SourceChange], link: bytes | None = None) -> tuple[list[tuple[str, str]], bytes | None]:
    """Who hears what of a stream's changes, and the stream's link in the end."""
    heard, policy = [], default_policy()
    for change in changes:
        resolved = resolve_change(LEAD, change, link, policy)
        heard += [(each.person_key, each.kind) for each in resolved.changes]
        link = resolved.link
    return heard, link


def row(version: int, person_key: str | None = None) -> SourceChange:
    return dynamics_row(version=version, person_key=person_key)


def test_a_stream_without_a_key_is_a_new_person_whose_key_follows_from_it() -> None:
    heard, link = told([row(1), row(2)])
    own = person_key_of("dynamics", LEAD)
    assert (heard, link) == ([(own, "updated"), (own, "updated")], link_to(own, 1))


def test_a_record_that_shows_another_person_is_let_go_of_by_the_one_before() -> None:
    heard, link = told([row(1, ADA), row(2, BEN), row(3)])
    assert heard == [(ADA, "updated"), (ADA, "unlinked"), (BEN, "updated"), (BEN, "updated")]
    assert link == link_to(BEN, 2)


@pytest.mark.parametrize("repeated", [[1], [1, 2], [1, 2, 3], [2, 3], [1, 1, 2, 3, 3]])
def test_a_repeat_from_before_the_link_moves_nothing_back(repeated: list[int]) -> None:
    """Moved back and forth once more, the record would be linked anew, and its collisions be told a second time."""
    shown = {1: row(1, ADA), 2: row(2, BEN), 3: row(3, ADA)}
    once, link = told([shown[1], shown[2], shown[3]])
    assert [kind for _, kind in once].count("unlinked") == 2
    heard, after = told([shown[version] for version in repeated], link)
    assert heard == [(ADA, "updated")] * len(repeated), (
        "each is the record's present person's, who has folded its version"
    )
    assert after == link == link_to(ADA, 3)


def test_a_change_without_a_version_moves_the_link_and_leaves_its_version() -> None:
    """`linked` is the applier's word, and stands in no order with the rows."""
    linked = source_change(lead(), None, "linked", person_key=BEN)
    heard, link = told([row(4, ADA), linked, row(3, ADA)])
    assert heard == [(ADA, "updated"), (ADA, "unlinked"), (BEN, "linked"), (BEN, "updated")]
    assert link == link_to(BEN, 4)


def test_a_link_made_by_no_version_goes_wherever_a_row_says() -> None:
    heard, link = told([row(2, BEN)], link_to(ADA))
    assert heard == [(ADA, "unlinked"), (BEN, "updated")]
    assert link == link_to(BEN, 2)


@pytest.mark.parametrize("person_key", [ADA, "", "p\0ada", "Ünal"])
@pytest.mark.parametrize("version", [None, 0, 12, 2**53])
def test_a_link_gives_its_person_back(person_key: str, version: int | None) -> None:
    assert person_of(link_to(person_key, version)) == person_key


def test_a_request_moves_no_stream() -> None:
    """It comes by a way of its own: the key that it was made with may be older, or newer, than what the stream has told."""
    request = source_change(lead(), None, "requested", person_key=BEN, action="sync_person")
    assert told([row(4, ADA), request]) == ([(ADA, "updated"), (ADA, "requested")], link_to(ADA, 4))
    assert told([request]) == ([(BEN, "requested")], link_to(BEN))
