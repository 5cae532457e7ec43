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

_place = re.compile(r"at `\$\.([\w.]+)`$")
_field = re.compile(r"at `\$\.([\w.]+)\[\.\.\.\]")
_members = msgspec.json.Decoder(dict[str, msgspec.Raw])
_value = msgspec.json.Decoder(Value)


def explained(struct: type[msgspec.Struct], body: bytes, message: str) -> str:
    """msgspec's message, completed."""
    if (place := _place.search(message)) and message.startswith("Invalid enum value"):
        return f"{message}; allowed: {', '.join(map(repr, _words(struct, place[1])))}"
    if (fields := _field.search(message)) and (name := _faulty(body, fields[1])) is not None:
        return message.replace("[...]", f"[{name!r}]", 1)
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


def _faulty(body: bytes, path: str) -> str | None:
    """The name of the first field at `path` whose value no field may have; None where a second look finds none."""
    members = body
    try:
        for name in path.split("."):
            members = bytes(_members.decode(members)[name])
        fields = _members.decode(members)
    except (
        msgspec.DecodeError,
        RecursionError,
        KeyError,
    ):  # the member stands twice, or nesting is just short of too deep
        return None
    return next((name for name, value in fields.items() if not _is_a_value(value)), None)


def _is_a_value(raw: msgspec.Raw) -> bool:
    try:
        _value.decode(raw)
    except (msgspec.DecodeError, RecursionError):
        return False
    return True
