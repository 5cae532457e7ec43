"""The merge of the yardsticks reads, refuses and writes what the worker does, by the pydantic contracts."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import schemas
from schemas.limits import BODY_BYTES_MAX
from schemas.rejection import Reason
from schemas.vocabulary import Contract
from streams import codec
from streams.codec import Unreadable, encode
from streams.policy import default_policy
from streams.sync.person import other_system
from tests import strategies
from tests.bench.merge import (
    BY_CODEC,
    BY_MODEL,
    DECODERS,
    Edges,
    Merge,
    Received,
    read_by_model,
    write_by_model,
)
from tests.builders import apply_result, marketo_change, person_change

WRITTEN = {
    schemas.PersonChange: codec.decode_person_change,
    schemas.ApplyCommand: codec.decode_apply_command,
    schemas.Activity: codec.decode_activity,
}
thorough = settings(max_examples=150, suppress_health_check=list(HealthCheck))
both_edges = pytest.mark.parametrize("edges", [BY_MODEL, BY_CODEC], ids=["by model", "by codec"])


@pytest.mark.parametrize("model", DECODERS, ids=lambda model: model.__name__)
@thorough
@given(data=st.data())
def test_a_body_is_read_as_the_worker_reads_it(model: type[Contract], data: st.DataObject) -> None:
    """As text, so that 1, 1.0 and true differ."""
    body = data.draw(strategies.bodies(model))
    assert encode(read_by_model(model, body)) == encode(DECODERS[model](body))


@pytest.mark.parametrize("model", WRITTEN, ids=lambda model: model.__name__)
@thorough
@given(data=st.data())
def test_what_is_written_says_what_the_worker_would_say(model: type[Contract], data: st.DataObject) -> None:
    """Defaults may be spelt out or not; nulls within fields are."""
    message = WRITTEN[model](data.draw(strategies.bodies(model)))
    assert encode(WRITTEN[model](write_by_model(model, message))) == encode(message)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (None, "unreadable"),
        (b"", "unreadable"),
        (b"{", "unreadable"),
        (b'{"contract": "\xff"}', "unreadable"),
        (b"[]", "invalid"),
        (b"{}", "invalid"),
        (b'{"contract": "source-change/2", "change_id": "x"}', "unknown_version"),
        (b'{"contract": 2}', "invalid"),
        (b" " * (BODY_BYTES_MAX + 1), "oversized"),
    ],
)
@both_edges
def test_a_body_is_refused_for_the_workers_reason(edges: Edges, body: bytes | None, reason: Reason) -> None:
    with pytest.raises(Unreadable) as refused:
        edges.read(schemas.SourceChange, body)
    assert refused.value.reason == reason


def reason_of(sent: list[Any]) -> tuple[str, Reason]:
    (letter,) = sent
    return letter.topic, schemas.Rejection.model_validate_json(letter.body).reason


@pytest.mark.parametrize(
    ("key", "reason"), [(None, "no_key"), (b"", "no_key"), (b"\xff", "no_key"), (b"another", "wrong_key")]
)
def test_a_message_under_a_wrong_key_is_rejected(key: bytes | None, reason: Reason) -> None:
    """Links and people stay as they were."""
    merge, result = Merge(default_policy()), apply_result()
    sent, linked = merge.change(received(marketo_change(), key), "marketo", b"learned")
    assert (reason_of(sent), linked) == (("dead-letter", reason), b"learned")
    assert reason_of(merge.result(received(result, key), result.system)) == ("dead-letter", reason)
    sent, state = merge.person_change(received(person_change(), key), b"state")
    assert (reason_of(sent), state) == (("dead-letter", reason), b"state")


def test_a_message_of_the_other_system_is_rejected() -> None:
    merge, change, result = Merge(default_policy()), marketo_change(), apply_result()
    sent, _ = merge.change(received(change, change.record.id.encode()), "dynamics", None)
    assert reason_of(sent) == ("dead-letter", "invalid")
    sent = merge.result(received(result, result.person_key.encode()), other_system(result.system))
    assert reason_of(sent) == ("dead-letter", "invalid")


def received(message: Any, key: bytes | None) -> Received:
    return Received("topic", 1, 2, 3, key, encode(message))
