"""The hot path's structs accept what the published contracts accept, and nothing else; what they refuse has its reason.

Four differences are known and left (`_set_apart`); all lie in bodies that no careful producer writes:
a name that stands twice in one object (msgspec also checks the values that the last one replaces), `NaN` and `Infinity`
(no JSON; pydantic passes over them in members that it does not know), whole numbers of more than 4,300 digits (no JSON for
pydantic; msgspec passes over them in such members), and the 201st level of nesting where it is a list (pydantic reads that one).
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Iterator
from typing import Any, get_args, get_type_hints

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

import schemas
from schemas.activity import CollidingEdit
from schemas.apply_result import Row
from schemas.export import contracts, json_schema
from schemas.limits import BODY_BYTES_MAX, INTEGER_MAX, NESTING_MAX, REJECTED_BYTES_MAX
from schemas.rejection import Reason
from schemas.vocabulary import Contract, Record
from streams import codec
from streams.codec import Unreadable, encode, rejection_of
from streams.connectors.known import KnownRecord
from streams.sync import messages
from tests import strategies
from tests.builders import apply_command, apply_result, marketo, marketo_change, person_change, row

READERS: dict[type[Contract], Callable[[bytes | None], Any]] = {
    schemas.SourceChange: codec.decode_source_change,
    schemas.ApplyResult: codec.decode_apply_result,
    schemas.PersonChange: codec.decode_person_change,
    schemas.ApplyCommand: codec.decode_apply_command,
    schemas.Activity: codec.decode_activity,
}
NOT_READ_HOT = {schemas.Rejection, schemas.PolicyRecord, schemas.Checkpoint, schemas.KnownRecord}
STRUCTS: dict[type[BaseModel], type[msgspec.Struct]] = {
    **{model: getattr(messages, model.__name__) for model in READERS},
    **{part: getattr(messages, part.__name__) for part in (Record, Row, CollidingEdit)},
    schemas.KnownRecord: KnownRecord,
}
thorough = settings(max_examples=150, suppress_health_check=list(HealthCheck))
every_contract = pytest.mark.parametrize("model", READERS, ids=lambda model: model.__name__)
every_struct = pytest.mark.parametrize("model", STRUCTS, ids=lambda model: model.__name__)


def by_model(model: type[Contract], body: bytes) -> str | None:
    """What the pydantic model reads in the body, as JSON text (so that 1, 1.0 and true differ), None where it refuses."""
    try:
        message = model.model_validate_json(body)
    except ValidationError:
        return None
    named = {"contract": model.model_fields["contract"].default}
    return json.dumps(named | message.model_dump(mode="json", exclude_defaults=True))


def by_struct(model: type[Contract], body: bytes) -> str | None:
    """The same by the hot path."""
    try:
        message = READERS[model](body)
    except Unreadable:
        return None
    assert READERS[model](encode(message)) == message
    return json.dumps(msgspec.to_builtins(message))


def _set_apart(body: bytes) -> bool:
    """Whether the two may differ on this body: see the head of this file."""

    def once(pairs: list[tuple[str, Any]]) -> None:
        if len(dict(pairs)) < len(pairs):
            raise LookupError

    def never(constant: str) -> None:
        raise LookupError

    try:
        json.loads(body, object_pairs_hook=once, parse_constant=never)
    except LookupError:
        return True
    except ValueError as error:
        return "4300 digits" in str(error)
    return False


@every_contract
@given(data=st.data())
@thorough
def test_a_valid_message_reads_alike(model: type[Contract], data: st.DataObject) -> None:
    body = data.draw(strategies.bodies(model))
    assert by_struct(model, body) == by_model(model, body) is not None


@every_contract
@given(data=st.data())
@thorough
def test_a_message_with_something_wrong_reads_alike_or_is_refused_by_both(
    model: type[Contract], data: st.DataObject
) -> None:
    body = data.draw(strategies.tampered(model))
    assert _set_apart(body) or by_struct(model, body) == by_model(model, body)


@every_contract
@given(data=st.data())
@thorough
def test_a_damaged_body_reads_alike_or_is_refused_by_both(model: type[Contract], data: st.DataObject) -> None:
    body = data.draw(strategies.damaged(model))
    assert _set_apart(body) or by_struct(model, body) == by_model(model, body)


@every_contract
@given(data=st.data())
@thorough
def test_what_is_written_reads_back_by_the_published_model(model: type[Contract], data: st.DataObject) -> None:
    message = READERS[model](data.draw(strategies.bodies(model)))
    written = encode(message)
    assert by_model(model, written) == json.dumps(msgspec.to_builtins(message))


def test_every_contract_has_a_reader_or_is_named_as_having_none() -> None:
    assert set(contracts().values()) == {*READERS, *NOT_READ_HOT}


@every_struct
def test_a_struct_has_its_models_members_with_their_defaults_in_their_order(model: type[BaseModel]) -> None:
    """Compared by JSON Schema, so that every limit, pattern and word counts as well."""
    published = _plain(model.model_json_schema())
    hot = _plain(msgspec.json.schema(STRUCTS[model]))
    assert list(hot) == list(published), "members, or their order"
    assert hot == published


def _plain(schema: Any) -> dict[str, Any]:
    """A contract's members, each as what it allows; without what only one of the two can say."""
    defs = schema.get("$defs", {})
    top = defs[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema
    members = {name: _allowed(member) for name, member in top["properties"].items() if name != "contract"}
    return {name: {**member, "needed": name in top["required"]} for name, member in members.items()}


SAID_BY_ONE = {"title", "description", "format"}


def _allowed(node: Any) -> Any:
    if isinstance(node, list | tuple):
        return [_allowed(item) for item in node]
    if not isinstance(node, dict):
        return node
    default = {"default": node["default"]} if "default" in node else {}
    if "$ref" in node:
        return {"struct": node["$ref"].rpartition("/")[2], **default}
    if "enum" in node or "const" in node:
        return {"words": sorted(node.get("enum") or [node["const"]]), **default}
    if node.get("minimum") == -INTEGER_MAX:  # of a value: pydantic checks it in Python, which its schema cannot say
        return {"type": node["type"]}
    plain = {name: _allowed(member) for name, member in node.items() if name not in SAID_BY_ONE}
    if "pattern" in plain:
        plain["pattern"] = plain["pattern"].removesuffix(r"\Z").removesuffix("$")
    if "anyOf" in plain:
        plain["anyOf"] = sorted(plain["anyOf"], key=lambda branch: json.dumps(branch, sort_keys=True))
    return plain


GOOD = encode(marketo_change(jobTitle="Head of Growth"))


def with_value(json_text: str) -> bytes:
    return GOOD.replace(b'"Head of Growth"', json_text.encode())


def with_members(json_text: str) -> bytes:
    return GOOD[:-1] + b"," + json_text.encode() + b"}"


REFUSED: dict[str, tuple[bytes | None, Reason, str]] = {
    "a tombstone": (None, "unreadable", "no body"),
    "an empty body": (b"", "unreadable", "no body"),
    "half a body": (GOOD[:40], "unreadable", "not JSON in UTF-8"),
    "another encoding": (with_value('"Zoë"').decode().encode("latin-1"), "unreadable", "utf-8"),
    "another encoding where nobody looks": (
        with_members('"x":"Zoë"').decode().encode("latin-1"),
        "unreadable",
        "utf-8",
    ),
    "UTF-16": (GOOD.decode().encode("utf-16"), "unreadable", "utf-8"),
    "a byte order mark": (b"\xef\xbb\xbf" + GOOD, "unreadable", "invalid character"),
    "half a surrogate pair": (with_value('"\\ud800"'), "unreadable", "not JSON"),
    "half a surrogate pair, written as UTF-8": (
        with_value('"?"').replace(b"?", b"\xed\xa0\x80"),
        "unreadable",
        "utf-8",
    ),
    "not a number": (with_value("NaN"), "unreadable", "not JSON"),
    "a binary body": (bytes(range(256)), "unreadable", "not JSON"),
    "deep nesting": (with_members('"x":' + "[" * 100_000 + "]" * 100_000), "unreadable", "allowed are 200 levels"),
    "deep nesting in a value": (with_value("[" * 100_000 + "]" * 100_000), "unreadable", "allowed are 200 levels"),
    "deep nesting, unclosed": (with_value("[" * 100_000), "unreadable", "allowed are 200 levels"),
    "two messages in one body": (GOOD + GOOD, "unreadable", "trailing"),
    "one byte too many": (b" " * (BODY_BYTES_MAX + 1 - len(GOOD)) + GOOD, "oversized", str(BODY_BYTES_MAX)),
    "the next version": (GOOD.replace(b"change/1", b"change/2"), "unknown_version", "'source-change/2'"),
    "another contract": (encode(apply_command()), "unknown_version", "read here is 'source-change/1'"),
    "the next version, in another shape": (b'{"contract":"source-change/2"}', "unknown_version", "source-change/1"),
    "a contract that is no text": (GOOD.replace(b'"source-change/1"', b"1"), "invalid", "$.contract"),
    "an array": (b"[]", "invalid", "Expected `object`, got `array`"),
    "null": (b"null", "invalid", "Expected `object`, got `null`"),
    "a string and what follows it": (b'"' + GOOD + b'"', "unreadable", "not JSON"),
    "a missing id": (b'{"kind":"deleted"}', "invalid", "required field `change_id`"),
    "a wrong type": (GOOD.replace(b'"version":1', b'"version":"1"'), "invalid", "got `str` - at `$.version`"),
    "true for one": (GOOD.replace(b'"version":1', b'"version":true'), "invalid", "got `bool` - at `$.version`"),
    "1.0 for one": (GOOD.replace(b'"version":1', b'"version":1.0'), "invalid", "got `float` - at `$.version`"),
    "an unknown kind": (
        GOOD.replace(b"updated", b"changed"),
        "invalid",
        "'changed' - at `$.kind`; allowed: 'created', ",
    ),
    "an unknown system": (GOOD.replace(b"marketo", b"hubspot", 2), "invalid", "allowed: 'marketo', 'dynamics'"),
    "a record type of the other system": (
        GOOD.replace(b'"person"', b'"lead"'),
        "invalid",
        "marketo has no record type",
    ),
    "a kind without what it needs": (GOOD.replace(b"updated", b"converted"), "invalid", "'converted' needs contact"),
    "an object for a value": (with_value("{}"), "invalid", "got `object` - at `$.fields['jobTitle']`"),
    "a wrong value that its member's repetition hides": (
        with_value("{}")[:-1] + b',"fields":null}',
        "invalid",
        "got `object` - at `$.fields[...]`",
    ),
    "a number among options": (with_value('["a",1]'), "invalid", "got `int` - at `$.fields['jobTitle'][1]`"),
    "an integer beyond 64 bits": (with_value(str(2**63)), "invalid", "$.fields['jobTitle']"),
    "a number beyond a double": (with_value("1e400"), "invalid", "$.fields['jobTitle']"),
    "a field without a name": (GOOD.replace(b"jobTitle", b""), "invalid", "`key` in `$.fields`"),
    "a date for a time": (with_members('"time":"2026-09-01"'), "invalid", "`$.time`"),
    "a time with a line break": (with_members('"time":"2026-09-01T09:14:07Z\\n"'), "invalid", "`$.time`"),
    "a member that may not be null": (with_members('"scope":null'), "invalid", "`$.scope`"),
}


@pytest.mark.parametrize("story", REFUSED)
def test_a_body_that_cannot_be_read_is_refused_with_its_reason(story: str) -> None:
    """The published model refuses it too, but for its size and its contract's word, which it leaves to the reader."""
    body, reason, said = REFUSED[story]
    with pytest.raises(Unreadable) as refused:
        codec.decode_source_change(body)
    assert refused.value.reason == reason
    assert said in refused.value.detail
    assert reason == "oversized" or by_model(schemas.SourceChange, body or b"") is None


def test_the_field_at_fault_is_named_in_a_row_too() -> None:
    body = encode(apply_result("conflict", row=row(jobtitle="x", telephone1="y"))).replace(b'"y"', b"{}")
    with pytest.raises(Unreadable, match=r"at `\$\.row\.fields\['telephone1'\]`"):
        codec.decode_apply_result(body)


BAD_PARTS: dict[Any, tuple[Any, str]] = {
    messages.Time: ("2026-09-01", "no time of RFC 3339"),
    messages.Record: ({"system": "marketo", "type": "lead", "id": "1"}, "has no record type 'lead'"),
}
"""What the decoder itself lets through, wherever it stands."""
BODIES: dict[type[Contract], bytes] = {
    schemas.SourceChange: encode(marketo_change(jobTitle="x")),
    schemas.PersonChange: encode(person_change(record=marketo())),
    schemas.ApplyResult: encode(apply_result("conflict", row=row(jobtitle="x"))),
    schemas.ApplyCommand: encode(apply_command()),
    schemas.Activity: b'{"contract":"activity/1","activity_id":"a","person_key":"p","kind":"created","cause":"c",'
    b'"marketo":{"change_id":"m"},"dynamics":{"change_id":"d"}}',
}


def bad_members() -> Iterator[Any]:
    """Each place of each contract where a time or a record may stand."""
    for model, body in BODIES.items():
        for name, hint in get_type_hints(STRUCTS[model], include_extras=True).items():
            yield from _bad(model, body, (name,), hint)


def _bad(model: type[Contract], body: bytes, path: tuple[str, ...], hint: Any) -> Iterator[Any]:
    parts = get_args(hint) if hint not in BAD_PARTS else ()
    for part in (hint, *parts):
        if part in BAD_PARTS:
            yield pytest.param(model, body, path, *BAD_PARTS[part], id=f"{model.__name__}.{'.'.join(path)}")
        elif part in (messages.Row, messages.CollidingEdit):
            for name, inner in get_type_hints(part, include_extras=True).items():
                yield from _bad(model, body, (*path, name), inner)


@pytest.mark.parametrize(("model", "body", "path", "bad", "said"), list(bad_members()))
def test_a_time_or_a_record_is_refused_wherever_it_stands(
    model: type[Contract], body: bytes, path: tuple[str, ...], bad: Any, said: str
) -> None:
    """The detail names the place."""
    READERS[model](body)
    members = json.loads(body)
    holder = members
    for name in path[:-1]:
        holder = holder[name]
    holder[path[-1]] = bad
    with pytest.raises(Unreadable, match=said) as refused:
        READERS[model](json.dumps(members).encode())
    assert refused.value.reason == "invalid"
    assert f"at `$.{'.'.join(path)}`" in refused.value.detail


def deep(levels: int, opening: str, closing: str) -> bytes:
    """A good message with so many levels, its own first one and strings full of brackets besides."""
    innermost = "1" if opening.endswith(":") else ""
    return with_members(
        f'"x":{opening * (levels - 1)}{innermost}{closing * (levels - 1)},"y":"{"[{" * 300}\\"{"[{" * 300}"'
    )


SHAPES = pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}"), ('{"[":', "}")])


