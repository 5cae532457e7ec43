"""The fuzz without a broker, and its teeth: what it must see when something is wrong, planted once each."""

from __future__ import annotations

import gc
from collections.abc import Callable
from random import Random
from typing import Any

import msgspec
import pytest

import schemas
from schemas.export import contracts, json_schema
from schemas.limits import BODY_BYTES_MAX
from streams.agents import intake, sync
from streams.codec import Unreadable
from streams.connectors.known import checkpoint_of, known_record_of
from streams.lane import Batch
from streams.policy import default_policy
from streams.sync.messages import PersonChange, SourceChange
from tests.fuzz import in_process, reading, spoiling
from tests.fuzz.in_process import Report, run
from tests.fuzz.judging import body_judged, judged
from tests.fuzz.reading import Kept, read
from tests.fuzz.sending import SEED, TOPICS, Stream
from tests.fuzz.shapes import shape

MESSAGES = 4_000
every_contract = pytest.mark.parametrize("model", contracts().values(), ids=lambda model: model.__name__)


def test_the_agents_stand_it() -> None:
    report = run(MESSAGES, SEED)
    assert not report.findings, report.findings[:5]
    assert report.messages == MESSAGES and report.good > MESSAGES / 2


def test_whatever_else_reads_a_contract_stands_it() -> None:
    report = Report()
    read(MESSAGES, SEED, report)
    assert not report.findings, report.findings[:5]


def test_what_is_rejected_is_forgotten_at_once() -> None:
    """An error that holds itself by its traceback would hold its whole batch until the collector comes, which is seldom."""
    broker = in_process.Broker(default_policy(), Report())
    batches: dict[str, list[in_process.Taken]] = {topic: [] for topic in TOPICS}
    for sent in Stream(default_policy(), SEED).messages(1_000):
        batches[sent.topic].append(broker.put(sent.topic, sent))
    gc.collect()
    gc.disable()
    try:
        for topic, records in batches.items():
            agent = broker.sync if topic == "person.changes" else broker.intake
            result: Any = agent.handle(Batch(topic, 0, records, {}))
            assert any(output.topic == "dead-letter" for output in result.outputs)
            del result
            assert gc.collect() == 0, topic
    finally:
        gc.enable()


def test_a_seed_tells_the_whole_story() -> None:
    one, same, other = (list(Stream(default_policy(), seed).messages(300)) for seed in (1, 1, 2))
    assert one == same != other


def test_every_way_of_spoiling_and_every_topic_comes_up() -> None:
    messages = list(Stream(default_policy(), SEED).messages(20_000))
    told = {way for sent in messages for way in sent.story.split(", ")}
    rare = {name for name, (_, weight) in (spoiling.OF_BYTES | spoiling.OF_MEMBERS).items() if weight < 0.1}
    assert {*spoiling.OF_BYTES, *spoiling.OF_MEMBERS} - rare <= told
    assert {sent.topic for sent in messages} == set(TOPICS)


@pytest.mark.parametrize("name", {**spoiling.OF_BYTES, **spoiling.OF_MEMBERS})
def test_each_way_of_spoiling_spoils_any_message(name: str) -> None:
    """The rare ones too, on small and odd messages; what comes of it is bytes that a topic takes, or none."""
    random = Random(name)
    for model in (schemas.SourceChange, schemas.ApplyResult, schemas.PersonChange):
        for _ in range(3):
            message = shape(model)(random)
            if name in spoiling.OF_MEMBERS:
                spoiling.OF_MEMBERS[name][0](message, random)
                continue
            spoilt = spoiling.OF_BYTES[name][0](msgspec.json.encode(message), random)
            assert spoilt is None or len(spoilt) <= spoiling.LARGEST_BYTES


@every_contract
def test_the_schemas_messages_are_valid(model: type[schemas.SourceChange]) -> None:
    make, random = shape(model), Random(SEED)
    assert all(body_judged(model, msgspec.json.encode(make(random))).is_good for _ in range(300))


