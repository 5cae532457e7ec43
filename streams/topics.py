"""Topics on the broker: create those that are missing, and refuse to run on those whose settings don't match the table."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, NamedTuple

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import TopicAlreadyExistsError, for_code

from schemas.limits import MESSAGE_BYTES_MAX
from schemas.topics import FOR_EVER, PARTITIONS, TOPICS
from streams.settings import Settings

CHANGELOGS = {"people": "person.changes", "marketo-links": "marketo.changes", "dynamics-links": "dynamics.changes"}
"""Table -> the source topic with whose partitions its changelog's agree."""

CHANGELOG_SEGMENT_BYTES = 128 * 1024 * 1024
"""The last segment of a partition is never compacted, and a start without a local store reads it all. Kafka's own default
is 1 GiB. Only for changelogs that are made here: any other size will do."""

SEEN_SECONDS = 30.0
SEEN_POLL_SECONDS = 0.05

REPLICATION = 3
"""Copies of each topic, where there are so many brokers and nobody asks for another number."""


class TopicsError(Exception):
    """The broker's topics are not as they must be; one line per topic that says what is and what must be."""


class Wanted(NamedTuple):
    """A topic as it must be. `partitions` None: whatever number it has."""

    partitions: int
    configs: dict[str, str]


def wanted_topics(settings: Settings, partitions: int = PARTITIONS) -> dict[str, Wanted]:
    """Every topic, changelogs included, by its name on the broker."""
    wanted = {
        spec.named(settings.prefix): Wanted(1 if spec.single_partition else partitions, spec.configs())
        for spec in TOPICS.values()
    }
    changelog = {
        "cleanup.policy": "compact",
        "retention.ms": str(FOR_EVER),
        "max.message.bytes": str(MESSAGE_BYTES_MAX),
        "segment.bytes": str(CHANGELOG_SEGMENT_BYTES),
    }
    for table in CHANGELOGS:
        wanted[changelog_topic(settings, table)] = Wanted(partitions, dict(changelog))
    return wanted


def changelog_topic(settings: Settings, table: str) -> str:
    """The changelog of a table."""
    return f"{settings.app_id}-{table}-changelog"


async def ensure_topics(
    settings: Settings, *, partitions: int = PARTITIONS, replication: int | None = None, create: bool = True
) -> list[str]:
    """Create missing topics and check the others; returns the names of those created. Raises TopicsError."""
    admin = AIOKafkaAdminClient(**settings.client("topics"))
    await admin.start()
    try:
        wanted = wanted_topics(settings, partitions)
        there = await _partitions(admin, set(wanted))
        follow_sources(settings, wanted, there)
        missing = [name for name in wanted if name not in there]
        if missing and not create:
            raise TopicsError(f"topics are missing: {', '.join(missing)}; `leadsync topics` creates them")
        copies = replication or min(REPLICATION, len((await admin.describe_cluster())["brokers"]))
        await _create(admin, {name: wanted[name] for name in missing}, copies)
        _check_partitions(settings, await _until_seen(admin, set(wanted)), wanted)
        await _check_configs(admin, wanted)
        return missing
    finally:
        await admin.close()


async def _partitions(admin: Any, names: set[str]) -> dict[str, int]:
    existing = set(await admin.list_topics()) & names
    if not existing:
        return {}
    described = await admin.describe_topics(sorted(existing))
    return {topic["topic"]: len(topic["partitions"]) for topic in described if topic["partitions"]}


def follow_sources(settings: Settings, wanted: dict[str, Wanted], there: Mapping[str, int]) -> None:
    """A changelog that is yet to be created gets as many partitions as its source topic has by now."""
    for table, source in CHANGELOGS.items():
        name, partitions = changelog_topic(settings, table), there.get(settings.topic(source))
        if partitions is not None:
            wanted[name] = wanted[name]._replace(partitions=partitions)


async def _create(admin: Any, missing: Mapping[str, Wanted], replication: int) -> None:
    if not missing:
        return
    response = await admin.create_topics(
        [NewTopic(name, each.partitions, replication, topic_configs=each.configs) for name, each in missing.items()]
    )
    for topic, code, *message in response.topic_errors:
        error = for_code(code)
        if code and error is not TopicAlreadyExistsError:  # another process was quicker; the check follows
            raise TopicsError(f"{topic}: cannot be created: {error.__name__} {' '.join(map(str, message))}")


async def _until_seen(admin: Any, names: set[str]) -> dict[str, int]:
    """The partitions of them all. A broker knows of a topic a moment after the controller has created it, and any may answer."""
    try:
        async with asyncio.timeout(SEEN_SECONDS):
            while not names <= (there := await _partitions(admin, names)).keys():  # noqa: ASYNC110 - brokers tell nobody
                await asyncio.sleep(SEEN_POLL_SECONDS)
            return there
    except TimeoutError:
        raise TopicsError(
            f"the brokers do not show all topics {SEEN_SECONDS:.0f} seconds after their creation"
        ) from None


def _check_partitions(settings: Settings, there: Mapping[str, int], wanted: Mapping[str, Wanted]) -> None:
    """The number may be any, chosen at creation; but a table's changelog has as many as its source topic, and what is kept whole has one."""
    complaints = []
    for topic in (spec.named(settings.prefix) for spec in TOPICS.values() if spec.single_partition):
        if there.get(topic, 1) != 1:
            complaints.append(f"{topic}: {there[topic]} partitions; it must have 1")
    for table, source in CHANGELOGS.items():
        changelog, topic = changelog_topic(settings, table), settings.topic(source)
        if there[changelog] != there[topic]:
            complaints.append(f"{changelog}: {there[changelog]} partitions; {topic} has {there[topic]}, and so must it")
    if complaints:
        raise TopicsError("\n".join(complaints))


async def _check_configs(admin: Any, wanted: Mapping[str, Wanted]) -> None:
    resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in wanted]
    complaints = []
    for response in await admin.describe_configs(resources):
        for _code, _message, _type, name, entries in response.resources:
            found = {entry[0]: entry[1] for entry in entries}
            for setting, value in wanted[name].configs.items():
                if not _acceptable(setting, found.get(setting), value):
                    complaints.append(f"{name}: {setting} is {found.get(setting)}; it must be {value}")
    if complaints:
        raise TopicsError("\n".join(complaints))


def _acceptable(setting: str, found: str | None, wanted: str) -> bool:
    """Cleanup must be as told; sizes may be larger, and what is kept by time may be kept for another time."""
    if setting == "segment.bytes":
        return True
    if found is None or setting == "cleanup.policy":
        return found is None or found == wanted
    if setting == "retention.ms":
        return wanted != str(FOR_EVER) or found == wanted
    return int(found) >= int(wanted)
