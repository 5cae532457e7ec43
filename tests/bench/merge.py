"""The merge as the two yardsticks do it: one message in, messages out, the contracts' own pydantic models at both edges.

What they share with the worker is the pure core (`resolve_change`, `resolve_result`, `step`), the checks of a message
against its key, and the encoding of a person's state. The rest is what somebody who builds this on a stream library would
write:

- a body is validated by its published contract (`model_validate_json`), and what is sent is made by it (`model_validate`,
  `model_dump_json`). The core has structs of its own, so msgspec converts what was read: 2 to 3 microseconds, where pydantic
  takes 4 to 23 to read it. The way back costs what building and dumping a model costs anybody;
- one message at a time: no batches, no states at hand between two messages;
- what cannot be read goes to `dead-letter` for the worker's reasons, and what is sent carries the worker's headers.

With `--codec` bodies are read and written by `streams.codec` instead, as the worker's are. That is no longer what somebody
would write, but it shows how much of a yardstick's time goes into its library, and how much into pydantic.

Less than the worker, and in the yardsticks' favour: one policy, from a file, and no topic `policies`; no counts, no metrics,
no limit on what a change may cause; a change on which the core itself raised would be skipped or end the process, as the
library has it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from pydantic import ValidationError

import schemas
from schemas.limits import BODY_BYTES_MAX
from schemas.rejection import Reason
from schemas.vocabulary import SYSTEMS, Contract, System
from streams import cloudevents, codec
from streams.admission import key_of, of_its_command, of_its_person, of_its_stream
from streams.codec import Unreadable
from streams.intake import resolve_change, resolve_result
from streams.policy import read_policy, read_policy_file
from streams.settings import Settings
from streams.sync import messages
from streams.sync.person import decode_person, encode_person
from streams.sync.policy import Policy
from streams.sync.step import step

FROM_INTAKE, FROM_SYNC = cloudevents.source_of("intake"), cloudevents.source_of("sync")
PERSON_CHANGE, COMMAND = cloudevents.type_of("person-change/1"), cloudevents.type_of("apply-command/1")
ACTIVITY, REJECTION = cloudevents.type_of("activity/1"), cloudevents.type_of("rejection/1")

COMMAND_TOPICS = {
    (system, lane): f"{system}.commands{suffix}"
    for system in SYSTEMS
    for lane, suffix in (("first", ""), ("background", ".background"))
}
INTAKE_SENDS = ("person.changes", "dead-letter")
SYNC_SENDS = (*COMMAND_TOPICS.values(), "activity-log", "dead-letter")
CHANGES = {system: f"{system}.changes" for system in SYSTEMS}
RESULTS = {system: f"{system}.results" for system in SYSTEMS}


class Received(NamedTuple):
    """A message, whichever library handed it over."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()


class Sent(NamedTuple):
    """A message that is to be sent; its topic by the name of the topic table, without the prefix."""

    topic: str
    key: bytes | None
    body: bytes
    headers: list[tuple[str, bytes]]


class Arguments(NamedTuple):
    """What a yardstick's process is started with."""

    settings: Settings
    merge: Merge
    folder: Path


def arguments() -> Arguments:
    """`BOOTSTRAP PREFIX POLICY_FILE FOLDER [--codec]`; the folder is for whatever the library keeps on disk."""
    servers, prefix, policy_file, folder, *options = sys.argv[1:]
    edges = {(): BY_MODEL, ("--codec",): BY_CODEC}[tuple(options)]
    policy = read_policy(*read_policy_file(Path(policy_file)))
    return Arguments(Settings(servers, prefix), Merge(policy, edges), Path(folder))


class Edges(NamedTuple):
    """How the body of a contract is read, or refused with Unreadable, and how one is written."""

    read: Callable[[type[Contract], bytes | None], Any]
    write: Callable[[type[Contract], msgspec.Struct], bytes]


def read_by_model(contract: type[Contract], body: bytes | None) -> Any:
    """A body, validated by its contract, as the core wants it."""
    if not body:
        raise Unreadable("unreadable", "the message has no body")
    if len(body) > BODY_BYTES_MAX:
        raise Unreadable("oversized", f"{len(body)} bytes; allowed are {BODY_BYTES_MAX}")
    try:
        model = contract.model_validate_json(body)
    except ValidationError as error:
        raise Unreadable(_reason_of(error), str(error)) from None
    return msgspec.convert(model, STRUCTS[contract], from_attributes=True)


