"""Everything else that reads a contract, by itself: the readers of commands, activities and what connectors keep, and policies.

A reader must take what the published model takes, refuse what it refuses, and raise nothing but its own refusal. A policy that
nobody applied must change nothing: what is in force stays in force.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import contextmanager
from random import Random
from typing import Any, NamedTuple

import msgspec

import schemas
from schemas.policy_record import IN_FORCE
from schemas.vocabulary import Contract
from streams import codec
from streams.codec import Unreadable
from streams.connectors.known import checkpoint_of, known_record_of, read_known_record
from streams.policies import PolicyBook
from streams.policy import default_policy_text, default_rule_texts, digest_of
from streams.settings import Security, Settings
from tests.fuzz import spoiling
from tests.fuzz.in_process import Report
from tests.fuzz.judging import body_judged
from tests.fuzz.shapes import shape

READERS: dict[type[Contract], Callable[[bytes | None], Any]] = {
    schemas.SourceChange: codec.decode_source_change,
    schemas.ApplyResult: codec.decode_apply_result,
    schemas.PersonChange: codec.decode_person_change,
    schemas.ApplyCommand: codec.decode_apply_command,
    schemas.Activity: codec.decode_activity,
    schemas.KnownRecord: read_known_record,
}
POLICY_SHARE = 1 / 1_000
"""A policy's text is some hundred times as much to read as a message."""
POLICY = """version: 1
fields:
  first_name: {marketo: firstName, dynamics: firstname}
  email: {marketo: email, dynamics: emailaddress1, type: email}
  rating: {marketo: rating, lead: leadqualitycode, type: option, options: {Hot: 1, Warm: 2}}
"""
YAML_SPLICES = (
    b"&a ", b"*a", b"!!python/object:os.system ", b"<<: ", b"---\n", b"\t", b": ", b"- ", b"? ", b"|\n", b"%TAG ! x\n", b"\x00",
    b"[" * 500, b"{a: " * 300, b"\xff", b"\xef\xbb\xbf", b"fields:\n", b"!<x> ", b"'", b'"', b"#", b"\n" * 1_000, b"\xe2\x80\xa8",
)  # fmt: skip


class Kept(NamedTuple):
    """A message on one of the connectors' own topics."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None


def read(messages: int, seed: int, report: Report) -> None:
    """So many bodies for the readers, shared out among them, and some policies."""
    random = Random(seed)
    makes = {model: shape(model) for model in (*READERS, schemas.Checkpoint)}
    with silence():
        for number in range(messages):
            model = random.choice(list(makes))
            body = _body(makes[model](random), random)
            try:
                if model is schemas.Checkpoint:
                    _keep(Kept("checkpoints", 0, number, random.choice((b"marketo", b"dynamics", None)), body))
                else:
                    _agree(model, body, report)
                    _keep(Kept("marketo.records", 0, number, random.choice((b"1", None, b"\xff")), body))
            except Exception as error:  # whatever it is: nothing may escape
                report.find(f"{model.__name__}: {type(error).__name__}: {error}", body)
            report.messages += 1
        apply_policies(max(1, int(messages * POLICY_SHARE)), random, report)


def _keep(kept: Kept) -> None:
    for system in ("marketo", "dynamics"):
        known_record_of(kept, system)  # type: ignore[arg-type]
        checkpoint_of(kept, system)  # type: ignore[arg-type]


def _agree(model: type[Contract], body: bytes | None, report: Report) -> None:
    verdict = body_judged(model, body)
    try:
        READERS[model](body)
    except Unreadable as error:
        report.rejected[error.reason] += 1
        if error.reason not in verdict.reasons:
            report.find(f"{model.__name__}: refused as {error}, though {set(verdict.reasons) or 'good'}", body)
        return
    report.good += 1
    if not verdict.is_good and not verdict.either:
        report.find(f"{model.__name__}: read, though {set(verdict.reasons)}", body)


def apply_policies(count: int, random: Random, report: Report) -> None:
    """A policy is in force; then come spoilt ones, well-formed ones that are no policies, and names of none."""
    book = PolicyBook(Settings("127.0.0.1:1", security=Security()))
    rules = default_rule_texts()
    for key, value in applied(default_policy_text(), rules):
        book.learn(key, value)
    in_force = book.digest_in_force
    for number in range(count):
        key, value = spoilt_policy(random)
        try:
            book.learn(key, value)
        except Exception as error:  # whatever it is: nothing may escape
            report.find(f"policy: {type(error).__name__}: {error}, key {key!r}", value)
        if book.digest_in_force != in_force:
            report.find(f"policy {number} is in force, though nobody applied it", value)
            return
        report.messages += 1
    assert in_force is not None and book.in_force.digest == in_force


def applied(text: str, rules: dict[str, str]) -> list[tuple[bytes, bytes]]:
    """The two messages by which a policy is applied."""
    digest = digest_of(text, rules)
    texts = schemas.PolicyRecord(digest=digest, text=text, rules=rules)
    named = schemas.PolicyRecord(digest=digest)
    return [(digest.encode(), texts.model_dump_json().encode()), (IN_FORCE.encode(), named.model_dump_json().encode())]


def spoilt_policy(random: Random) -> tuple[bytes | None, bytes | None]:
    """A policy with something wrong in its text, under its own digest; or a record that is spoilt itself."""
    text = POLICY.encode()
    for _ in range(random.randint(1, 3)):
        at = random.randrange(len(text))
        text = text[:at] + random.choice(YAML_SPLICES) + text[at + random.choice((0, 0, 1, 10)) :]
    (key, value), _ = applied(text.decode(errors="replace"), {})
    chance = random.random()
    if chance < 0.5:
        return key, value
    if chance < 0.6:
        return random.choice(spoiling.KEYS), value
    if chance < 0.7:
        _, (_, unknown) = applied(f"{POLICY}# {random.random()}", {})
        return IN_FORCE.encode(), random.choice((unknown, value, None, b""))
    return key, _spoilt(value, random)


def _body(message: dict[str, Any], random: Random) -> bytes | None:
    body = msgspec.json.encode(message)
    return _spoilt(body, random) if random.random() < 0.5 else body


def _spoilt(body: bytes, random: Random) -> bytes | None:
    names = list(spoiling.OF_BYTES)
    how = random.choices(names, [spoiling.OF_BYTES[name][1] for name in names])[0]
    return spoiling.OF_BYTES[how][0](body, random)


@contextmanager
def silence() -> Any:
    """Each refusal is a line in the log; a million of them are none."""
    logging.disable(logging.ERROR)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)
