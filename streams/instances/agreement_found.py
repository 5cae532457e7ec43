"""A disagreement between policy, rule files and live instances: what it is, and where it stands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from schemas.vocabulary import RecordKind

Severity = Literal["error", "note"]


@dataclass(frozen=True)
class InPolicy:
    """A field of the policy file; `kind`: its name for this kind of record; `option`: one of its options; `setting`: one of its settings."""

    field: str
    kind: RecordKind | None = None
    option: str | None = None
    setting: str | None = None


@dataclass(frozen=True)
class InRules:
    """A column of a rule file, or one of its settings."""

    kind: RecordKind
    column: str
    setting: str | None = None


@dataclass(frozen=True)
class Policywide:
    """A setting of the policy file that belongs to no field."""

    setting: str


Where = InPolicy | InRules | Policywide | None
"""None: in an instance, where no file says anything."""


@dataclass(frozen=True)
class Disagreement:
    """`found`: what is so; `remedy`: what is allowed, or what to do. An `error` makes values fail, or everything; a `note` may."""

    severity: Severity
    where: Where
    found: str
    remedy: str
