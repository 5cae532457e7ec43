"""`leadsync dead-letters`: list what was rejected, show a body, put a corrected one back."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import get_args

import click

from schemas.rejection import PutBack, Reason
from schemas.topics import DAY_MILLISECONDS, TOPICS
from streams.cli import run
from streams.operating.display import console, note, plural, print_json, print_rows, visible
from streams.operating.letters import Letter, check_origin, letter_of, newest, put_back
from streams.operating.policy_commands import policies_of
from streams.operating.reading import Reader
from streams.operating.refused import Refused
from streams.operating.settings_here import asked, on_broker, settings_here
from streams.operating.trial import Message, rejection_of
from streams.settings import Settings, SettingsError

COLUMNS = ("id", "where", "when", "put back", "reason", "detail", "body begins")
PROSE = ("detail", "body begins")
LIMIT = 50
KEPT_DAYS = TOPICS["dead-letter"].retention_milliseconds // DAY_MILLISECONDS


def _list_options(function: Callable[..., None]) -> Callable[..., None]:
    options = (
        click.option("--json", "as_json", is_flag=True, help="Print one JSON object on standard output."),
        click.option(
            "--limit", type=click.IntRange(min=0), default=LIMIT, show_default=True, help="The newest N; 0: all."
        ),
        click.option("--reason", type=click.Choice(get_args(Reason)), help="Only of this reason."),
    )
    for option in options:
        function = option(function)
    return on_broker(function)


@click.group(invoke_without_command=True)
@_list_options
def dead_letters(as_json: bool, limit: int, reason: str | None) -> None:
    """List what was rejected, show it, put it back. Oldest first: where each message stood, why, and how its body begins.

    Each stands here for 30 days; of one that has been put back, the list says when.
    """
    if click.get_current_context().invoked_subcommand is None:
        _tell()


@dead_letters.command(name="list")
@_list_options
def list_(as_json: bool, limit: int, reason: str | None) -> None:
    """The same as without a subcommand."""
    _tell()


def _tell() -> None:
    settings = settings_here()
    found, count = run(_newest(settings, asked("limit"), asked("reason")), settings)
    if asked("as_json"):
        print_json({"count": count, "dead_letters": [letter.members() for letter in found]})
        return
    print_rows(COLUMNS, map(_row, found), lambda column: "red" if COLUMNS[column] == "reason" else "", PROSE)
    shown = f", the newest {len(found)} shown" if len(found) < count else ""
    note(f"{plural(count, 'dead letter', 'dead letters')}{shown}; each stays {KEPT_DAYS} days, put back or not")


def _row(letter: Letter) -> tuple[str, ...]:
    told = letter.members()
    where = f"{told['topic']}[{told['partition']}]@{told['offset']}"
    shorter = console().is_terminal
    identity = told["rejection_id"][:8] if shorter else told["rejection_id"]
    head = told["head"][:40] if shorter else told["head"]
    put_at = "" if letter.put_back is None else letter.put_back.at
    return identity, where, told["rejected_at"], put_at, told["reason"], told["detail"], head


async def _newest(settings: Settings, limit: int, reason: str | None) -> tuple[list[Letter], int]:
    async with Reader(settings) as reader:
        return await newest(reader, limit, reason)


@dead_letters.command()
@click.argument("id_start", metavar="ID")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Write the body to this file instead.")
@on_broker
def show(id_start: str, out: Path | None) -> None:
    """Print the body of one dead letter as it is kept; ID as far as it is unmistakable."""
    settings = settings_here()
    letter: Letter = run(_letter(settings, id_start), settings)
    told = letter.members()
    for name in ("rejection_id", "topic", "partition", "offset", "key", "timestamp", "rejected_at", "reason", "detail"):
        note(f"{name + ':':13} {visible(str(told[name]))}")
    if letter.put_back is not None:
        note(f"{'put back:':13} {_place(letter, letter.put_back)}")
    kept = f"the first {len(letter.body):,} of " if letter.cut else ""
    note(f"{'body:':13} {kept}{told['body_bytes']:,} bytes, sha256 {told['body_sha256']}")
    if out is not None:
        _write(out, letter.body)
    elif sys.stdout.isatty():
        lines = letter.body.decode("utf-8", "backslashreplace").split("\n")
        click.echo("\n".join(map(visible, lines)))
    else:
        sys.stdout.buffer.write(letter.body)


def _place(letter: Letter, place: PutBack) -> str:
    return f"{place.at}, to {letter.rejection.topic}[{place.partition}]@{place.offset}"


def _write(path: Path, body: bytes) -> None:
    try:
        path.write_bytes(body)
    except OSError as error:
        raise SettingsError(f"{path} cannot be written: {error.strerror or error}") from None


async def _letter(settings: Settings, id_start: str) -> Letter:
    async with Reader(settings) as reader:
        return await letter_of(reader, id_start)


@dead_letters.command(name="put-back")
@click.argument("id_start", metavar="ID")
@click.option(
    "--body", type=click.Path(path_type=Path, exists=True, dir_okay=False), help="The corrected body; else as it came."
)
@click.option("--key", help="The corrected key; else as it came.")
@click.option("--force", is_flag=True, help="Also where it will be rejected again.")
@on_broker
def put_back_(id_start: str, body: Path | None, key: str | None, force: bool) -> None:
    """Send a dead letter, corrected or as it came, back to the topic and under the key that it had.

    Refuses, with the reason, what would be rejected again, and a body of which only the beginning is kept. The letter stays
    in the list, which says from then on when it was put back: putting it back again sends it again.
    """
    settings = settings_here()
    run(_put_back(settings, id_start, None if body is None else body.read_bytes(), key, force), settings)


async def _put_back(settings: Settings, id_start: str, body: bytes | None, key: str | None, force: bool) -> None:
    async with Reader(settings) as reader:
        letter = await letter_of(reader, id_start)
        check_origin(settings, letter)
        told = letter.rejection
        if body is None and letter.cut:
            kept = f"{len(letter.body):,} of its {told.body_bytes:,} bytes are kept"
            raise Refused(f"only the first {kept}; give the whole of it by --body FILE")
        new_body, new_key = letter.body if body is None else body, letter.key if key is None else key.encode()
        message = Message(told.topic, told.partition, told.offset, letter.rejected_at_ms, new_key, new_body)
        fault = await rejection_of(reader, await policies_of(reader), message)
        if fault is not None and not force:
            raise Refused(
                f"it would be rejected again, as {fault.reason}: {fault.detail}; --force sends it all the same"
            )
    if letter.put_back is not None:
        note(f"it had been put back before: {_place(letter, letter.put_back)}")
    place = await put_back(settings, letter, new_key, new_body, datetime.now(UTC))
    click.echo(f"{told.topic}[{place.partition}]@{place.offset}")
    note(f"dead letter {told.rejection_id} put back; it stays in the list, and would be sent again")
