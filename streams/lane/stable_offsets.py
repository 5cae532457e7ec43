"""What a group has committed, read so that no commit is missed.

A broker that is asked the old way, as aiokafka 0.14 asks, answers from what its coordinator holds for replicated. For
some milliseconds after a commit was answered that lacks the commit; for longer after the broker itself was started, it may
lack everything, and a group that is told of no commit begins at the beginning. Asked for *stable* offsets (KIP-447, Kafka
2.5) it answers when it knows: with the last commit, no transaction being open that holds another.

aiokafka's connections carry any request that says how it is written.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Iterable, Mapping
from typing import Any, NamedTuple

from aiokafka import TopicPartition
from aiokafka.client import ConnectionGroup, CoordinationType
from aiokafka.errors import KafkaError, NodeNotReadyError, for_code
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import Boolean, CompactArray, CompactString, Int16, Int32, Int64, Schema, TaggedFields

from streams.lane.batch import LaneError
from streams.lane.long_waits import TOLD_AFTER_SECONDS, told_when_long

PATIENCE_SECONDS = 30.0
HELD_UP = ": a transaction that commits them stays open, or their coordinator is away"
RETRY_SECONDS = 0.02
NO_COMMIT = -1
UNSTABLE_OFFSET_COMMIT = 88
"""A transaction is open, or its end is on its way. aiokafka has no name for it."""


class Commit(NamedTuple):
    """The next offset to read of a partition, and what else was said of it."""

    offset: int
    metadata: str


async def stable_offsets(
    asking: Any,
    group: str,
    partitions: Collection[TopicPartition] | None = None,
    patience_seconds: float = PATIENCE_SECONDS,
) -> Mapping[TopicPartition, int]:
    """The offsets of `stable_commits`."""
    commits = await stable_commits(asking, group, partitions, patience_seconds)
    return {partition: commit.offset for partition, commit in commits.items()}


async def stable_commits(
    asking: Any,
    group: str,
    partitions: Collection[TopicPartition] | None = None,
    patience_seconds: float = PATIENCE_SECONDS,
) -> Mapping[TopicPartition, Commit]:
    """The commit of each partition, of all that the group has committed unless some are named; without one, a partition is left
    out. `asking`: a consumer or an admin client that was started.

    What is not stable yet is asked for again, and so is a coordinator that is away or has just been started; the log says so when
    that is long. Raises TimeoutError where a transaction stays open for so long, KafkaError where it cannot be known.
    """
    with told_when_long(f"the commits of group {group} could not be told", TOLD_AFTER_SECONDS, HELD_UP):
        return await _until_stable(asking, group, partitions, time.monotonic() + patience_seconds)


async def _until_stable(
    asking: Any, group: str, partitions: Collection[TopicPartition] | None, deadline: float
) -> Mapping[TopicPartition, Commit]:
    found: dict[TopicPartition, Commit] = {}
    while True:
        try:
            partitions = await _ask(asking._client, OffsetsRequest(group, partitions), group, found)
        except KafkaError as error:
            if not error.retriable or time.monotonic() > deadline:
                raise
        else:
            if not partitions:
                return found
            if time.monotonic() > deadline:
                raise TimeoutError(f"group {group}: an open transaction commits offsets of {sorted(partitions)}")
        await asyncio.sleep(RETRY_SECONDS)


class KnownOffsets:
    """What a group has committed, for somebody who looks on: it waits for nobody, and of what is not stable it tells the last
    commit that it has seen. So it may be behind, never ahead."""

    def __init__(self, asking: Any, group: str) -> None:
        self._asking, self._group = asking, group
        self._known: dict[TopicPartition, Commit] = {}

    async def look(self) -> Mapping[TopicPartition, int]:
        """The next offset to read of each partition. Raises KafkaError where it cannot be known at all."""
        try:
            await _ask(self._asking._client, OffsetsRequest(self._group, None), self._group, self._known)
        except KafkaError as error:
            if not error.retriable:
                raise
        return {partition: commit.offset for partition, commit in self._known.items()}


async def _ask(
    client: Any, request: OffsetsRequest, group: str, found: dict[TopicPartition, Commit]
) -> list[TopicPartition]:
    """Put what is stable into `found`; gives what is not."""
    node = await client.coordinator_lookup(CoordinationType.GROUP, group)
    if not await client.ready(node, group=ConnectionGroup.COORDINATION):
        raise NodeNotReadyError(f"the coordinator of {group}, broker {node}")
    try:
        reply = await client.send(node, request, group=ConnectionGroup.COORDINATION)
    except NotImplementedError:  # aiokafka's way to say that the broker does not speak this version
        raise LaneError("the brokers do not tell stable offsets; they must be of Kafka 2.5 or later") from None
    _refuse(reply.error_code)
    unstable = []
    for topic, partitions, _ in reply.topics:
        for partition, offset, _, metadata, code, _ in partitions:
            if code == UNSTABLE_OFFSET_COMMIT:
                unstable.append(TopicPartition(topic, partition))
                continue
            _refuse(code)
            if offset != NO_COMMIT:
                found[TopicPartition(topic, partition)] = Commit(offset, metadata or "")
    return unstable


def _refuse(code: int) -> None:
    if code:
        raise for_code(code)()


TEXT = CompactString("utf-8")
TAGS = ("tags", TaggedFields)


class OffsetsResponse(Response):  # type: ignore[misc]  # aiokafka's types are not published; here and below
    """Version 7 of the offset fetch response."""

    API_KEY = 9
    API_VERSION = 7
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "topics",
            CompactArray(
                ("name", TEXT),
                (
                    "partitions",
                    CompactArray(
                        ("partition", Int32),
                        ("offset", Int64),
                        ("leader_epoch", Int32),
                        ("metadata", TEXT),
                        ("error_code", Int16),
                        TAGS,
                    ),
                ),
                TAGS,
            ),
        ),
        ("error_code", Int16),
        TAGS,
    )


class OffsetsRequestStruct(RequestStruct):  # type: ignore[misc]
    """Version 7 of the offset fetch request."""

    API_KEY = 9
    API_VERSION = 7
    FLEXIBLE_VERSION = True
    RESPONSE_TYPE = OffsetsResponse
    SCHEMA = Schema(
        ("group", TEXT),
        ("topics", CompactArray(("name", TEXT), ("partitions", CompactArray(Int32)), TAGS)),
        ("require_stable", Boolean),
        TAGS,
    )


class OffsetsRequest(Request[OffsetsRequestStruct]):  # type: ignore[misc]
    """The one version of it that is spoken here."""

    API_KEY = 9

    def __init__(self, group: str, partitions: Iterable[TopicPartition] | None) -> None:
        self._group = group
        self._topics: dict[str, list[int]] | None = None if partitions is None else {}
        for topic, number in partitions or ():
            assert self._topics is not None
            self._topics.setdefault(topic, []).append(number)

    def build(self, request_struct_class: type[OffsetsRequestStruct]) -> OffsetsRequestStruct:
        topics: Any = None if self._topics is None else [(name, numbers, {}) for name, numbers in self._topics.items()]
        return request_struct_class(self._group, topics, True, {})
