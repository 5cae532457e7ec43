"""What the workers say is counted, and checked where it can be."""

from __future__ import annotations

import pytest

from streams.codec import encode, rejection_of
from streams.demo.landings import Landings
from streams.demo.ledger import REJECTIONS_KEPT, Ledger
from streams.policy import default_policy
from streams.sync.messages import Activity


@pytest.fixture
def ledger() -> Ledger:
    policy = default_policy()
    return Ledger(Landings(policy, lambda: 0.0), policy.authority)


def activity(kind: str, number: int = 1, **members: object) -> bytes:
    return encode(Activity(activity_id=f"a-{number}", person_key="p-1", kind=kind, cause="c-1", **members))  # type: ignore[arg-type]


def test_collisions_are_counted_by_record_type_and_winner(ledger: Ledger) -> None:
    """As the summary shows them."""
    ledger.activity(activity("collision", 1, record_type="lead", winner="marketo", rule="authority", field="city"))
    ledger.activity(activity("collision", 2, record_type="contact", winner="dynamics", rule="authority", field="city"))
    assert ledger.collisions == {("lead", "marketo"): 1, ("contact", "dynamics"): 1}
    assert ledger.complaints == []


def test_a_collision_won_by_the_wrong_side_is_complained_of(ledger: Ledger) -> None:
    """Authority over leads is Marketo's."""
    ledger.activity(activity("collision", 1, record_type="lead", winner="dynamics", rule="authority", field="city"))
    assert ledger.complaints == ["p-1: dynamics won city of a lead"]


def test_an_activity_that_comes_twice_is_complained_of(ledger: Ledger) -> None:
    """Each leaves exactly one, by id."""
    ledger.activity(activity("skipped"))
    ledger.activity(activity("skipped"))
    assert ledger.complaints == ["p-1: activity skipped a-1 came twice"]


def test_a_request_that_fails_for_good_leaves_no_error_open(ledger: Ledger) -> None:
    """So it is not counted among the opened."""
    ledger.activity(activity("failed", 1, code="owner_unknown", system="dynamics"))
    ledger.activity(activity("failed", 2, code="too_long", system="dynamics"))
    ledger.activity(activity("closed", 3, code="too_long", system="dynamics"))
    assert (ledger.failed_for_good, ledger.opened, ledger.closed, ledger.errors["p-1"]) == (1, 1, 1, 0)


def test_of_many_dead_letters_the_first_few_are_kept(ledger: Ledger) -> None:
    """All are counted."""
    for offset in range(REJECTIONS_KEPT + 3):
        body = rejection_of(
            topic="t",
            partition=0,
            offset=offset,
            timestamp_ms=0,
            value=b"{",
            headers=(),
            reason="unreadable",
            detail="no",
        )
        ledger.dead_letter(body)
    assert ledger.dead_letters == REJECTIONS_KEPT + 3
    assert len(ledger.rejections) == REJECTIONS_KEPT and ledger.rejections[0] == "t[0]@0: unreadable: no"
