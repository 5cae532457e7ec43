"""When the connectors of a demo have told everything: by the checkpoint on Kafka, since one of them reads ahead."""

from __future__ import annotations

from schemas.checkpoint import Checkpoint
from streams.demo.rest.standing import Standing
from streams.simulators.marketo import tokens
from streams.simulators.marketo.activities import DELETE_LEAD, NEW_LEAD, ActivityLog


def checkpoint(changes: str, ends: str, *held: str) -> bytes:
    positions = {"changes": changes, "ends": ends}
    return Checkpoint(system="marketo", positions=positions, held=held).model_dump_json().encode()


def test_what_was_read_and_not_put_on_kafka_is_not_told() -> None:
    """A position counts from when its checkpoint is heard."""
    log, standing = ActivityLog(), Standing()
    assert standing.has_told_all(log)
    log.add(NEW_LEAD, 775, 1.0)
    log.add(DELETE_LEAD, 775, 2.0)
    assert not standing.has_told_all(log)
    standing.heard(checkpoint(tokens.written("position", 2), tokens.written("position", 1)))
    assert not standing.has_told_all(log)
    standing.heard(checkpoint(tokens.written("position", 2), tokens.written("rested", 2)))
    assert standing.has_told_all(log)


def test_a_feed_of_which_nothing_was_told_stands_before_everything() -> None:
    """Its token is a time."""
    log, standing = ActivityLog(), Standing()
    standing.heard(checkpoint(tokens.written("since", 0.0), tokens.written("since", 0.0)))
    assert standing.has_told_all(log)
    log.add(NEW_LEAD, 775, 1.0)
    assert not standing.has_told_all(log)


def test_what_was_read_and_waits_to_be_told_is_not_told() -> None:
    """A new person whose row is too young waits in the checkpoint, which stands behind them."""
    log, standing = ActivityLog(), Standing()
    log.add(NEW_LEAD, 775, 1.0)
    after = tokens.written("position", 2), tokens.written("rested", 2)
    standing.heard(checkpoint(*after, "an entry"))
    assert not standing.has_told_all(log)
    standing.heard(checkpoint(*after))
    assert standing.has_told_all(log)