@SHAPES
def test_the_deepest_nesting_is_read(opening: str, closing: str) -> None:
    assert codec.decode_source_change(deep(NESTING_MAX, opening, closing)) == codec.decode_source_change(GOOD)
    assert by_model(schemas.SourceChange, deep(NESTING_MAX, opening, closing)) is not None


@SHAPES
@pytest.mark.parametrize("levels", [NESTING_MAX + 1, 500, 990, 1_100, 100_000])
def test_one_level_more_is_refused_whatever_room_the_stack_has(levels: int, opening: str, closing: str) -> None:
    with pytest.raises(Unreadable, match=f"allowed are {NESTING_MAX} levels") as refused:
        codec.decode_source_change(deep(levels, opening, closing))
    assert refused.value.reason == "unreadable"


def test_many_brackets_beside_each_other_are_no_nesting() -> None:
    wide = with_members('"x":[' + ",".join(['[{"a":"}]"}]'] * NESTING_MAX) + "]")
    assert codec.decode_source_change(wide) == codec.decode_source_change(GOOD)


def test_a_string_without_an_end_is_looked_at_once() -> None:
    """Once from each of its quotes would take hours."""
    with pytest.raises(Unreadable):
        codec.decode_source_change(b"[" * (NESTING_MAX + 1) + b'"' + b'\\"' * (BODY_BYTES_MAX // 2 - NESTING_MAX))


ACCEPTED = {
    "exactly the largest body": b" " * (BODY_BYTES_MAX - len(GOOD)) + GOOD,
    "a member that a later writer added": with_members('"priority":{"level":[1,2.5,null]}'),
    "no contract": GOOD.replace(b'"contract":"source-change/1",', b""),
    "a member twice: the last stands": with_members('"version":1'),
    "white space": b"\n\t" + GOOD + b" \r\n",
}


@pytest.mark.parametrize("story", ACCEPTED)
def test_a_body_that_says_the_same_in_another_way_reads_the_same(story: str) -> None:
    assert codec.decode_source_change(ACCEPTED[story]) == codec.decode_source_change(GOOD)
    assert by_model(schemas.SourceChange, ACCEPTED[story]) == by_model(schemas.SourceChange, GOOD)


def test_defaults_are_not_written_and_members_stand_in_the_contracts_order() -> None:
    assert encode(person_change(fields={"job_title": None})) == (
        b'{"contract":"person-change/1","change_id":"marketo-775-1","person_key":"p-775","policy":"' + b"0" * 64 + b'",'
        b'"kind":"updated","system":"marketo","record":{"system":"marketo","type":"person","id":"775"},"version":1,'
        b'"fields":{"job_title":null}}'
    )


def rejected(**told: Any) -> schemas.Rejection:
    origin = {"topic": "marketo.changes", "partition": 2, "offset": 41, "timestamp_ms": 1_788_254_047_123}
    content = {"value": b"{", "headers": (), "reason": "unreadable", "detail": "not JSON in UTF-8"}
    return schemas.Rejection.model_validate_json(rejection_of(**{**origin, **content, **told}))


def test_a_rejection_tells_where_the_message_stood_and_what_it_held() -> None:
    rejection = rejected(value=b"{", headers=[("ce_id", b"8801"), ("trace", None)])
    assert (rejection.topic, rejection.partition, rejection.offset) == ("marketo.changes", 2, 41)
    assert rejection.timestamp == "2026-09-01T09:14:07.123Z"
    assert (rejection.body, rejection.body_bytes) == ("ew==", 1)
    assert rejection.body_sha256 == hashlib.sha256(b"{").hexdigest()
    assert rejection.headers == (("ce_id", "ODgwMQ=="), ("trace", ""))


def test_the_same_message_is_rejected_under_the_same_id_and_another_under_another() -> None:
    assert rejected().rejection_id == rejected(detail="said otherwise").rejection_id
    assert (
        len(
            {
                rejected(**{name: other}).rejection_id
                for name, other in [("topic", "t"), ("partition", 0), ("offset", 4)]
            }
        )
        == 3
    )


@given(
    body=st.binary(max_size=100) | st.just(b"\xff" * (REJECTED_BYTES_MAX + 1)) | st.none(),
    headers=st.lists(st.tuples(st.text(), st.binary() | st.none()), max_size=70)
    | st.just([("n" * 999, b"v" * 99_999)] * 99),
    timestamp_ms=st.integers(-(2**63), 2**63 - 1) | st.none(),
    reason=st.sampled_from(get_args(Reason)),
    detail=st.text() | st.just("x" * 9_999) | st.just("\ud800"),
)
@thorough
def test_whatever_a_producer_sends_can_be_rejected(
    body: bytes | None, headers: Any, timestamp_ms: int | None, reason: str, detail: str
) -> None:
    """No length, header, timestamp or text makes the rejection itself fail, or grow too large to send."""
    told = {"value": body, "headers": headers, "timestamp_ms": timestamp_ms, "reason": reason, "detail": detail}
    origin = {"topic": "marketo.changes", "partition": 0, "offset": 0}
    written = rejection_of(**origin, **told)  # type: ignore[arg-type]
    assert len(written) < BODY_BYTES_MAX
    assert base64.b64decode(rejected(**told).body) == (body or b"")[:REJECTED_BYTES_MAX]


@given(st.binary() | st.text().map(lambda text: text.encode("utf-8", "surrogatepass")))
@thorough
def test_random_bytes_are_refused_and_nothing_else_is_raised(body: bytes) -> None:
    for read in READERS.values():
        with pytest.raises(Unreadable):
            read(body)
    assert json_schema(schemas.SourceChange)["required"]  # so no body of random JSON can be a message by chance
