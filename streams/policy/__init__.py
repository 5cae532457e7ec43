"""Policies: the YAML file that says what is synced and who wins, with the rule files that say what each system takes."""

from streams.policy.files import (
    PolicyUnreadableError,
    default_policy,
    default_policy_text,
    default_rule_texts,
    read_policy_file,
)
from streams.policy.mistakes import Mistake, PolicyError
from streams.policy.reading import Reading, digest_of, examine, read_policy

__all__ = [
    "Mistake",
    "PolicyError",
    "PolicyUnreadableError",
    "Reading",
    "default_policy",
    "default_policy_text",
    "default_rule_texts",
    "digest_of",
    "examine",
    "read_policy",
    "read_policy_file",
]
