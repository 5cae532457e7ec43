"""`$batch`: requests in a multipart body, one after the other; change sets wholly or not at all.

The first failure ends the batch, and gives it its status, unless the client prefers to continue on errors.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Protocol
from urllib.parse import urlsplit

import orjson

from streams.simulators.dynamics.answers import JSON_TYPE, ApiError, Reply
from streams.simulators.dynamics.call import Call, call_of

API_PATH = "/api/data/v9.2/"
_BOUNDARY = re.compile(r'boundary="?([^";,\s]+)"?', re.IGNORECASE)
_REFERENCE = re.compile(r"\$(\w+)")
_REFERENCE_IN_BODY = re.compile(r'"\$(\w+)"')
_INHERITED = ("mscrmcallerid", "callerobjectid")


@dataclass
class Operation:
    """One request of a batch. `content_id`: by which later ones of its change set can name what it made."""

    request_line: str
    headers: dict[str, str]
    content: str
    content_id: str | None = None


@dataclass
class ChangeSet:
    """Operations that are carried out together."""

    operations: list[Operation] = field(default_factory=list)


Part = Operation | ChangeSet


class Answering(Protocol):
    """Who answers the requests of a batch."""

    def one(self, call: Call) -> Reply:
        """Carry out a request; a refusal is a reply too."""

    def attempt(self, call: Call) -> Reply:
        """Carry out a request that may be taken back, and that nobody is told of. Raises ApiError."""

    def tried(self) -> AbstractContextManager[None]:
        """What happens within is taken back at the end."""


def parts_of(content_type: str, content: bytes) -> list[Part]:
    """The parts of a batch. Raises ApiError where it can't be read."""
    found: list[Part] = []
    for headers, body in _split(content_type, content.decode("utf-8", "replace")):
        kind = headers.get("content-type", "")
        if kind.startswith("multipart/mixed"):
            found.append(ChangeSet([_operation(*inner) for inner in _split(kind, body)]))
        else:
            found.append(_operation(headers, body))
    return found


def operations_in(parts: Iterable[Part]) -> int:
    """How many requests there are."""
    return sum(len(part.operations) if isinstance(part, ChangeSet) else 1 for part in parts)


def answered(parts: list[Part], call: Call, answering: Answering) -> Reply:
    """Carry out a batch."""
    boundary, status = f"batchresponse_{uuid.uuid4()}", 200
    pieces: list[str] = []
    for part in parts:
        text, part_status = _answer(part, call, answering)
        pieces.append(f"--{boundary}\r\n{text}")
        if part_status >= 400 and not call.prefer.continues_on_error:
            status = part_status
            break
    pieces.append(f"--{boundary}--\r\n")
    headers = {"Content-Type": f"multipart/mixed; boundary={boundary}"}
    if call.prefer.continues_on_error:
        headers["Preference-Applied"] = "odata.continue-on-error"
    return Reply(status, "".join(pieces), headers)


def _answer(part: Part, call: Call, answering: Answering) -> tuple[str, int]:
    if isinstance(part, ChangeSet):
        return _answer_set(part, call, answering)
    try:
        reply = answering.one(_call_of(part, call, {}))
    except ApiError as error:
        reply = error.reply()
    return _written(reply, part.content_id), reply.status


def _answer_set(part: ChangeSet, call: Call, answering: Answering) -> tuple[str, int]:
    """First tried and taken back, then done: the failure of one operation is the only answer to all of them."""
    try:
        with answering.tried():
            _carry_out(part, call, answering.attempt)
        replies = _carry_out(part, call, answering.one)
    except ApiError as error:
        return _written(error.reply(), None), error.status
    boundary = f"changesetresponse_{uuid.uuid4()}"
    pieces = [f"Content-Type: multipart/mixed; boundary={boundary}\r\n\r\n"]
    for operation, reply in zip(part.operations, replies, strict=True):
        pieces.append(f"--{boundary}\r\n{_written(reply, operation.content_id)}")
    return "".join([*pieces, f"--{boundary}--\r\n"]), 200


