"""`leadsync errors`: the sync errors that are open now, and a retry of what they hold back."""

from __future__ import annotations

import click
import msgspec

from streams.cli import run
from streams.operating.display import note, plural, print_json, print_rows, said
from streams.operating.open_errors import OpenError, open_errors
from streams.operating.people import Person, people_in_error
from streams.operating.reading import Reader
from streams.operating.refused import Refused
from streams.operating.retrying import askings, now_utc, request_of, send_requests, whom_to_retry
from streams.operating.settings_here import asked, on_broker, settings_here
from streams.settings import Settings

COLUMNS = ("person", "to", "operation", "code", "field", "value", "message", "since")
PROSE = ("value", "message")
JSON_HELP = "Print one JSON object on standard output."


@click.group(invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help=JSON_HELP)
@on_broker
def errors(as_json: bool) -> None:
    """List the open sync errors of all people, or retry. What failed, towards which system, why, and since which change."""
    if click.get_current_context().invoked_subcommand is None:
        _tell()


@errors.command(name="list")
@click.option("--json", "as_json", is_flag=True, help=JSON_HELP)
@on_broker
def list_(as_json: bool) -> None:
    """The same as without a subcommand."""
    _tell()


def _tell() -> None:
    settings = settings_here()
    people: list[Person] = run(_in_error(settings), settings)
    found = [error for key, state in people for error in open_errors(key, state)]
    if asked("as_json"):
        print_json({"people": len(people), "errors": [msgspec.to_builtins(error) for error in found]})
        return
    print_rows(COLUMNS, map(_row, found), lambda column: "red" if COLUMNS[column] == "code" else "", PROSE)
    note(f"{plural(len(found), 'open error', 'open errors')} of {plural(len(people), 'person', 'people')}")


def _row(error: OpenError) -> tuple[str | None, ...]:
    value = said(error.value) if error.field else None
    message = f"refused: {error.message}" if error.refused else error.message
    return (error.person_key, error.to, error.operation, error.code, error.field, value, message, error.since)


async def _in_error(settings: Settings) -> list[Person]:
    async with Reader(settings) as reader:
        return await people_in_error(reader)


@errors.command()
@click.argument("people", metavar="[PERSON|marketo:ID|dynamics:ID]...", nargs=-1)
@click.option("--all", "everybody", is_flag=True, help="Everybody for whom an error is open; after new rules, say.")
@on_broker
def retry(people: tuple[str, ...], everybody: bool) -> None:
    """Ask the worker to try again what failed for these people.

    What is valid by then goes out and its error closes; what is not stays as it is.
    """
    if bool(people) == everybody:
        raise click.UsageError("name people or say --all, not both" if everybody else "name people, or say --all")
    settings = settings_here()
    run(_retry(settings, people), settings)


async def _retry(settings: Settings, names: tuple[str, ...]) -> None:
    async with Reader(settings) as reader:
        found = await whom_to_retry(reader, names)
        where = await askings(reader, [person for person in found if person.state.errors])
    requests = [(asking, request_of(key, asking, now_utc())) for key, asking in where.items() if asking is not None]
    sent = await send_requests(settings, requests)
    for person in found:
        if not person.state.errors:
            note(f"{person.key}: no error is open; nothing to retry")
        elif where[person.key] is None:
            note(f"{person.key}: has no record in whose stream a retry could stand")
    click.echo(f"{plural(sent, 'retry', 'retries')} sent")
    if sent < len([person for person in found if person.state.errors]):
        raise Refused("not everybody could be asked for")