def _reason_of(error: ValidationError) -> Reason:
    found = error.errors(include_url=False, include_context=False)
    if any(each["type"] == "json_invalid" for each in found):
        return "unreadable"
    if any(each["loc"] == ("contract",) and isinstance(each["input"], str) for each in found):
        return "unknown_version"
    return "invalid"


def write_by_model(contract: type[Contract], message: msgspec.Struct) -> bytes:
    """A message's body, by its contract."""
    return contract.model_validate(message, from_attributes=True).model_dump_json(exclude_none=True).encode()


STRUCTS: dict[type[Contract], type[msgspec.Struct]] = {
    schemas.SourceChange: messages.SourceChange,
    schemas.ApplyResult: messages.ApplyResult,
    schemas.PersonChange: messages.PersonChange,
}
DECODERS: dict[type[Contract], Callable[[bytes | None], Any]] = {
    schemas.SourceChange: codec.decode_source_change,
    schemas.ApplyResult: codec.decode_apply_result,
    schemas.PersonChange: codec.decode_person_change,
}
BY_MODEL = Edges(read_by_model, write_by_model)
BY_CODEC = Edges(lambda contract, body: DECODERS[contract](body), lambda _, message: codec.encode(message))


class Merge:
    """Both hops of the job, message by message, under one policy."""

    def __init__(self, policy: Policy, edges: Edges = BY_MODEL) -> None:
        self._policy = policy
        self._read, self._write = edges

    def change(self, record: Received, system: System, link: bytes | None) -> tuple[list[Sent], bytes | None]:
        """One change of a record: what intake sends, and the link of its stream from now on."""
        try:
            stream = key_of(record.key)
            change = of_its_stream(self._read(schemas.SourceChange, record.value), stream, system)
        except Unreadable as error:
            return [_rejected(record, error, FROM_INTAKE)], link
        resolved = resolve_change(stream, change, link, self._policy)
        return [self._person_change(each) for each in resolved.changes], resolved.link

    def result(self, record: Received, system: System) -> list[Sent]:
        """One answer of a system: what intake sends."""
        try:
            key = key_of(record.key)
            result = of_its_command(self._read(schemas.ApplyResult, record.value), key, system)
        except Unreadable as error:
            return [_rejected(record, error, FROM_INTAKE)]
        return [self._person_change(resolve_result(result, self._policy))]

    def person_change(self, record: Received, state: bytes | None) -> tuple[list[Sent], bytes | None]:
        """One change of a person: what sync sends, and the person's state now."""
        try:
            change = of_its_person(self._read(schemas.PersonChange, record.value), record.key)
        except Unreadable as error:
            return [_rejected(record, error, FROM_SYNC)], state
        outcome = step(None if state is None else decode_person(state), change, self._policy)
        sent = [self._command(each) for each in outcome.commands]
        sent += [self._activity(each) for each in outcome.activities]
        return sent, None if outcome.state is None else encode_person(outcome.state)

    def _person_change(self, change: messages.PersonChange) -> Sent:
        headers = cloudevents.headers(change.change_id, PERSON_CHANGE, FROM_INTAKE, change.time)
        body = self._write(schemas.PersonChange, change)
        return Sent("person.changes", change.person_key.encode(), body, list(headers))

    def _command(self, command: messages.ApplyCommand) -> Sent:
        headers = cloudevents.headers(command.command_id, COMMAND, FROM_SYNC)
        topic, body = COMMAND_TOPICS[command.system, command.lane], self._write(schemas.ApplyCommand, command)
        return Sent(topic, command.person_key.encode(), body, list(headers))

    def _activity(self, activity: messages.Activity) -> Sent:
        headers = cloudevents.headers(activity.activity_id, ACTIVITY, FROM_SYNC, activity.time)
        body = self._write(schemas.Activity, activity)
        return Sent("activity-log", activity.person_key.encode(), body, list(headers))


def _rejected(record: Received, error: Unreadable, source: str) -> Sent:
    ce_id = f"{record.topic}/{record.partition}/{record.offset}"
    headers = cloudevents.headers(ce_id, REJECTION, source)
    return Sent(
        "dead-letter",
        record.key,
        codec.rejection_of_record(record.topic, record.partition, record, error),
        list(headers),
    )
