"""`leadsync check`: every mistake of a policy file at once, each on a line that an editor can jump to."""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import click

from streams.policy.files import PolicyUnreadableError, own_rule_files, read_policy_file
from streams.policy.mistakes import Mistake
from streams.policy.reading import Reading, examine
from streams.sync.policy import Policy


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on standard output.")
def check(file: Path, as_json: bool) -> None:
    """Check a policy FILE and the rule files beside it.

    Exits 0 when it can be used, 1 when it has mistakes, 2 when it cannot be read.
    """
    try:
        text, rules = read_policy_file(file)
        own = own_rule_files(file)
    except PolicyUnreadableError as error:
        click.echo(f"leadsync: {error}", err=True)
        sys.exit(2)
    reading = examine(text, rules, str(file), {name: str(path) for name, path in own.items()})
    if as_json:
        click.echo(json.dumps(_summary(reading)))
    else:
        _tell(reading, file)
    sys.exit(1 if reading.mistakes else 0)


def _tell(reading: Reading, file: Path) -> None:
    for mistake in reading.mistakes:
        click.echo(str(mistake), err=True)
    for note in reading.notes:
        click.echo(f"{note.file}:{note.line}:{note.column}: note: {note.found}", err=True)
    if reading.policy is not None:
        directions = ", ".join(f"{count} {direction}" for direction, count in _directions(reading.policy).items())
        click.echo(f"{file}: {len(reading.policy.fields)} fields ({directions}), digest {reading.digest}")


def _directions(policy: Policy) -> dict[str, int]:
    return dict(sorted(Counter(rule.direction for rule in policy.fields.values()).items()))


def _summary(reading: Reading) -> dict[str, Any]:
    """The same keys whatever was found, for scripts."""
    return {
        "ok": reading.policy is not None,
        "digest": reading.digest,
        "fields": len(reading.policy.fields) if reading.policy else 0,
        "directions": _directions(reading.policy) if reading.policy else {},
        "mistakes": [_entry(mistake) for mistake in reading.mistakes],
        "notes": [_entry(note) for note in reading.notes],
    }


def _entry(mistake: Mistake) -> dict[str, Any]:
    return dict(mistake._asdict())
