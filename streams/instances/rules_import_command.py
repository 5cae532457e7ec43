"""`leadsync rules import`: rule files from what the live instances say of their columns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import click

from schemas.vocabulary import RECORD_KINDS, RecordKind, System
from streams.instances.connecting import ask, dynamics_here, marketo_here, only_option, systems
from streams.instances.reading_metadata import read_tables
from streams.instances.rules_import import FILE_OF_KIND, TooLarge, rules_of, rules_text
from streams.instances.rules_import_diff import Difference, difference, rules_in
from streams.operating.display import note, print_rows
from streams.operating.refused import Refused
from streams.policy import read_policy, read_policy_file
from streams.settings import SettingsError
from streams.sync.policy import AttributeRule, Policy

EX_FAILED = 1


@click.group()
def rules() -> None:
    """Rule files: what each system asks of its columns."""


@dataclass(frozen=True)
class Import:
    """One file that would be written. `before`: the text that is there, None where none is."""

    path: Path
    text: str
    rules: Mapping[str, AttributeRule]
    before: str | None

    @property
    def difference(self) -> Difference | None:
        """To the file that is there; None where that is no rule file, or no file at all."""
        old = None if self.before is None else rules_in(self.path.stem, self.before)
        return None if old is None else difference(old, self.rules)


@rules.command("import")
@click.option(
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("rules"),
    show_default=True,
    help="The folder that the files go to; beside the policy, as `rules` or POLICY.rules, `leadsync check` finds them.",
)
@click.option(
    "--mapped-by", type=click.Path(path_type=Path), help="Only the columns that this policy maps, and required ones."
)
@click.option("--force", is_flag=True, help="Write over files that are there.")
@only_option
def import_rules(output: Path, mapped_by: Path | None, force: bool, only: System | None) -> None:
    """Write dynamics.lead.yaml, dynamics.contact.yaml and marketo.person.yaml from the instances' own metadata.

    A file that is there and says something else is left alone, and the differences are shown, unless --force is given.
    Exits 0 when the files are as the instances say, 1 when one was left alone, 2 when a system cannot be asked or
    a file cannot be written.
    """
    policy = None if mapped_by is None else read_policy(*read_policy_file(mapped_by), str(mapped_by))
    tables = ask(read_tables(systems(only)))
    imports = [_import(output, kind, rules_of(table), policy) for kind, table in tables.items()]
    left = [each for each in imports if not _settled(each, force)]
    if left:
        note(f"{len(left)} of {len(imports)} files left alone; --force writes over them")
    raise SystemExit(EX_FAILED if left else 0)


def _import(output: Path, kind: RecordKind, found: Mapping[str, AttributeRule], policy: Policy | None) -> Import:
    path = output / f"{FILE_OF_KIND[kind]}.yaml"
    if policy is not None:
        found = {name: rule for name, rule in found.items() if rule.required or name in policy.inbound[kind]}
    try:
        text = rules_text(kind, found, _host(kind))
        before = path.read_text(encoding="utf-8") if path.exists() else None
    except (TooLarge, OSError, UnicodeDecodeError) as error:
        raise Refused(f"{path}: {error}") from None
    return Import(path, text, found, before)


def _host(kind: RecordKind) -> str:
    url = marketo_here().url if kind in RECORD_KINDS["marketo"] else dynamics_here().url
    return urlsplit(url).netloc


def _settled(each: Import, force: bool) -> bool:
    """Whether the file is, or now is, as the instance says."""
    changes = each.difference
    count = f"{len(each.rules)} columns"
    if each.before == each.text or (changes is not None and not changes and not force):
        click.echo(f"{each.path}: unchanged, {count}")
        return True
    if each.before is not None:
        note(f"{each.path}: {'is there, and is no rule file' if changes is None else changes}")
        if changes:
            print_rows(("", "column", ""), _rows(changes))
    if each.before is not None and not force:
        return False
    _write(each.path, each.text)
    click.echo(f"{each.path}: written, {count}")
    return True


def _rows(changes: Difference) -> Iterator[tuple[str, str, str]]:
    yield from (("new", name, "") for name in changes.new)
    yield from (("changed", name, how) for name, how in changes.changed.items())
    yield from (("gone", name, "") for name in changes.gone)


def _write(path: Path, text: str) -> None:
    """As a whole, or not at all."""
    unfinished = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished.write_text(text, encoding="utf-8")
        unfinished.replace(path)
    except OSError as error:
        raise SettingsError(f"{path} cannot be written: {error.strerror or error}") from None
