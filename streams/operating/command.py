"""The commands that show and operate: topics, policies, a person. Errors and dead letters have modules of their own.

What a command prints as its result goes to standard output, everything else to standard error. Statuses: 0 done, 1 it
could not be done as asked, 2 the command line, the settings or the broker are in the way.
"""

from __future__ import annotations

import click

from schemas.topics import PARTITIONS
from streams.cli import EX_USAGE, run
from streams.operating.display import note, plural, print_json, print_page, print_rows
from streams.operating.error_commands import errors
from streams.operating.letter_commands import dead_letters
from streams.operating.people import find_person
from streams.operating.person_page import page
from streams.operating.person_summary import activities_of, summary
from streams.operating.policy_commands import policy, policy_in_force
from streams.operating.reading import Reader
from streams.operating.settings_here import on_broker, settings_here
from streams.settings import Settings
from streams.topics import Wanted, ensure_topics, follow_sources, wanted_topics

__all__ = ["dead_letters", "errors", "person", "policy", "sync_person", "topics"]

DAY_MILLISECONDS = 24 * 60 * 60 * 1000


@click.command()
@click.option("--partitions", type=click.IntRange(1, 1000), help=f"Of topics that are created. [{PARTITIONS}]")
@click.option("--replication", type=click.IntRange(1, 10), help="Copies of each. [3, or one per broker]")
@click.option("--check", is_flag=True, help="Create nothing; refuse where one is missing.")
@on_broker
def topics(partitions: int | None, replication: int | None, check: bool) -> None:
    """Create missing topics, and check those that are there. Both with the settings that leadsync needs.

    Exits 2, with one line for each, where a topic's settings are not what leadsync needs.
    """
    settings = settings_here()
    run(_topics(settings, partitions, replication, check), settings)


async def _topics(settings: Settings, partitions: int | None, replication: int | None, check: bool) -> None:
    asked = partitions or PARTITIONS
    created = await ensure_topics(settings, partitions=asked, replication=replication, create=not check)
    wanted = wanted_topics(settings, asked)
    async with Reader(settings) as reader:
        there = {name: reader.partitions(name) for name in wanted if name not in created}
    follow_sources(settings, wanted, there)
    counts = {name: there.get(name, each.partitions) for name, each in wanted.items()}
    rows = [
        (name, counts[name], each.configs["cleanup.policy"], _kept(each), "created" if name in created else "there")
        for name, each in wanted.items()
    ]
    print_rows(("topic", "partitions", "cleanup", "kept", ""), rows)
    note(f"{plural(len(created), 'topic', 'topics')} created, {len(wanted) - len(created)} there as they must be")
    others = sum(count != asked for name, count in there.items() if name != settings.topic("policies"))
    if partitions and others:
        note(f"{others} of them keep their number of partitions, which is not {asked}: it cannot change")


def _kept(topic: Wanted) -> str:
    milliseconds = int(topic.configs["retention.ms"])
    return "for ever" if milliseconds < 0 else f"{milliseconds // DAY_MILLISECONDS} days"


@click.command(context_settings={"ignore_unknown_options": True, "allow_extra_args": True})
@click.argument("anything", nargs=-1, type=click.UNPROCESSED)
def sync_person(anything: tuple[str, ...]) -> None:
    """Refuse: background sync is the only way. Says why, and exits 2."""
    note(
        "leadsync: the automated background sync is the only way to sync updates; no command forces one for a person.\n"
        "Sync Person to Microsoft is a flow action of a Marketo campaign, and only creates the Dynamics record of a "
        "person who has none.\n"
        "What keeps an update from going out: `leadsync person marketo:ID`; what failed is tried again by "
        "`leadsync errors retry marketo:ID`."
    )
    raise SystemExit(EX_USAGE)


@click.command()
@click.argument("who", metavar="KEY|marketo:ID|dynamics:ID")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on standard output.")
@on_broker
def person(who: str, as_json: bool) -> None:
    """Show a person: records, fields by state, activities. The latter with their causes.

    At rest: both systems hold the value. In flight: a command carries it. Pending: due, but something has to come first.
    In error: a sync error is open on it. Exits 1 where nobody is known by this name.
    """
    settings = settings_here()
    run(_person(settings, who, as_json), settings)


async def _person(settings: Settings, who: str, as_json: bool) -> None:
    async with Reader(settings) as reader:
        found = await find_person(reader, who)
        activities = await activities_of(reader, found.key)
        policy_now = await policy_in_force(reader)
    if as_json:
        print_json(summary(found, policy_now, activities))
    else:
        print_page(page(found, policy_now, activities))
