"""`$batch`: many operations in one request, each answered for itself (multipart/mixed; DV "Execute batch operations").

No change sets: they are all or nothing, and one record's error must not undo another's write. `odata.continue-on-error` makes
Dataverse go on after an error; then there are as many answers as operations, in the same order. Anything else says nothing about
any of them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from streams.connectors.rest import Answer, OutcomeUnknown

PARTS_MAX = 1_000
CRLF = b"\r\n"


@dataclass(frozen=True)
class Part:
    """One operation. `target` stands below the service's root, such as `leads(<id>)?$select=firstname`."""

    method: str
    target: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, Any] | None = field(default=None, repr=False)

    @property
    def writes(self) -> bool:
        """Whether it changes something."""
        return self.method != "GET"


def written(parts: Sequence[Part], boundary: str, root_path: str) -> bytes:
    """The request's body. `root_path` such as `/api/data/v9.2/`. Raises ValueError for more parts than Dataverse takes."""
    if len(parts) > PARTS_MAX:
        raise ValueError(f"a batch has at most {PARTS_MAX} parts, not {len(parts)}")
    lines: list[bytes] = []
    for part in parts:
        lines += [
            b"--" + boundary.encode(),
            b"Content-Type: application/http",
            b"Content-Transfer-Encoding: binary",
            b"",
            *_request(part, root_path),
        ]
    return CRLF.join([*lines, f"--{boundary}--".encode(), b""])


def _request(part: Part, root_path: str) -> Iterator[bytes]:
    yield f"{part.method} {root_path}{part.target} HTTP/1.1".encode()
    headers = {"Accept": "application/json", **part.headers}
    if part.body is not None:
        headers["Content-Type"] = "application/json; type=entry"
    for name, value in headers.items():
        yield f"{name}: {value}".encode()
    yield b""
    yield b"" if part.body is None else json.dumps(part.body, separators=(",", ":")).encode()


def read(answer: Answer, count: int) -> list[Answer]:
    """The answer to each of `count` parts. Raises OutcomeUnknown where there are not so many, or one can't be read."""
    boundary = _boundary(answer.headers.get("content-type", ""))
    answers = [_answer(each) for each in _sections(answer.body, boundary)]
    if len(answers) != count:
        raise OutcomeUnknown(f"a batch of {count} operations brought {len(answers)} answers")
    return answers


def _boundary(content_type: str) -> bytes:
    """The `boundary` parameter, with or without quotes."""
    kind, _, parameters = content_type.partition(";")
    if kind.strip().lower() != "multipart/mixed":
        raise OutcomeUnknown(f"a batch was answered with {kind.strip() or 'no content type'}")
    for parameter in parameters.split(";"):
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "boundary" and value.strip():
            return value.strip().strip('"').encode()
    raise OutcomeUnknown("a batch's answer names no boundary")


def _sections(body: bytes, boundary: bytes) -> list[bytes]:
    """What stands between the delimiters. An answer that breaks off before the last of them is none."""
    delimiter, last = b"--" + boundary, b"--" + boundary + b"--"
    sections: list[list[bytes]] = []
    for line in body.split(b"\n"):
        bare = line.rstrip()
        if bare == last:
            return [b"\n".join(each) for each in sections]
        if bare == delimiter:
            sections.append([])
        elif sections:
            sections[-1].append(line)
    raise OutcomeUnknown("a batch's answer breaks off")


def _answer(section: bytes) -> Answer:
    """`application/http` within the section: its own headers, then a status line, headers and a body."""
    _, inner = _split(section)
    head, body = _split(inner)
    line, *lines = head.splitlines() or [b""]
    words = line.split(None, 2)
    if len(words) < 2 or not words[0].startswith(b"HTTP/") or not words[1].isdigit():
        raise OutcomeUnknown("an operation's answer has no status line")
    return Answer(int(words[1]), body.strip(), _headers(lines))


def _split(text: bytes) -> tuple[bytes, bytes]:
    """At the first empty line, whichever line ends are used."""
    text = text.lstrip(b"\r\n")
    found = [(at, len(mark)) for mark in (b"\r\n\r\n", b"\n\n") if (at := text.find(mark)) >= 0]
    if not found:
        return text, b""
    at, length = min(found)
    return text[:at], text[at + length :]


def _headers(lines: list[bytes]) -> dict[str, str]:
    headers = {}
    for line in lines:
        name, _, value = line.decode("latin-1").partition(":")
        headers[name.strip().lower()] = value.strip()
    return headers
