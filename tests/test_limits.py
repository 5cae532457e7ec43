"""Each limit is held where it stands: what is at it comes through, one more does not. And the README shows the same table.

`HOLDS` says of each limit, for any number, whether so much comes through whole; the test asks for the most and for one more.
"""

from __future__ import annotations

import json
import re
from base64 import b64decode
from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.consumer import fetcher
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from pydantic import ValidationError

import schemas
from schemas import limits
from schemas.apply_command import ApplyCommand
from schemas.identity import key_of
from schemas.limits import (
    BODY_BYTES_MAX,
    CREATIONS_MAX,
    ID_CHARACTERS_MAX,
    LIMITS,
    NAME_CHARACTERS_MAX,
    REJECTED_BYTES_MAX,
    REJECTED_HEADER_BYTES_MAX,
    REJECTED_HEADERS_MAX,
    REJECTED_KEY_BYTES_MAX,
    TEXT_CHARACTERS_MAX,
    VALUE_CHARACTERS_MAX,
    table,
)
from schemas.topics import TOPICS
from schemas.vocabulary import Contract
from streams.agents import Intake
from streams.app import lane_settings
from streams.codec import (
    Unreadable,
    decode_apply_command,
    decode_apply_result,
    decode_source_change,
    encode,
    rejection_of,
)
from streams.connectors.our_fields import DYNAMICS_KEY
from streams.instances.setup_plan import DYNAMICS_TYPES
from streams.lane import Batch, Output
from streams.lane.transaction import record_bytes
from streams.lane.unpacking import CODECS, PackedBatch
from streams.policy import default_policy
from streams.policy.files import PolicyUnreadableError, own_rule_files
from streams.policy.mistakes import PolicyError
from streams.policy.reading import read_policy
from streams.settings import Security, Settings
from streams.sync.edits import hold
from streams.sync.linking import with_closed
from streams.sync.person import FieldSide, MovingField, SystemState
from streams.sync.policy import compiled
from streams.sync.step import step
from streams.tally import Tally
from tests.builders import apply_command, apply_result, marketo_change, person_change
from tests.fuzz.in_process import ShippedPolicy, Taken
from tests.sync.playbook import Playbook

ROOT = Path(__file__).parents[1]
ROUND_A_LONG_VALUE = 16  # bytes of a record: its length and its value's, the key `775` and the rest
BEGINNING, END = "<!-- limits -->", "<!-- end of limits -->"
README_HINT = (
    f"put between {BEGINNING} and {END} in README.md what this prints: "
    'python -c "from schemas.limits import table; print(table())"'
)


def is_read(decode: Callable[[bytes], Any], model: type[Contract], message: Mapping[str, Any]) -> bool:
    """Whether a message is read; the reader and the published model agree."""
    body = json.dumps(message).encode()
    try:
        model.model_validate_json(body)
    except ValidationError:
        with pytest.raises(Unreadable):
            decode(body)
        return False
    decode(body)
    return True


def change(**members: Any) -> bool:
    good = json.loads(encode(marketo_change(jobTitle="x")))
    return is_read(decode_source_change, schemas.SourceChange, good | members)


def result(**members: Any) -> bool:
    good = json.loads(encode(apply_result("refused")))
    return is_read(decode_apply_result, schemas.ApplyResult, good | members)


def handled(value: bytes, key: bytes | None = b"775") -> list[Output]:
    """What intake makes of one message."""
    intake = Intake(str, ShippedPolicy(default_policy()), Tally())
    record = Taken("marketo.changes", 0, 0, 0, key, value, ())
    return list(intake.handle(Batch("marketo.changes", 0, [record], {})).outputs)


def comes_in(**members: Any) -> bool:
    """Whether a change that its contract allows is let in."""
    assert change(**members)
    message = json.loads(encode(marketo_change(jobTitle="x"))) | members
    return handled(json.dumps(message).encode())[0].topic == "person.changes"


def unpacked(length: int) -> bool:
    """A batch that unpacks to so much, as a consumer of ours reads it; the value leaves room for the record around it."""
    made = DefaultRecordBatchBuilder(2, CODECS.index("zstd"), 0, -1, -1, 0, length)
    made.append(0, 0, b"775", b" " * (length - ROUND_A_LONG_VALUE), [])
    records = fetcher.MemoryRecords(bytes(made.build()))
    (record,) = fetcher.PartitionRecords(TopicPartition("marketo.changes", 0), records, [], 0, None, None, True, 1)
    is_packed = isinstance(record.value, PackedBatch)
    if is_packed:
        (letter,) = handled(record.value, record.key)
        rejection = schemas.Rejection.model_validate_json(letter.value or b"")
        assert (letter.topic, rejection.reason, rejection.detail) == ("dead-letter", "oversized", record.value.why)
    return not is_packed


