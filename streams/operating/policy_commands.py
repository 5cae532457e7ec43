"""`leadsync policy`: put a policy in force, and show the one that is."""

from __future__ import annotations

from pathlib import Path

import click

from schemas.policy_record import PolicyRecord
from streams.cli import run
from streams.operating.display import note
from streams.operating.reading import Reader
from streams.operating.refused import Refused
from streams.operating.settings_here import on_broker, settings_here
from streams.policies import PolicyBook, apply_policy
from streams.policy import default_policy, examine, read_policy_file
from streams.policy.files import own_rule_files
from streams.settings import Settings
from streams.sync.policy import Policy
from streams.topics import ensure_topics


@click.group()
@on_broker
def policy() -> None:
    """The policy in force: put another one in force, or show it."""


@policy.command()
@click.argument("file", type=click.Path(path_type=Path))
@on_broker
def apply(file: Path) -> None:
    """Check a policy FILE with the rule files beside it, and put it in force for all changes that come from now on.

    Exits 1 where it has mistakes: each is told with its line, and nothing is changed.
    """
    settings = settings_here()
    text, rules = read_policy_file(file)
    reading = examine(text, rules, str(file), {name: str(path) for name, path in own_rule_files(file).items()})
    for mistake in reading.mistakes:
        note(str(mistake))
    for each in reading.notes:
        note(f"{each.file}:{each.line}:{each.column}: note: {each.found}")
    if reading.mistakes:
        raise SystemExit(1)
    run(_apply(settings, text, rules, reading.digest), settings)


async def _apply(settings: Settings, text: str, rules: dict[str, str], digest: str) -> None:
    await ensure_topics(settings, create=False)
    before = (await _policies(settings)).digest_in_force
    if before == digest:
        click.echo(f"in force already: {digest}")
        return
    await apply_policy(settings, text, rules)
    click.echo(f"in force before: {before or 'none'}\nin force now:    {digest}")


@policy.command()
@click.option("--digest", help="Of this one instead, as far as it is unmistakable.")
@click.option("--rules", metavar="NAME", help="Of its rule file of this name instead, for example dynamics.lead.")
@on_broker
def show(digest: str | None, rules: str | None) -> None:
    """Print the text of the policy in force as it was applied."""
    settings = settings_here()
    book = run(_policies(settings), settings)
    record = _wanted(book, digest)
    text = record.text if rules is None else record.rules.get(rules)
    if text is None:
        raise Refused(f"it has no rule file {rules!r}; there are {', '.join(sorted(record.rules))}")
    in_force = ", in force" if record.digest == book.digest_in_force else ""
    note(f"digest {record.digest}{in_force}")
    click.echo(text, nl=not text.endswith("\n"))


def _wanted(book: PolicyBook, digest: str | None) -> PolicyRecord:
    if digest is None and book.digest_in_force is None:
        raise Refused("no policy is in force; `leadsync policy apply FILE` puts one in force")
    start = digest or book.digest_in_force or ""
    found = [each for each in book.digests if each.startswith(start)]
    record = book.record(found[0]) if len(found) == 1 else None
    if record is None:
        raise Refused(f"{len(found) or 'no'} policies have a digest that begins {start!r}; known: {_known(book)}")
    return record


def _known(book: PolicyBook) -> str:
    return ", ".join(each[:12] for each in book.digests) or "none"


async def policy_in_force(reader: Reader) -> Policy:
    """The policy in force; the shipped one where none was ever applied, as a worker has it."""
    book = await policies_of(reader)
    return book.in_force if book.digest_in_force else default_policy()


async def policies_of(reader: Reader) -> PolicyBook:
    """What the topic `policies` says now. Raises TopicsError where there is no such topic."""
    reader.partitions(reader.settings.topic("policies"))
    book = PolicyBook(reader.settings)
    try:
        await book.read_to_end()
    finally:
        await book.close()
    return book


async def _policies(settings: Settings) -> PolicyBook:
    async with Reader(settings) as reader:
        return await policies_of(reader)
