"""What an answer of the Web API says was done. Pure."""

from __future__ import annotations

from enum import Enum
from typing import Any

import msgspec

from streams.connectors.rest import Answer, CallFailed, OutcomeUnknown, Refused

RETRY_AFTER_SECONDS = 5.0
"""Where a 429 does not say how long."""

CERTAIN_CODES = frozenset({"0x80040333", "0x80040237"})
"""Duplicate rules and keys: refusals that Dataverse's documents show with HTTP 500 too, and that are certain all the same."""

DELTA_EXPIRED = "0x80044352"
NO_SUCH_RESOURCE = "0x8006088a"
"""A 404 that is about the address, not about the record."""


class Verdict(Enum):
    """Done; refused for good; certainly not done, but it may be another time; or nobody knows."""

    DONE = "done"
    REFUSED = "refused"
    NOT_YET = "not_yet"
    UNKNOWN = "unknown"


FORBIDDEN, THROTTLED = 403, 429
NOT_YET_STATUSES = frozenset({401, FORBIDDEN, THROTTLED})


def verdict_of(answer: Answer) -> Verdict:
    """Of one call, or of one operation of a batch. What an intermediary answers in its own words says nothing."""
    status = answer.status
    if 200 <= status < 300:
        return Verdict.DONE
    if status in NOT_YET_STATUSES:
        return Verdict.NOT_YET
    code = _error_of(answer).get("code")
    if status >= 500 or status == 408:
        return Verdict.REFUSED if code in CERTAIN_CODES else Verdict.UNKNOWN
    return Verdict.UNKNOWN if code is None else Verdict.REFUSED


def refusal_of(answer: Answer) -> Refused:
    """The error in Dataverse's words: `{"error": {"code": …, "message": …}}`."""
    error = _error_of(answer)
    code = str(error.get("code") or f"http_{answer.status}")
    return Refused(code, str(error.get("message") or f"HTTP {answer.status}"), answer.status)


def may_pass(error: CallFailed) -> bool:
    """Whether it is no judgement of a record: the same call may be answered otherwise another time. (A 429 is about nobody.)"""
    if isinstance(error, Refused):
        return error.status in (401, FORBIDDEN, 408) or (error.status >= 500 and error.code not in CERTAIN_CODES)
    return isinstance(error, OutcomeUnknown)


def is_forbidden(error: CallFailed) -> bool:
    """Whether it is there, but not for us."""
    return isinstance(error, Refused) and error.status == FORBIDDEN


def is_throttled(error: CallFailed | None) -> bool:
    """Whether it is a 429: whoever carries a batch has heeded that, with the time that Dataverse asked for."""
    return isinstance(error, Refused) and error.status == THROTTLED


def retry_after_seconds(answer: Answer, default: float = RETRY_AFTER_SECONDS) -> float:
    """How long Dataverse asks to be left alone."""
    try:
        return max(float(answer.headers.get("retry-after", "")), 0.0)
    except ValueError:
        return default


def _error_of(answer: Answer) -> dict[str, Any]:
    try:
        found = msgspec.json.decode(answer.body) if answer.body else {}
    except msgspec.DecodeError:
        return {}
    error = found.get("error") if isinstance(found, dict) else None
    return error if isinstance(error, dict) else {}