def body_of(length: int) -> bool:
    good = encode(marketo_change(jobTitle="x"))
    try:
        return decode_source_change(good + b" " * (length - len(good))) is not None
    except Unreadable as error:
        assert error.reason == "oversized"
        return False


def nested(levels: int) -> bool:
    good = encode(marketo_change(jobTitle="x"))
    try:
        decode_source_change(good[:-1] + b',"x":' + b"[" * (levels - 1) + b"]" * (levels - 1) + b"}")
    except Unreadable as error:
        assert error.reason == "unreadable"
        return False
    return True


def checkpoint(**members: Any) -> bool:
    try:
        schemas.Checkpoint.model_validate({"system": "marketo", "positions": {}} | members)
    except ValidationError:
        return False
    return True


def policy(text: str, rules: Mapping[str, str] | None = None) -> bool:
    try:
        read_policy(text, rules or {})
    except PolicyError as error:
        assert len(error.mistakes) == 1, error
        return False
    return True


def policy_fields(count: int) -> bool:
    return policy(
        "version: 1\nfields:\n" + "".join(f"  f{n}: {{marketo: m{n}, dynamics: d{n}}}\n" for n in range(count))
    )


def policy_options(count: int) -> bool:
    options = ", ".join(f"o{n}: {n}" for n in range(count))
    field = f"{{marketo: m, dynamics: d, type: option, options: {{{options}}}}}"
    return policy(f"version: 1\nfields:\n  f: {field}\n")


def policy_text(length: int) -> bool:
    text = "version: 1\nfields:\n  f: {marketo: m, dynamics: d}\n"
    return policy(text + "#" * (length - len(text)))


def rule_columns(count: int) -> bool:
    text = "version: 1\ncolumns:\n" + "".join(f"  c{n}: {{}}\n" for n in range(count))
    return policy("version: 1\nfields:\n  f: {marketo: m, dynamics: c1}\n", {"dynamics.lead": text})


def rule_files(count: int) -> bool:
    with TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "rules").mkdir()
        for number in range(count):
            (folder / "rules" / f"dynamics.{number}.yaml").touch()
        try:
            return len(own_rule_files(folder / "policy.yaml")) == count
        except PolicyUnreadableError:
            return False


def causes(count: int) -> bool:
    """The contract takes so many, and so many edits are all named by the command that carries them."""
    good = json.loads(encode(apply_command()))
    taken = is_read(decode_apply_command, ApplyCommand, good | {"causes": [f"c{n}" for n in range(count)]})
    names = [f"f{number}" for number in range(count)]
    rule = default_policy().fields["first_name"]
    fields = {name: _renamed(rule, name) for name in (*names, "firstName", "lastName", "lastname", "subject")}
    book = Playbook(compiled("d", fields, {}, default_policy().authority))
    book.linked_lead().marketo(f0="first")
    waits = book.command()
    for name in names:
        book.marketo(**{name: "edited"})
    book.lands(waits)
    named = set(book.to("dynamics").causes)
    return taken and len(named) == count


def _renamed(rule: Any, name: str) -> Any:
    return type(rule)(name, "text", marketo=name, lead=name, contact=name)


def closed(count: int) -> bool:
    state = SystemState()
    for number in range(count):
        state.closed = with_closed(state, f"record {number}", "deleted")
    return state.closure_of("record 0") is not None and len(state.closed) == count


def requests(count: int) -> bool:
    policy = default_policy()
    outcome = step(None, person_change("created", {"last_name": "Lovelace"}, policy=policy.digest), policy)
    for number in (*range(count), 0):
        request = person_change("requested", action="retry", change_id=f"request {number}", policy=policy.digest)
        outcome = step(outcome.state, request, policy)
    return outcome.effect == "repeat"


def values_held(count: int) -> bool:
    field = MovingField(None, FieldSide(None), FieldSide("value 0"))
    for number in range(count):
        hold(field, "dynamics", f"value {number + 1}")
    return field.held_since[0] == "value 0" and len(field.held_since) == count


def rewritings(count: int) -> bool:
    """Whether the value travels on after so many; it stops at the last of them."""
    book = Playbook().linked_lead()
    command = book.marketo(city="A").command()
    for number in range(count - 1):
        system = command.system
        column = "city" if system == "marketo" else "address1_city"
        book.lands(command, **{column: f"rewritten {number}"})
        if not book.out:
            return False
        command = book.command()
    return True


