"""A request without HTTP: what was asked, wherever it stood, on a socket or in a batch."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, unquote, urlsplit

from streams.simulators.dynamics.answers import ApiError, bad_query

PAGE_ROWS_MAX = 5_000
GUID = re.compile(r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}")
_PREFERENCE = re.compile(r"""\s*([^=,;\s]+)(?:\s*=\s*("[^"]*"|[^,;]*))?\s*(?:;[^,]*)?(?:,|$)""")
_KEY_PART = re.compile(r"""\s*([A-Za-z_@][\w]*)\s*=\s*('(?:[^']|'')*'|[^,]*)\s*(?:,|$)""")


class Segment(NamedTuple):
    """One part of a path: `leads(<id>)` has a name and an id, `leads(new_x='7')` a name and a key."""

    name: str
    id: str | None = None
    key: Mapping[str, str] | None = None

    @property
    def is_keyed(self) -> bool:
        """Whether it means one thing and not all of them."""
        return self.id is not None or self.key is not None


@dataclass(frozen=True)
class Prefer:
    """The preferences of a request, by lower-case name."""

    values: Mapping[str, str] = field(default_factory=dict)

    @property
    def representation(self) -> bool:
        """Whether the record's row shall come back from a write."""
        return self.values.get("return") == "representation"

    @property
    def page_rows(self) -> int | None:
        """How many rows a page may have; None where nothing was said."""
        asked = self.values.get("odata.maxpagesize", "")
        return min(int(asked), PAGE_ROWS_MAX) if asked.isdigit() and int(asked) > 0 else None

    @property
    def annotations(self) -> str | None:
        """Which annotations shall come along: names and wildcards with commas."""
        return self.values.get("odata.include-annotations")

    @property
    def tracks_changes(self) -> bool:
        """Whether change tracking shall begin here."""
        return "odata.track-changes" in self.values

    @property
    def continues_on_error(self) -> bool:
        """Whether a batch goes on after an operation that failed."""
        return self.values.get("odata.continue-on-error", "false") != "false"


@dataclass(frozen=True)
class Call:
    """A request. `path` and `target` start below `/api/data/v9.2/`; `base` is the address up to and with that; header
    names are lower case."""

    method: str
    base: str
    path: tuple[Segment, ...]
    query: Mapping[str, str]
    headers: Mapping[str, str]
    content: bytes = b""
    prefer: Prefer = Prefer()
    target: str = ""

    @property
    def address(self) -> str:
        """The whole address without its query, as it was asked for."""
        return self.base + self.target.partition("?")[0]

    def body(self) -> dict[str, Any]:
        """The JSON object that was sent. Raises ApiError where there is none."""
        if not self.content.strip():
            return {}
        try:
            found = json.loads(self.content)
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise ApiError(400, "0x80048d19", "Error identified in Payload provided by the user: it is no JSON object.")
        return found

    def header(self, name: str) -> str | None:
        """A header; `null` is Microsoft's advice for none."""
        value = self.headers.get(name)
        return None if value is None or value.lower() == "null" else value


def call_of(method: str, base: str, target: str, headers: Mapping[str, str], content: bytes = b"") -> Call:
    """A call from a request's target below `base`, such as `leads?$top=1`. Raises ApiError where it can't be read."""
    parts = urlsplit(target)
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    lowered = {name.lower(): value.strip() for name, value in headers.items()}
    return Call(
        method, base, segments(parts.path), query, lowered, content, preferences(lowered.get("prefer", "")), target
    )


def segments(path: str) -> tuple[Segment, ...]:
    """The path's parts. A slash within quotes is none."""
    return tuple(_segment(unquote(part)) for part in _parts(path) if part)


def preferences(header: str) -> Prefer:
    """The Prefer header: several preferences with commas, values with or without quotes."""
    found = _PREFERENCE.finditer(header)
    return Prefer({match[1].lower(): (match[2] or "true").strip().strip('"') for match in found if match[1]})


def _parts(path: str) -> list[str]:
    parts, quoted = [""], False
    for character in path:
        quoted ^= character == "'"
        if character == "/" and not quoted:
            parts.append("")
        else:
            parts[-1] += character
    return parts


def _segment(text: str) -> Segment:
    name, opened, rest = text.partition("(")
    if not opened:
        return Segment(name)
    if not rest.endswith(")"):
        raise bad_query(f"Bad Request - Error in query syntax near '{text}'.")
    inside = rest[:-1].strip()
    if GUID.fullmatch(inside):
        return Segment(name, id=inside.lower())
    return Segment(name, key={part[1]: _unquoted(part[2].strip()) for part in _KEY_PART.finditer(inside)})


def _unquoted(text: str) -> str:
    return text[1:-1].replace("''", "'") if len(text) > 1 and text[0] == text[-1] == "'" else text
