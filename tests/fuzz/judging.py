"""What should become of a message: told by the published pydantic models and the rules of its topic, not by what reads it.

No fault: it is good, and has its outcome. Else it stands in `dead-letter`, for one of the reasons found here: where several
things are wrong with a message, which one is seen first is nobody's business. Where the models and the reader are known to differ
(`tests/test_codec.py` lists it) the judge says what the reader must do, or that either will do.
"""

from __future__ import annotations

import json
import re
from typing import Any, NamedTuple

from pydantic import ValidationError

from schemas.limits import BODY_BYTES_MAX, ID_CHARACTERS_MAX, NESTING_MAX, PERSON_KEY_CHARACTERS_MAX, REVISION_MAX
from schemas.rejection import Reason
from schemas.vocabulary import Contract

_ENDLESS = re.compile(rb"[0-9]{4301,}+")
"""More digits than pydantic reads; no reader of ours needs them, whatever they say."""
_DIGEST = re.compile("[0-9a-f]{64}")
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*+"?', re.DOTALL)


class Verdict(NamedTuple):
    """`reasons`: those for which it may be rejected; none: it must not be. `either`: it may be taken all the same."""

    reasons: frozenset[str]
    message: Any = None
    either: bool = False

    @property
    def is_good(self) -> bool:
        return not self.reasons


def judged(topic: str, model: type[Contract], key: bytes | None, value: bytes | None) -> Verdict:
    """A message on one of our topics, named without the prefix."""
    body = body_judged(model, value)
    faults = _key_faults(key)
    if body.message is not None:
        faults |= _topic_faults(topic, key, body.message)
    return Verdict(body.reasons | faults, body.message, body.either and not faults)


def body_judged(model: type[Contract], value: bytes | None) -> Verdict:
    """A body by itself."""
    if not value:
        return _bad("unreadable")
    if len(value) > BODY_BYTES_MAX:
        return _bad("oversized")
    deep = _is_too_deep(value)
    try:
        message = model.model_validate_json(_ENDLESS.sub(b"9" * 4_000, value))
    except ValidationError as error:
        return _doubled(value, frozenset({"unreadable"} if deep or _is_no_json(value) else _reasons(error)))
    if deep or _is_no_json(value):
        return _bad("unreadable")
    return _doubled(value, frozenset(), message)


def _bad(reason: Reason) -> Verdict:
    return Verdict(frozenset((reason,)))


def _reasons(error: ValidationError) -> set[Reason]:
    found: set[Reason] = set()
    for each in error.errors(include_url=False, include_context=False):
        if each["type"] == "json_invalid":
            return {"unreadable"}
        is_version = each["loc"] == ("contract",) and each["type"] == "literal_error" and isinstance(each["input"], str)
        found.add("unknown_version" if is_version else "invalid")
    return {"unknown_version"} if "unknown_version" in found else found


def _doubled(value: bytes, reasons: frozenset[str], message: Any = None) -> Verdict:
    """A member that stands twice: the reader also checks what the last one replaces, so it may refuse what the model takes."""
    if reasons == {"unreadable"} or not _has_a_name_twice(value):
        return Verdict(reasons, message)
    return Verdict(frozenset({*reasons, "invalid", "unknown_version"}), message, either=not reasons)


def _has_a_name_twice(value: bytes) -> bool:
    def once(pairs: list[tuple[str, Any]]) -> None:
        if len(dict(pairs)) < len(pairs):
            raise LookupError

    if value.count(b'":') < 2:
        return False
    try:
        json.loads(value, object_pairs_hook=once)
    except LookupError:
        return True
    except (ValueError, RecursionError):
        return False
    return False


def _is_no_json(value: bytes) -> bool:
    """`NaN` and `Infinity`, which pydantic passes over in members that it does not know."""
    if b"NaN" not in value and b"Infinity" not in value:
        return False

    def refuse(constant: str) -> None:
        raise LookupError

    try:
        json.loads(value, parse_constant=refuse)
    except LookupError:
        return True
    except (ValueError, RecursionError):
        return False
    return False


def _is_too_deep(value: bytes) -> bool:
    """Counted bracket by bracket, outside of strings."""
    if value.count(b"[") + value.count(b"{") <= NESTING_MAX:
        return False
    depth = 0
    for bracket in _STRING.sub(b"", value):
        if bracket in b"[{":
            depth += 1
            if depth > NESTING_MAX:
                return True
        elif bracket in b"]}":
            depth -= 1
    return False


def _key_faults(key: bytes | None) -> set[str]:
    try:
        is_key = bool(key) and len(str(key, "utf-8")) <= ID_CHARACTERS_MAX  # type: ignore[arg-type]
    except UnicodeDecodeError:
        is_key = False
    return set() if is_key else {"no_key"}


def _topic_faults(topic: str, key: bytes | None, message: Any) -> set[str]:
    """The rules that hang on where the message stands, or that no schema states."""
    faults: set[str] = set()
    text = (key or b"").decode(errors="replace")
    system, _, what = topic.partition(".")
    row = getattr(message, "row", None)
    if what == "results":
        named = {message.system, *(each.record.system for each in (message, row) if each and each.record)}
        faults |= {"invalid"} if named != {system} else set()
    elif system != "person":
        faults |= {"invalid"} if message.record.system != system else set()
        faults |= {"wrong_key"} if message.record.type != "contact" and message.record.id != text else set()
    if system == "person" or what == "results":
        faults |= {"wrong_key"} if message.person_key != text else set()
    if system == "person":
        foreign = message.record is not None and message.record.system != message.system
        faults |= {"invalid"} if foreign or not _DIGEST.fullmatch(message.policy) else set()
    if getattr(message, "kind", None) == "converted":
        faults |= {"invalid"} if (message.record.system, message.contact.type) != ("dynamics", "contact") else set()
    if getattr(message, "kind", None) == "requested" and message.action == "sync_person":
        faults |= {"invalid"} if message.record.system != "marketo" else set()
    if getattr(message, "kind", None) == "merged" and message.winner.system != message.record.system:
        faults.add("invalid")
    if len(message.person_key or "") > PERSON_KEY_CHARACTERS_MAX:
        faults.add("invalid")
    shown = (getattr(message, "revision", None), row and row.revision)
    return faults | ({"invalid"} if any((each or 0) > REVISION_MAX for each in shown) else set())
