"""The stream that is sent: good lives, whatever else the schemas allow, and both of them spoilt. A seed tells it all.

What the schemas allow is made to fit its topic for the most part (system, key, ids of people who exist), or hardly any of it would
get past the door. People are few enough that all of them are there soon: what the worker keeps must not grow from then on.

One message is never sent: a change of a person under a well-formed digest that `policies` does not hold. No producer of ours can
write it, and it ends the process, as the design says.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from random import Random
from typing import Any, NamedTuple

import msgspec

import schemas
from schemas.identity import person_key_of
from schemas.vocabulary import RECORD_KINDS
from streams.sync.policy import Policy
from tests.fuzz import shapes, spoiling
from tests.fuzz.life import Life, Told

SEED = 7
PEOPLE = 2_000
GIANTS = 4
"""People with the largest values, or else every state would end at its limit."""
GIANT_BYTES = 16_384

SPOILT = 0.4
BY_SCHEMA = 0.35
FITTED = 0.85
ODD_HEADERS = 0.1
ODD_KEYS = 0.05
ODD_TIMES = 0.05

TIMES_MS = (0, 1, 1_000, 946_684_800_000)
"""What Kafka takes besides the time of day: it refuses what lies more than an hour ahead."""

MODELS = {
    "marketo.changes": schemas.SourceChange,
    "dynamics.changes": schemas.SourceChange,
    "marketo.results": schemas.ApplyResult,
    "dynamics.results": schemas.ApplyResult,
    "person.changes": schemas.PersonChange,
}
TOPICS = tuple(MODELS)
_DIGEST = re.compile(rb'"policy"\s*:\s*"([0-9a-f]{64})"')


class Sent(NamedTuple):
    """One message. `story`: how it was made."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes | None]]
    timestamp_ms: int | None
    story: str