def letter(key: bytes = b"775", value: bytes = b"{", headers: Any = ()) -> tuple[bytes | None, schemas.Rejection]:
    """A dead letter: its key, and what it says."""
    intake = Intake(str, ShippedPolicy(default_policy()), Tally())
    record = Taken("marketo.changes", 0, 0, 0, key, value, tuple(headers))
    (output,) = intake.handle(Batch("marketo.changes", 0, [record], {})).outputs
    return output.key, schemas.Rejection.model_validate_json(output.value or b"")


def record_of(length: int) -> bool:
    """The largest that can be: a body at its limit under the largest key and headers. It is what the lane is told to send."""
    header = ("n" * 14, b"x" * 4 * ID_CHARACTERS_MAX)
    largest = Output("activity-log", b"k" * 4 * ID_CHARACTERS_MAX, b"x" * BODY_BYTES_MAX, [header] * 6)
    told = lane_settings(Settings("127.0.0.1:1", security=Security())).max_record_bytes
    assert record_bytes(largest) <= told
    return length <= told


def key_field(length: int) -> bool:
    """The longest key that can be has this length, and the column that `leadsync setup` makes takes it."""
    longest = key_of("p" * limits.PERSON_KEY_CHARACTERS_MAX, CREATIONS_MAX)
    return f"{length} " in DYNAMICS_TYPES[DYNAMICS_KEY] and len(longest) >= length


HOLDS: Mapping[str, Callable[[int], bool]] = {
    "MESSAGE_BYTES_MAX": lambda n: all(int(each.configs()["max.message.bytes"]) >= n for each in TOPICS.values()),
    "UNPACKED_BYTES_MAX": unpacked,
    "BODY_BYTES_MAX": body_of,
    "RECORD_BYTES_MAX": record_of,
    "NESTING_MAX": nested,
    "ID_CHARACTERS_MAX": lambda n: change(change_id="é" * n),
    "DYNAMICS_KEY_CHARACTERS_MAX": key_field,
    "CREATIONS_MAX": lambda n: change(creation=n),
    "PERSON_KEY_CHARACTERS_MAX": lambda n: comes_in(person_key="é" * n),
    "NAME_CHARACTERS_MAX": lambda n: change(who="é" * n) and change(fields={"é" * n: 1}),
    "TIME_CHARACTERS_MAX": lambda n: change(time="2026-09-01T09:14:07." + "1" * (n - 26) + "+05:30"),
    "FIELDS_MAX": lambda n: change(fields={f"{number}": 1 for number in range(n)}) and policy_fields(n),
    "VALUE_CHARACTERS_MAX": lambda n: change(fields={"x": "é" * n}) and change(fields={"x": ["é" * n]}),
    "OPTIONS_MAX": lambda n: change(fields={"x": ["a"] * n}) and policy_options(n),
    "INTEGER_MAX": lambda n: change(fields={"x": n}) and change(fields={"x": -n}),
    "VERSION_MAX": lambda n: change(version=n),
    "REVISION_MAX": lambda n: comes_in(revision=n),
    "TEXT_CHARACTERS_MAX": lambda n: result(message="é" * n),
    "CAUSES_MAX": causes,
    "CLOSED_RECORDS_MAX": closed,
    "REQUESTS_MAX": requests,
    "VALUES_HELD_MAX": values_held,
    "REWRITES_MAX": rewritings,
    "REJECTED_BYTES_MAX": lambda n: b64decode(letter(value=b"\xff" * n)[1].body) == b"\xff" * n,
    "REJECTED_KEY_BYTES_MAX": lambda n: letter(key=b"\xff" * n)[0] == b"\xff" * n,
    "REJECTED_HEADERS_MAX": lambda n: len(letter(headers=[("h", b"")] * n)[1].headers) == n,
    "REJECTED_HEADER_BYTES_MAX": lambda n: b64decode(letter(headers=[("h", b"x" * n)])[1].headers[0][1]) == b"x" * n,
    "POLICY_TEXT_BYTES_MAX": policy_text,
    "RULE_FILES_MAX": rule_files,
    "RULE_COLUMNS_MAX": rule_columns,
    "FEEDS_MAX": lambda n: checkpoint(positions={f"feed {number}": "x" for number in range(n)}),
    "RECENT_ENTRIES_MAX": lambda n: checkpoint(recent=("x",) * n),
    "HELD_ENTRIES_MAX": lambda n: checkpoint(held=("x",) * n),
}