def _carry_out(part: ChangeSet, call: Call, answer: Callable[[Call], Reply]) -> list[Reply]:
    made: dict[str, str] = {}
    replies = []
    for operation in part.operations:
        inner = _call_of(operation, call, made)
        if inner.method == "GET":
            raise ApiError(400, "0x80060888", "A GET request is not allowed within a change set.")
        reply = answer(inner)
        if operation.content_id is not None and "OData-EntityId" in reply.headers:
            made[operation.content_id] = reply.headers["OData-EntityId"]
        replies.append(reply)
    return replies


def _call_of(operation: Operation, outer: Call, made: Mapping[str, str]) -> Call:
    method, _, rest = operation.request_line.partition(" ")
    target = rest.rpartition(" ")[0] if rest.upper().rstrip().endswith("HTTP/1.1") else rest
    target = _resolved(target.strip(), made) if target.startswith("$") else target.strip()
    content = _REFERENCE_IN_BODY.sub(lambda match: json.dumps(_named(match[1], made)), operation.content)
    headers = {name: value for name, value in outer.headers.items() if name in _INHERITED} | operation.headers
    return call_of(method.upper(), outer.base, _below_base(target), headers, content.encode())


def _resolved(target: str, made: Mapping[str, str]) -> str:
    return _REFERENCE.sub(lambda match: _named(match[1], made), target, count=1)


def _named(content_id: str, made: Mapping[str, str]) -> str:
    if content_id not in made:
        raise ApiError(400, "0x80060888", f"Content-ID Reference: '${content_id}' does not exist in the batch context.")
    return made[content_id]


def _below_base(target: str) -> str:
    """A target below `/api/data/v9.2/`; it may be absolute, or begin at the host, or there already."""
    parts = urlsplit(target)
    path = parts.path.partition(API_PATH)[2] if API_PATH in parts.path else parts.path
    return f"{path}?{parts.query}" if parts.query else path


def _operation(headers: Mapping[str, str], body: str) -> Operation:
    head, content = _halves(body.lstrip("\r\n"))
    lines = head.splitlines()
    if not lines:
        raise ApiError(400, "0x80060888", "A part of the batch holds no request.")
    return Operation(lines[0].strip(), _headers(lines[1:]), content.strip(), headers.get("content-id"))


def _split(content_type: str, body: str) -> list[tuple[dict[str, str], str]]:
    match = _BOUNDARY.search(content_type)
    if match is None:
        raise ApiError(
            400, "0x80060888", "The batch request must have a boundary specified in its Content-Type header."
        )
    pieces = re.split(rf"(?:^|\r?\n)--{re.escape(match[1])}(--)?[ \t]*(?=\r?\n|$)", body)
    found = []
    for closing, piece in zip(pieces[1::2], pieces[2::2], strict=True):
        if closing is not None:
            break
        head, content = _halves(piece.lstrip("\r\n"))
        found.append((_headers(head.splitlines()), content))
    return found


def _halves(text: str) -> tuple[str, str]:
    """What stands before the first empty line, and after it."""
    match = re.search(r"\r?\n\r?\n", text)
    return (text, "") if match is None else (text[: match.start()], text[match.end() :])


def _headers(lines: list[str]) -> dict[str, str]:
    pairs = (line.partition(":") for line in lines if ":" in line)
    return {name.strip().lower(): value.strip() for name, _, value in pairs}


def _written(reply: Reply, content_id: str | None) -> str:
    lines = ["Content-Type: application/http", "Content-Transfer-Encoding: binary"]
    if content_id is not None:
        lines.append(f"Content-ID: {content_id}")
    body = _text(reply.body)
    lines += ["", f"HTTP/1.1 {reply.status} {HTTPStatus(reply.status).phrase}"]
    lines += [f"{name}: {value}" for name, value in reply.headers.items()]
    if body:
        lines.append(f"Content-Type: {'text/plain' if isinstance(reply.body, str) else JSON_TYPE}")
    lines += ["OData-Version: 4.0", "", body, ""]
    return "\r\n".join(lines)


def _text(body: Any) -> str:
    if body is None:
        return ""
    return body if isinstance(body, str) else orjson.dumps(body).decode()
