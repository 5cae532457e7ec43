"""The policy file: what is synced, who wins, and what new records get, as a marketing-operations person writes it.

`read_policy` gives the frozen policy that the core folds under, or one error with every mistake in the policy file and
its rule files. A policy is what its texts say and nothing else: its digest is theirs, and history keeps them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass

from schemas.limits import FIELDS_MAX
from schemas.vocabulary import SYSTEMS, RecordKind, RecordType, System
from streams.policy.cross_checks import KINDS, check_fields
from streams.policy.field import ReadField
from streams.policy.field_reader import read_field
from streams.policy.located import Section, read_yaml
from streams.policy.mistakes import START, Mistake, PolicyError, Report
from streams.policy.rule_files import COLUMN_NAMES, COLUMN_NAMES_SAID, RULE_FILES, check_version, read_rules
from streams.policy.settings_reader import NONE, Settings
from streams.sync.policy import AttributeRule, Policy, compiled

POLICY_KEYS = (
    "version",
    "authority",
    "filter",
    "dedupe",
    "propagate_deletes",
    "collision_window_seconds",
    "fields",
)
AUTHORITY: Mapping[RecordType, System] = {"lead": "marketo", "contact": "dynamics"}
"""Who wins unless the file says otherwise: "Marketo will win for people (leads) and Dynamics will win for contacts"."""

COLLISION_WINDOW_SECONDS_MAX = 365 * 24 * 60 * 60


@dataclass(frozen=True)
class Reading:
    """What came of reading a policy: the policy where there are no mistakes, and what is worth telling all the same."""

    digest: str
    policy: Policy | None
    mistakes: tuple[Mistake, ...]
    notes: tuple[Mistake, ...]


def digest_of(text: str, rules: Mapping[str, str]) -> str:
    """SHA-256, in hex, of the policy's text and its rule files' texts by name: ASCII JSON of [text, {name: text}]."""
    body = json.dumps([text, dict(rules)], sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(body.encode("ascii")).hexdigest()


def read_policy(text: str, rules: Mapping[str, str], name: str = "policy.yaml") -> Policy:
    """The policy of these texts. Raises PolicyError with every mistake in them."""
    reading = examine(text, rules, name)
    if reading.policy is None:
        raise PolicyError(reading.mistakes)
    return reading.policy


def examine(
    text: str, rules: Mapping[str, str], name: str = "policy.yaml", rule_paths: Mapping[str, str] | None = None
) -> Reading:
    """Read the texts to their end, whatever is in them. `rule_paths`: what mistakes call the rule files that have paths."""
    report, digest = Report(name), digest_of(text, rules)
    by_kind, mistakes = _rules(rules, rule_paths or {})
    root = read_yaml(text, report)
    policy = _policy(root, by_kind, digest, report) if root is not None else None
    mistakes = sorted(report.mistakes, key=lambda mistake: mistake[1:3]) + mistakes
    notes = sorted(report.notes, key=lambda note: note[1:3])
    return Reading(digest, None if mistakes else policy, tuple(mistakes), tuple(notes))


def _rules(
    texts: Mapping[str, str], paths: Mapping[str, str]
) -> tuple[dict[RecordKind, Mapping[str, AttributeRule]], list[Mistake]]:
    """The rules by record kind; a kind without a file is asked nothing."""
    by_kind: dict[RecordKind, Mapping[str, AttributeRule]] = {kind: {} for kind in KINDS}
    mistakes: list[Mistake] = []
    for name in sorted(texts):
        report = Report(paths.get(name, f"{name}.yaml"))
        rules = read_rules(name, texts[name], report)
        mistakes += sorted(report.mistakes, key=lambda mistake: mistake[1:3])
        if name in RULE_FILES:
            by_kind[RULE_FILES[name][1]] = rules
    return by_kind, mistakes


def _policy(
    root: Section, rules: Mapping[RecordKind, Mapping[str, AttributeRule]], digest: str, report: Report
) -> Policy:
    settings = Settings(root, POLICY_KEYS, report)
    check_version(settings)
    fields = _fields(settings)
    check_fields(fields, rules, report)
    return compiled(
        digest=digest,
        fields={field.name: field.rule for field in fields},
        rules=rules,
        authority=_authority(settings),
        collision_window_seconds=settings.number("collision_window_seconds", 0, COLLISION_WINDOW_SECONDS_MAX),
        dedupe="email" if settings.choice("dedupe", (NONE, "email"), NONE) == "email" else None,
        propagate_deletes_to=settings.choices("propagate_deletes", SYSTEMS),
        filter_column=settings.name("filter", COLUMN_NAMES["dynamics"], f"{COLUMN_NAMES_SAID['dynamics']}, or none"),
    )


def _fields(settings: Settings) -> list[ReadField]:
    entries = settings.entries("fields", "fields, each with its settings")
    if not entries and ("fields" not in settings or isinstance(settings.node("fields"), Section)):
        settings.report.mistake(
            settings.key_place("fields") if "fields" in settings else START,
            "found no fields",
            "at least one field under `fields:`",
        )
    if len(entries) > FIELDS_MAX:
        settings.report.mistake(settings.key_place("fields"), f"found {len(entries)} fields", f"at most {FIELDS_MAX}")
    read = (read_field(name, entry, settings.report) for name, entry in entries.items())
    return [field for field in read if field is not None]


def _authority(settings: Settings) -> Mapping[RecordType, System]:
    entries = settings.entries("authority", "`lead:` and `contact:`, each marketo or dynamics")
    inner = Settings(Section(settings.place("authority"), entries), tuple(AUTHORITY), settings.report)
    return {kind: inner.choice(kind, SYSTEMS, default) for kind, default in AUTHORITY.items()}
