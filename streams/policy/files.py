"""Policy and rule files on disk: those that ship, and a person's own.

Beside a policy file `crm.yaml`, rule files are taken from the folder `crm.rules/`, else from `rules/`: `dynamics.lead.yaml`,
`dynamics.contact.yaml`, `marketo.person.yaml`. One that is not there is the shipped one.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from pathlib import Path

from schemas.limits import POLICY_TEXT_BYTES_MAX, RULE_FILES_MAX
from streams.policy.reading import read_policy
from streams.policy.rule_files import RULE_FILES
from streams.sync.policy import Policy


class PolicyUnreadableError(OSError):
    """A file that is not there, not ours to read, not UTF-8 or far too large."""


def default_policy_text() -> str:
    return (files("streams.policy") / "default.yaml").read_text(encoding="utf-8")


def default_rule_texts() -> dict[str, str]:
    """The shipped rule files by name: a stock Dynamics lead and contact and a stock Marketo person."""
    folder = files("streams.policy") / "rules"
    return {name: (folder / f"{name}.yaml").read_text(encoding="utf-8") for name in RULE_FILES}


@cache
def default_policy() -> Policy:
    return read_policy(default_policy_text(), default_rule_texts(), "default.yaml")


def read_policy_file(path: Path) -> tuple[str, dict[str, str]]:
    """The text of a policy and of its rule files by name, as `read_policy` takes them. Raises PolicyUnreadableError."""
    text = _text(path)
    return text, default_rule_texts() | {name: _text(file) for name, file in own_rule_files(path).items()}


def own_rule_files(path: Path) -> dict[str, Path]:
    """The rule files beside a policy file, by name; one with a misspelt name comes along, so that it is told."""
    named, plain = path.with_name(f"{path.stem}.rules"), path.with_name("rules")
    folder = named if named.is_dir() else plain
    own = sorted(file for system in ("dynamics", "marketo") for file in folder.glob(f"{system}.*.yaml"))
    if len(own) > RULE_FILES_MAX:
        raise PolicyUnreadableError(f"{folder}: {len(own)} rule files; at most {RULE_FILES_MAX}")
    return {file.stem: file for file in own}


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            body = file.read(POLICY_TEXT_BYTES_MAX + 1)
    except OSError as error:
        raise PolicyUnreadableError(f"{path}: {error.strerror or error}") from error
    if len(body) > POLICY_TEXT_BYTES_MAX:
        raise PolicyUnreadableError(f"{path}: more than {POLICY_TEXT_BYTES_MAX} bytes")
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise PolicyUnreadableError(f"{path}: not UTF-8 at byte {error.start}") from error
