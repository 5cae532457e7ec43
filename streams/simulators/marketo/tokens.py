"""Paging tokens: opaque to clients. A position in the activity log, a time, or the last id or name of a listing."""

from __future__ import annotations

import base64
import binascii
from typing import Literal, NamedTuple

from streams.simulators.marketo.envelope import Refused

TokenKind = Literal["position", "rested", "since", "after"]
"""`rested`: a position at which an empty page was just served."""

_LETTERS: dict[TokenKind, str] = {"position": "P", "rested": "R", "since": "S", "after": "A"}
_KINDS = {letter: kind for kind, letter in _LETTERS.items()}


class Token(NamedTuple):
    """`at`: a position, seconds since the epoch, or an id, as text."""

    kind: TokenKind
    at: str


def written(kind: TokenKind, at: object) -> str:
    """A token as clients get it; it may end in `=`, so that it must be URL-encoded."""
    return base64.b32encode(f"{_LETTERS[kind]}{at}".encode()).decode()


def read(text: str, *kinds: TokenKind) -> Token:
    """The token. Raises Refused (1003) for one of another kind or of somebody else's make."""
    try:
        content = base64.b32decode(text.encode()).decode()
        token = Token(_KINDS[content[0]], content[1:])
        if token.kind in ("position", "rested"):
            int(token.at)
        if token.kind == "since":
            float(token.at)
    except (binascii.Error, ValueError, KeyError, IndexError):
        raise Refused("1003", f"Invalid paging token '{text}'") from None
    if token.kind not in kinds:
        raise Refused("1003", f"Invalid paging token '{text}'")
    return token
