"""What is wrong with a body, in words that someone who wrote it can act on: the place, what was found, what is allowed.

msgspec's messages name the place and what was found, but not what a closed list of words allows, nor which of the
named fields it was. Both are looked up here, on the failing path only.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any, Literal, get_args, get_origin, get_type_hints

import msgspec

from streams.sync.messages import Value

FIELDS_MEMBERS = ("fields", "expected")

_place = re.compile(r"at `\$\.([\w.]+)`$")
_raw_members = msgspec.json.Decoder(dict[str, msgspec.Raw])
_value = msgspec.json.Decoder(Value)


def explained(struct: type[msgspec.Struct], body: bytes, message: str) -> str:
    """msgspec's message, completed."""
    place = _place.search(message)
    if place and message.startswith("Invalid enum value"):
        return f"{message}; allowed: {', '.join(map(repr, _words(struct, place[1])))}"
    named = next((name for name in FIELDS_MEMBERS if f"$.{name}[...]" in message), None)
    if named:
        return message.replace("[...]", f"[{_faulty(body, named)!r}]", 1)
    return message


@cache  # as many entries as there are members with closed lists
def _words(struct: type[msgspec.Struct], path: str) -> tuple[str, ...]:
    """The words that the member at `path` may hold."""
    kind: Any = struct
    for name in path.split("."):
        holder = next(
            part for part in (kind, *get_args(kind)) if isinstance(part, type) and issubclass(part, msgspec.Struct)
        )
        kind = get_type_hints(holder)[name]
    literals = [part for part in (kind, *get_args(kind)) if get_origin(part) is Literal]
    return tuple(word for literal in literals for word in get_args(literal))


def _faulty(body: bytes, member: str) -> str:
    """The name of the first field whose value no field may have."""
    for name, raw in _raw_members.decode(_raw_members.decode(body)[member]).items():
        try:
            _value.decode(raw)
        except msgspec.ValidationError:
            return name
    return "..."
