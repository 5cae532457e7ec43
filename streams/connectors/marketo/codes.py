"""What Marketo's error codes mean for whoever called: the table that everything else follows (domain, 3.1.2).

A read may always be repeated. A write may be repeated where it is certain that nothing was done; where nobody can know, the record has
to be read first.
"""

from __future__ import annotations

from typing import Literal

Meaning = Literal["token", "rate", "quota", "busy", "unsure", "refused"]

TOKEN_INVALID = "601"
TOKEN_EXPIRED = "602"
QUOTA_USED_UP = "607"

_MEANINGS: dict[str, Meaning] = {
    TOKEN_INVALID: "token",
    TOKEN_EXPIRED: "token",
    "606": "rate",  # over 100 calls in 20 seconds
    QUOTA_USED_UP: "quota",
    "615": "busy",  # over 10 calls at once
    **dict.fromkeys(("500", "502", "604", "608", "611", "614", "713", "719"), "unsure"),
}

ABOUT_THE_BODY = frozenset({"400", "413", "414", "609", "701", "702", "704", "709", "710", "711", "712"})
"""Refusals of a whole call that hang on what was in it: one record may be to blame, and the others must not suffer."""


def meaning_of(code: str) -> Meaning:
    """What an error code of an answer, or of one record in it, means for whoever called."""
    return _MEANINGS.get(code, "refused")


def is_about_the_body(code: str) -> bool:
    """Whether a smaller or another body might have been taken."""
    return code in ABOUT_THE_BODY or (len(code) == 4 and code.startswith("10"))
