"""`leadsync check FILE --live`: where a policy, its rule files and the live instances disagree."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from msgspec.structs import replace

from schemas.vocabulary import RecordKind, System
from streams.instances.agreement_found import Disagreement, Severity
from streams.instances.agreement_places import Places, Spot
from streams.instances.agreement_policy import Tables, policy_disagreements
from streams.instances.agreement_rules import rule_disagreements
from streams.instances.connecting import NAMES, ask, systems
from streams.instances.live import LiveTable
from streams.instances.reading_metadata import read_tables
from streams.instances.setup_plan import Item, our_columns
from streams.policy.files import own_rule_files
from streams.policy.mistakes import Report, quoted
from streams.policy.reading import examine
from streams.policy.rule_files import RULE_FILES, read_rules
from streams.sync.policy import Policy

EMPTY = "version: 1\ncolumns: {}\n"
SEVERITIES: tuple[Severity, ...] = ("error", "note")


class Told(NamedTuple):
    """A disagreement with its place; `spot` None: in an instance."""

    severity: Severity
    spot: Spot | None
    found: str
    remedy: str

    def __str__(self) -> str:
        place = "instance" if self.spot is None else f"{self.spot.file}:{self.spot.line}:{self.spot.column}"
        return f"{place}: {self.severity}: {self.found}; {self.remedy}"

    def entry(self) -> dict[str, Any]:
        """For `--json`."""
        spot = self.spot
        return {
            "severity": self.severity,
            "file": None if spot is None else spot.file,
            "line": None if spot is None else spot.line,
            "column": None if spot is None else spot.column,
            "found": self.found,
            "remedy": self.remedy,
        }


def live_disagreements(
    file: Path, text: str, rules: Mapping[str, str], only: System | None = None
) -> list[Told] | None:
    """Ask the instances that the environment names; None, with nobody asked, where the policy itself has mistakes.

    Raises SettingsError and NotAnswered (exit status 2).
    """
    policy = _read(text, rules)
    if policy is None:
        return None
    tables: dict[RecordKind, LiveTable] = ask(read_tables(systems(only)))
    places = Places(text, rules, str(file), {name: str(path) for name, path in own_rule_files(file).items()})
    return told(disagreements(policy, tables), places)


def _read(text: str, rules: Mapping[str, str]) -> Policy | None:
    """The policy, whether or not its rule files agree with it: they may be what is wrong."""
    policy = examine(text, {}).policy
    if policy is None:
        return None
    by_kind = {kind: read_rules(name, rules.get(name, EMPTY), Report(name)) for name, (_, kind) in RULE_FILES.items()}
    return replace(policy, rules=by_kind)


def disagreements(policy: Policy, tables: Tables) -> list[Disagreement]:
    """All there are: our own fields first, then policy, then rule files."""
    ours = (_of_item(item) for table in tables.values() for item in our_columns(table) if item.state != "there")
    return [*ours, *policy_disagreements(policy, tables), *rule_disagreements(policy, tables)]


def told(found: Iterable[Disagreement], places: Places) -> list[Told]:
    """With their places, in the order of the files; errors go before notes."""
    placed = {Told(each.severity, places.of(each.where), each.found, each.remedy): None for each in found}
    return sorted(placed, key=lambda each: (SEVERITIES.index(each.severity), each.spot is not None, _order(each.spot)))


def _order(spot: Spot | None) -> tuple[Any, ...]:
    return () if spot is None else tuple(spot)


def _of_item(item: Item) -> Disagreement:
    what = f"{NAMES[item.system]}: {quoted(item.name)} of {item.on}, a field of leadsync's own,"
    if item.state == "missing":
        return Disagreement("error", None, f"{what} is missing", "`leadsync setup` makes it")
    found, _, allowed = item.remark.partition("; ")
    return Disagreement("error", None, f"{what} {found}", allowed)