@pytest.mark.parametrize("name", LIMITS)
def test_what_is_at_the_limit_comes_through(name: str) -> None:
    assert HOLDS[name](LIMITS[name].most), f"{name}: {LIMITS[name]}"


@pytest.mark.parametrize("name", LIMITS)
def test_one_more_does_not(name: str) -> None:
    assert not HOLDS[name](LIMITS[name].most + 1), f"{name}: {LIMITS[name]}"


def test_every_limit_stands_in_the_table_and_has_its_test() -> None:
    constants = {name: value for name, value in vars(limits).items() if name.endswith("_MAX")}
    assert {name: limit.most for name, limit in LIMITS.items()} == constants
    assert HOLDS.keys() == LIMITS.keys()


ELSEWHERE = {
    "TIMESTAMP_MILLISECONDS_MAX": "where the calendar ends",
    "NUMBER_CHARACTERS_MAX": "longer strings of digits are texts, and stay as they are",
    "EMAIL_CHARACTERS_MAX": "what receivers take, as their rules are",
    "PHONE_CHARACTERS_MAX": "the same",
    "URL_CHARACTERS_MAX": "the same",
    "LENGTH_MAX": "what a rule file may ask for",
    "OPTION_NUMBER_MAX": "what a policy may say",
    "COLLISION_WINDOW_SECONDS_MAX": "the same",
    "CONNECTIONS_MAX": "whoever connects to a port of ours; nothing of theirs is kept",
    "HEADER_SECONDS_MAX": "the same",
    "IDLE_SECONDS_MAX": "the same",
    "MISTAKES_MAX": "how much is shown at once",
    "SHOWN_CHARACTERS_MAX": "the same",
    "CHOICES_SHOWN_MAX": "the same",
    "LINE_BYTES_MAX": "of a request to a worker's own port",
    "PORT_MAX": "the largest there is",
}
"""Limits on something else than what is read and kept."""


def test_no_limit_on_what_is_read_and_kept_stands_elsewhere() -> None:
    parts = [*ROOT.glob("schemas/*.py"), *ROOT.glob("streams/*.py"), *ROOT.glob("streams/sync/*.py")]
    parts += ROOT.glob("streams/policy/*.py")
    own = re.compile(r"^([A-Z_]+_MAX)\b.* = ", re.MULTILINE)
    found = {name: path.name for path in parts if path.name != "limits.py" for name in own.findall(path.read_text())}
    strays = found.keys() - ELSEWHERE
    assert not strays, f"{strays} in {[found[name] for name in strays]}: into schemas/limits.py, with its reason"


def test_the_readme_shows_the_table() -> None:
    readme = (ROOT / "README.md").read_text()
    assert BEGINNING in readme and END in readme, README_HINT
    assert readme.partition(BEGINNING)[2].partition(END)[0].strip() == table(), README_HINT


def test_a_change_that_would_cause_too_large_a_message_is_rejected_as_a_whole() -> None:
    """What a change causes is longer than it, by its person's key and its policy's digest."""
    columns = [each.marketo for each in default_policy().fields.values() if each.marketo and each.type == "text"][:8]
    fields: dict[str, Any] = dict.fromkeys(columns, "x" * VALUE_CHARACTERS_MAX)
    fields[columns[-1]] = ""
    room = BODY_BYTES_MAX - len(handled(encode(marketo_change(**fields)))[0].value or b"") - len('"") + len("null')
    for length, topic in ((room, "person.changes"), (room + 20, "dead-letter")):
        fields[columns[-1]] = "x" * length
        (output,) = handled(encode(marketo_change(**fields)))
        assert output.topic == topic
    assert schemas.Rejection.model_validate_json(output.value or b"").reason == "outcome_oversized"


def test_a_dead_letter_stays_far_below_the_limit_of_a_body_whatever_it_is_of() -> None:
    headers = [("n" * NAME_CHARACTERS_MAX, b"\xff" * REJECTED_HEADER_BYTES_MAX)] * REJECTED_HEADERS_MAX
    body = rejection_of(
        topic="t" * 249,
        partition=0,
        offset=0,
        timestamp_ms=0,
        value=b"\xff" * 2 * REJECTED_BYTES_MAX,
        headers=headers,
        reason="unreadable",
        detail="\x00" * TEXT_CHARACTERS_MAX,
    )
    assert len(body) < BODY_BYTES_MAX // 4
    assert REJECTED_KEY_BYTES_MAX > 4 * ID_CHARACTERS_MAX, "no key that is read is cut"