@dataclass
class Stream:
    """All messages of one seed, one after the other."""

    policy: Policy
    seed: int = SEED
    people: int = PEOPLE
    _random: Random = field(init=False)

    def __post_init__(self) -> None:
        self._random = Random(self.seed)
        self._life = Life(self.people, self._random, self.policy)
        self._makes = {topic: shapes.shape(model) for topic, model in MODELS.items()}
        self._columns = {kind: sorted(self.policy.inbound[kind]) for kind in ("person", "lead", "contact")}
        self._canonical = sorted(self.policy.fields)
        self._count = 0

    def messages(self, count: int) -> Iterator[Sent]:
        """The first, or the next, so many."""
        return islice(iter(self._next, None), count)

    def _next(self) -> Sent:
        while True:
            sent = self._made()
            if sent.topic != "person.changes" or self._may_be_sent(sent.value):
                return sent

    def _may_be_sent(self, value: bytes | None) -> bool:
        return all(found.decode() == self.policy.digest for found in _DIGEST.findall(value or b""))

    def _made(self) -> Sent:
        random = self._random
        told, story = (self._by_schema(), "schema") if random.random() < BY_SCHEMA else (self._life.next(), "life")
        key: bytes | None = told.key.encode("utf-8", "surrogatepass")
        value: bytes | None
        if random.random() < SPOILT:
            value, how = self._spoilt(told.message)
            story = f"{story}, {how}"
        else:
            value = _body(told.message, random)
        if random.random() < ODD_KEYS:
            key, story = spoiling.another_key(random), f"{story}, another key"
        headers = spoiling.odd_headers(random) if random.random() < ODD_HEADERS else []
        timestamp_ms = random.choice(TIMES_MS) if random.random() < ODD_TIMES else None
        return Sent(told.topic, key, value, headers, timestamp_ms, story)

    def _spoilt(self, message: dict[str, Any]) -> tuple[bytes | None, str]:
        random = self._random
        if random.random() < 0.5:
            how = random.choices(_MEMBERS, _MEMBER_WEIGHTS)[0]
            copy = msgspec.json.decode(msgspec.json.encode(message))
            spoiling.OF_MEMBERS[how][0](copy, random)
            return _body(copy, random), how
        how = random.choices(_BYTES, _BYTE_WEIGHTS)[0]
        return spoiling.OF_BYTES[how][0](_body(message, random), random), how

    def _by_schema(self) -> Told:
        random = self._random
        topic = random.choice(TOPICS)
        message = self._makes[topic](random)
        self._count += 1
        key = f"{random.getrandbits(16)}"
        if random.random() < FITTED:
            key = self._fit(topic, message)
        return Told(topic, key, message)

    def _fit(self, topic: str, message: dict[str, Any]) -> str:
        """Make it one of this topic, of somebody who exists; its key."""
        random, system = self._random, topic.partition(".")[0]
        number = random.randrange(self.people)
        for name in ("record", "winner", "contact", "other"):
            if (record := message.get(name)) is not None:
                is_own = name == "record" or random.random() < 0.7
                self._fit_record(record, system if is_own else random.choice(("marketo", "dynamics")), number)
        for name in ("change_id", "result_id"):
            if name in message:
                message[name] = f"fs-{self._count}"
        person_key = person_key_of("marketo", f"{number}-0")
        for name in ("person_key", "winner_person_key"):
            if message.get(name) is not None:
                message[name] = person_key
        if topic == "person.changes":
            return self._fit_person(message, number)
        if (row := message.get("row")) is not None:
            self._fit_record(row["record"], system, number)
            row["fields"] = self._named(row["fields"], self._columns[row["record"]["type"]])
        if "system" in message:
            message["system"] = system
            return person_key
        if message.get("fields"):
            message["fields"] = self._named(message["fields"], self._columns[message["record"]["type"]])
        return str(message["record"]["id"] if message["record"]["type"] != "contact" else f"{number}")

    def _fit_person(self, message: dict[str, Any], number: int) -> str:
        person_key = person_key_of("marketo", f"{number}-0")
        message |= {"policy": self.policy.digest, "person_key": person_key}
        if message.get("record") is not None:
            message["system"] = message["record"]["system"] = self._random.choice(("marketo", "dynamics"))
            self._fit_record(message["record"], message["system"], number)
        if message.get("fields"):
            message["fields"] = self._named(message["fields"], self._canonical)
        if len(msgspec.json.encode(message)) > GIANT_BYTES:
            message["person_key"] = person_key = f"giant-{number % GIANTS}"
        return person_key

    def _fit_record(self, record: dict[str, Any], system: str, number: int) -> None:
        random = self._random
        if system in RECORD_KINDS:
            kinds = RECORD_KINDS[system]  # type: ignore[index]
            record |= {"system": system, "type": record["type"] if record["type"] in kinds else random.choice(kinds)}
        record["id"] = f"{number}-{random.randrange(3)}"

    def _named(self, fields: dict[str, Any], names: list[str]) -> dict[str, Any]:
        """Some of the fields under names that the policy knows."""
        random = self._random
        if len(fields) > len(names):
            return fields
        return {random.choice(names) if random.random() < 0.9 else name: value for name, value in fields.items()}


def _body(message: dict[str, Any], random: Random) -> bytes:
    """In either of JSON's spellings of text; half a surrogate pair is written as UTF-8 would write it, if it could."""
    if random.random() < 0.1:
        return json.dumps(message, ensure_ascii=random.random() < 0.5).encode("utf-8", "surrogatepass")
    try:
        return msgspec.json.encode(message)
    except (msgspec.EncodeError, UnicodeError, OverflowError):
        return json.dumps(message).encode()


_MEMBERS, _MEMBER_WEIGHTS = list(spoiling.OF_MEMBERS), [weight for _, weight in spoiling.OF_MEMBERS.values()]
_BYTES, _BYTE_WEIGHTS = list(spoiling.OF_BYTES), [weight for _, weight in spoiling.OF_BYTES.values()]
