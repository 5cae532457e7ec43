"""PolicyRecord: the text of a policy and its rule files under their digest, or the digest that is in force."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from schemas.vocabulary import Contract

IN_FORCE = "in-force"
"""Key of the message on `policies` that names the digest in force."""

DIGEST_PATTERN = "^[0-9a-f]{64}$"
Digest = Annotated[str, Field(pattern=DIGEST_PATTERN)]


class PolicyRecord(Contract):
    """Key of its message: the digest of the texts; or `in-force`, and then it has a digest and no texts."""

    model_config = ConfigDict(title="PolicyRecord")

    contract: Literal["policy/1"] = "policy/1"
    digest: Digest
    text: Annotated[str | None, Field(max_length=1_000_000, description="The policy file as it was applied.")] = None
    rules: Annotated[
        Mapping[str, str], Field(description="The text of each rule file by its name, for example `dynamics.lead`.")
    ] = {}


def is_digest(text: str) -> bool:
    """Whether a policy could stand under this name."""
    return re.fullmatch(DIGEST_PATTERN[1:-1], text) is not None