def test_a_rule_that_the_fuzz_does_not_know_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Or nothing would ever break it."""
    schema = json_schema(schemas.KnownRecord)
    schema["properties"]["version"]["multipleOf"] = 2
    monkeypatch.setattr("tests.fuzz.shapes.json_schema", lambda model: schema)
    with pytest.raises(AssertionError, match="multipleOf"):
        shape(schemas.KnownRecord)


def findings_with(monkeypatch: pytest.MonkeyPatch, agent: Any, name: str, planted: Callable[..., Any]) -> str:
    """What the fuzz says when something in an agent is another."""
    monkeypatch.setattr(agent, name, planted)
    return "\n".join(run(MESSAGES, SEED).findings)


def test_a_reader_that_raises_something_else_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    right = intake.decode_source_change

    def planted(body: bytes | None) -> SourceChange:
        change = right(body)
        if change.kind == "merged":
            raise KeyError("merged")
        return change

    assert "KeyError: 'merged'" in findings_with(monkeypatch, intake, "decode_source_change", planted)


def test_a_reader_that_takes_too_much_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    lax = msgspec.json.Decoder(SourceChange, strict=False).decode

    def planted(body: bytes | None) -> SourceChange:
        try:
            return lax(body or b"")
        except (msgspec.DecodeError, RecursionError) as error:
            raise Unreadable("invalid", str(error)) from None

    said = findings_with(monkeypatch, intake, "decode_source_change", planted)
    assert "taken, though {'invalid'}" in said
    assert "rejected as invalid, though {'unreadable'}" in said


def test_a_good_message_that_is_rejected_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    right = sync.decode_person_change

    def planted(body: bytes | None) -> PersonChange:
        change = right(body)
        if change.kind == "requested":
            raise Unreadable("invalid", "not today")
        return change

    assert "rejected as invalid, though good" in findings_with(monkeypatch, sync, "decode_person_change", planted)


def test_a_message_of_another_topic_that_is_let_in_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    said = findings_with(monkeypatch, sync, "of_its_person", lambda change, key: change)
    assert "taken, though {'wrong_key'}" in said or "taken, though {'invalid'" in said


def test_an_outcome_that_is_lost_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    right = sync.Sync._packed_activity
    monkeypatch.setattr(
        sync.Sync, "_packed_activity", lambda self, each: right(self, each)._replace(topic="dead-letter")
    )
    assert any("not in the shape of its contract" in each for each in run(400, SEED).findings)


def test_what_the_core_raises_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sync, "encode_person", lambda person: 1 // len(person.at_rest))
    assert any("the core raised ZeroDivisionError" in each for each in run(400, SEED).findings)


def test_a_policy_that_nobody_applied_and_is_in_force_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    messages = reading.applied(reading.POLICY, {})
    monkeypatch.setattr(reading, "spoilt_policy", lambda random: messages.pop(0))
    report = Report()
    reading.apply_policies(2, Random(SEED), report)
    assert "nobody applied it" in report.findings[0]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        (b"1", b"{"),
        (b"2", b'{"record":{"system":"marketo","type":"person","id":"1"},"stream":"1"}'),
        (b"1", b'{"record":{"system":"dynamics","type":"lead","id":"1"},"stream":"1"}'),
        (b"1", b" " * (BODY_BYTES_MAX + 1)),
        (b"1", None),
    ],
    ids=["no JSON", "another key", "another system", "too large", "a tombstone"],
)
def test_what_a_connector_did_not_write_is_not_believed_and_does_not_stop_it(key: bytes, value: bytes | None) -> None:
    assert known_record_of(Kept("marketo.records", 0, 7, key, value), "marketo") is None


def test_what_a_connector_wrote_is_believed() -> None:
    body = b'{"record":{"system":"marketo","type":"person","id":"1"},"stream":"1"}'
    assert known_record_of(Kept("marketo.records", 0, 7, b"1", body), "marketo") is not None
    body = b'{"system":"marketo","positions":{"changes":"x"}}'
    found = [checkpoint_of(Kept("checkpoints", 0, 7, key, body), "marketo") for key in (b"marketo", b"dynamics")]
    assert [each is not None for each in found] == [True, False]
    assert (
        checkpoint_of(Kept("checkpoints", 0, 7, b"marketo", b'{"system":"dynamics","positions":{}}'), "marketo") is None
    )
    assert checkpoint_of(Kept("checkpoints", 0, 7, b"marketo", b"{"), "marketo") is None


def test_the_judge_knows_the_rules_that_no_schema_states() -> None:
    good = b'{"change_id":"1","kind":"deleted","version":1,"record":{"system":"marketo","type":"person","id":"775"}}'
    for key, topic, reasons in (
        (b"775", "marketo.changes", set()),
        (b"776", "marketo.changes", {"wrong_key"}),
        (None, "marketo.changes", {"no_key", "wrong_key"}),
        (b"775", "dynamics.changes", {"invalid"}),
    ):
        assert judged(topic, schemas.SourceChange, key, good).reasons == reasons
    assert in_process.MODELS[topic] is schemas.SourceChange
