"""`leadsync check`: every mistake of a policy file at once, each on a line that an editor can jump to."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from schemas.vocabulary import SYSTEMS, System
from streams.operating.display import plural
from streams.policy.files import PolicyUnreadableError, own_rule_files, read_policy_file
from streams.policy.mistakes import Mistake
from streams.policy.reading import Reading, examine
from streams.policy.rule_files import RULE_FILES
from streams.sync.policy import Policy

if TYPE_CHECKING:
    from streams.instances.agreement import Told


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--live",
    is_flag=True,
    help="Compare with the live instances too, as LEADSYNC_MARKETO_… and LEADSYNC_DYNAMICS_… name them.",
)
@click.option("--only", type=click.Choice(SYSTEMS), help="With --live: leave the other system alone.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on standard output.")
def check(file: Path, live: bool, only: System | None, as_json: bool) -> None:
    """Check a policy FILE and the rule files beside it. With --live also whether the instances agree with them.

    Exits 0 when it can be used, 1 when it has mistakes, 2 when it cannot be read or an instance cannot be asked.
    """
    if only and not live:
        raise click.UsageError("--only goes with --live")
    try:
        text, rules = read_policy_file(file)
        own = own_rule_files(file)
    except PolicyUnreadableError as error:
        click.echo(f"leadsync: {error}", err=True)
        sys.exit(2)
    reading = examine(text, rules, str(file), {name: str(path) for name, path in own.items()})
    if not as_json:
        _tell(reading)
    told = _compared(file, text, rules, only) if live else []
    if as_json:
        click.echo(json.dumps(_summary(reading, told)))
    else:
        _conclude(reading, file, own, told, live)
    sys.exit(0 if _is_ok(reading, told) else 1)


def _compared(file: Path, text: str, rules: Mapping[str, str], only: System | None) -> Sequence[Told]:
    """Where the live instances disagree; a policy with mistakes of its own is not held against anything."""
    from streams.instances.agreement import live_disagreements

    told = live_disagreements(file, text, rules, only)
    if told is None:
        click.echo(f"{file}: not compared with the instances: correct its mistakes first", err=True)
    return told or []


def _is_ok(reading: Reading, told: Sequence[Told]) -> bool:
    return not reading.mistakes and not any(each.severity == "error" for each in told)


def _tell(reading: Reading) -> None:
    for mistake in reading.mistakes:
        click.echo(str(mistake), err=True)
    for note in reading.notes:
        click.echo(f"{note.file}:{note.line}:{note.column}: note: {note.found}", err=True)


def _conclude(reading: Reading, file: Path, own: Mapping[str, Path], told: Sequence[Told], live: bool) -> None:
    for each in told:
        click.echo(str(each), err=True)
    if reading.policy is not None:
        directions = ", ".join(f"{count} {direction}" for direction, count in _directions(reading.policy).items())
        click.echo(f"{file}: {len(reading.policy.fields)} fields ({directions}), digest {reading.digest}")
        click.echo(f"rules: {_rules_said(own)}")
    if live and (reading.policy is not None or told):
        counts = Counter(each.severity for each in told)
        errors, notes = plural(counts["error"], "error", "errors"), plural(counts["note"], "note", "notes")
        click.echo(f"{file}: the instances disagree in {errors} and {notes}")


def _rules_said(own: Mapping[str, Path]) -> str:
    """Which were taken: a folder of another name, or beside another file, is passed over without a word."""
    if not own:
        return "as shipped"
    return ", ".join([*map(str, own.values()), *["others as shipped"] * (len(own) < len(RULE_FILES))])


def _directions(policy: Policy) -> dict[str, int]:
    return dict(sorted(Counter(rule.direction for rule in policy.fields.values()).items()))


def _summary(reading: Reading, told: Sequence[Told]) -> dict[str, Any]:
    """The same keys whatever was found, for scripts."""
    return {
        "ok": _is_ok(reading, told),
        "digest": reading.digest,
        "fields": len(reading.policy.fields) if reading.policy else 0,
        "directions": _directions(reading.policy) if reading.policy else {},
        "mistakes": [_entry(mistake) for mistake in reading.mistakes],
        "notes": [_entry(note) for note in reading.notes],
        "disagreements": [each.entry() for each in told],
    }


def _entry(mistake: Mistake) -> dict[str, Any]:
    return dict(mistake._asdict())
