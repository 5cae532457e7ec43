"""`leadsync topics` and `leadsync sync-person`."""

from __future__ import annotations

import asyncio

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from schemas.topics import TOPICS
from streams.cli import COMMANDS
from streams.topics import CHANGELOG_SEGMENT_BYTES, CHANGELOGS
from tests.operating.conftest import Installation, status_lines

ALL = len(TOPICS) + len(CHANGELOGS)


def create(installation: Installation, name: str, partitions: int, **configs: str) -> None:
    async def work() -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=installation.settings.bootstrap_servers)
        await admin.start()
        try:
            settings = {name.replace("_", "."): value for name, value in configs.items()}
            await admin.create_topics([NewTopic(name, partitions, 1, topic_configs=settings)])
            while name not in await admin.list_topics():
                await asyncio.sleep(0.05)
        finally:
            await admin.close()

    asyncio.run(work())


def configs(installation: Installation, name: str) -> dict[str, str]:
    async def work() -> dict[str, str]:
        admin = AIOKafkaAdminClient(bootstrap_servers=installation.settings.bootstrap_servers)
        await admin.start()
        try:
            (response,) = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name)])
            return {entry[0]: entry[1] for resource in response.resources for entry in resource[-1]}
        finally:
            await admin.close()

    return asyncio.run(work())


@pytest.mark.kafka
def test_missing_topics_are_created_and_told(bare: Installation) -> None:
    """Every topic and changelog is created with the partitions asked for; policies has one."""
    result = bare.run("topics", "--partitions", "2")
    rows = {name: rest for name, *rest in (line.split("\t") for line in result.stdout.splitlines())}
    assert result.exit_code == 0
    assert len(rows) == ALL
    assert rows[bare.topic("marketo.changes")] == ["2", "delete", "14 days", "created"]
    assert rows[bare.topic("person.changes")] == ["2", "delete", "for ever", "created"]
    assert rows[bare.topic("policies")] == ["1", "compact", "for ever", "created"]
    assert rows[bare.table("people")] == ["2", "compact", "for ever", "created"]


@pytest.mark.kafka
def test_running_it_again_changes_nothing(bare: Installation) -> None:
    """Topics that are there are checked and told; another number of partitions is not forced on them, and said."""
    bare.run("topics", "--partitions", "2")
    result = bare.run("topics", "--partitions", "5")
    assert result.exit_code == 0
    assert {line.split("\t")[-1] for line in result.stdout.splitlines()} == {"there"}
    assert status_lines(result) == [
        f"0 topics created, {ALL} there as they must be",
        f"{ALL - 1} of them keep their number of partitions, which is not 5: it cannot change",
    ]


@pytest.mark.kafka
def test_check_creates_nothing(bare: Installation) -> None:
    """`--check` names the topics that are missing and exits 2, twice the same."""
    first, second = bare.run_apart("topics", "--check"), bare.run_apart("topics", "--check")
    assert first.returncode == second.returncode == 2
    assert first.stderr == second.stderr
    assert first.stderr.startswith("leadsync: topics are missing: ")
    assert bare.topic("activity-log") in first.stderr


@pytest.mark.kafka
def test_settings_that_do_not_match_are_refused(bare: Installation) -> None:
    """A topic that would lose messages is refused: what is, and what must be."""
    create(bare, bare.topic("person.changes"), 4, retention_ms="1000")
    result = bare.run_apart("topics")
    assert result.returncode == 2
    assert f"{bare.topic('person.changes')}: retention.ms is 1000; it must be -1" in result.stderr


@pytest.mark.kafka
def test_changelogs_are_made_with_small_segments_and_any_other_size_will_do(bare: Installation) -> None:
    """The last segment is never compacted: by Kafka's default a start might read a gigabyte of each partition."""
    name, small = bare.table("people"), str(1024 * 1024)
    limits = {"retention_ms": "-1", "max_message_bytes": str(8 * 1024 * 1024)}
    create(bare, name, 4, cleanup_policy="compact", segment_bytes=small, **limits)
    assert bare.run("topics").exit_code == 0
    found = {each: configs(bare, bare.table(each))["segment.bytes"] for each in CHANGELOGS}
    others = dict.fromkeys(CHANGELOGS.keys() - {"people"}, str(CHANGELOG_SEGMENT_BYTES))
    assert found == {"people": small, **others}


@pytest.mark.kafka
def test_a_missing_changelog_gets_the_partitions_of_its_topic(bare: Installation) -> None:
    """A table's changelog that is created later agrees with its source topic, whatever is asked for."""
    create(bare, bare.topic("person.changes"), 3, retention_ms="-1", max_message_bytes=str(8 * 1024 * 1024))
    result = bare.run("topics", "--partitions", "2")
    assert result.exit_code == 0, result.exception
    assert f"{bare.table('people')}\t3\t" in result.stdout


def test_without_a_broker_it_says_how_to_name_one() -> None:
    """A command that needs a broker and is told none names the ways to tell it, and exits 2."""
    result = Installation("nowhere:1").run_apart("topics", LEADSYNC_BOOTSTRAP_SERVERS="")
    assert result.returncode == 2
    assert "--bootstrap-servers" in result.stderr


@pytest.mark.parametrize("command", [("errors",), ("record", "marketo.changes")])
def test_a_broker_that_is_not_there_is_one_line(command: tuple[str, ...]) -> None:
    """With the reason, which aiokafka only logs; nothing of its own stands beside it, and the exit status is 2."""
    result = Installation("127.0.0.1:1").run_apart(*command)
    assert result.returncode == 2
    [line] = result.stderr.splitlines()
    assert line.startswith("leadsync: 127.0.0.1:1 cannot be reached: ") and "Connection refused" in line


@pytest.mark.parametrize("arguments", [(), ("marketo:775",), ("--force", "775"), ("--prefix", "x-", "all")])
def test_nothing_forces_a_sync(arguments: tuple[str, ...]) -> None:
    """Whatever it is asked, sync-person says that background sync is the only way, and exits 2."""
    result = Installation("nowhere:1").run("sync-person", *arguments)
    assert result.exit_code == 2
    assert "background sync is the only way" in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize("name", sorted(name for name, place in COMMANDS.items() if "operating" in place))
def test_every_command_explains_itself(name: str) -> None:
    """Each command of this package has a help text."""
    result = Installation("nowhere:1").run(name, "--help")
    assert result.exit_code == 0
    assert len(result.stdout.splitlines()) > 5
