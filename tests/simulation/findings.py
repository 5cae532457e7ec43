"""What is wrong with a world: which law it breaks, and the sentence that says so."""

from __future__ import annotations

import re
from typing import NamedTuple

PARTICULARS = re.compile(r"'[^']*'|\"[^\"]*\"|\b[0-9a-f]{8}-[0-9a-f-]{27}\b|\b\d+\b|\bNone\b|\bTrue\b|\bFalse\b")
"""What differs between two tellings of one fault: values, ids, numbers."""


class Finding(NamedTuple):
    """Something that must not be. `law`: what two findings have in common when they are of one kind."""

    law: str
    text: str

    def __str__(self) -> str:
        return self.text


def finding(text: str, about: str) -> Finding:
    """A finding of the kind that its words are of, without the values in them."""
    return Finding(PARTICULARS.sub("_", about.partition("; right is")[0]), text)
