"""What a broker tells of topics that aiokafka does not ask for: their ids, and for how long deletions stay.

A topic that was deleted and made anew has the same name and another id. Ids came with version 10 of the metadata request
(KIP-516, Kafka 2.8); aiokafka 0.14 speaks version 5, but its connections carry any request that says how it is written.
"""

from collections.abc import Collection, Mapping
from io import BytesIO
from typing import Any
from uuid import UUID

from aiokafka.errors import for_code
from aiokafka.protocol.abstract import AbstractType
from aiokafka.protocol.admin import DescribeConfigsRequest
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import Boolean, CompactArray, CompactString, Int16, Int32, Schema, TaggedFields

from streams.lane.batch import LaneError

TOPIC_RESOURCE = 2
DELETE_RETENTION = "delete.retention.ms"
NO_ID = UUID(int=0)


async def topic_ids(client: Any, topics: Collection[str]) -> Mapping[str, str]:
    """The id of each topic; a topic is left out that has none: of an old cluster, or on a broker that knows of no ids."""
    try:
        reply = await _ask(client, TopicsRequest(topics))
    except NotImplementedError:  # aiokafka's way to say that the broker does not speak this version
        return {}
    return {name: str(topic_id) for _, name, topic_id, *_ in reply.topics if topic_id != NO_ID}


async def deletions_kept_ms(client: Any, topics: Collection[str]) -> Mapping[str, int]:
    """`delete.retention.ms` of each topic that the broker tells it of."""
    resources = [(TOPIC_RESOURCE, topic, [DELETE_RETENTION]) for topic in topics]
    reply = await _ask(client, DescribeConfigsRequest(resources))
    return {
        name: int(entry[1])
        for code, _, _, name, entries in reply.resources
        if for_code(code).errno == 0
        for entry in entries
        if entry[0] == DELETE_RETENTION
    }


async def _ask(client: Any, request: Any) -> Any:
    """The first broker that answers; any of them knows."""
    for broker in client.cluster.brokers():
        if await client.ready(broker.nodeId):
            return await client.send(broker.nodeId, request)
    raise LaneError("no broker answers")


class Uuid(AbstractType):  # type: ignore[misc]  # aiokafka's types are not published; here and below
    """Sixteen bytes."""

    @classmethod
    def encode(cls, value: UUID) -> bytes:
        return value.bytes

    @classmethod
    def decode(cls, data: BytesIO) -> UUID:
        return UUID(bytes=data.read(16))


TEXT = CompactString("utf-8")
TAGS = ("tags", TaggedFields)


class TopicsResponse(Response):  # type: ignore[misc]
    """Version 10 of the metadata response."""

    API_KEY = 3
    API_VERSION = 10
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        ("brokers", CompactArray(("node_id", Int32), ("host", TEXT), ("port", Int32), ("rack", TEXT), TAGS)),
        ("cluster_id", TEXT),
        ("controller_id", Int32),
        (
            "topics",
            CompactArray(
                ("error_code", Int16),
                ("name", TEXT),
                ("topic_id", Uuid),
                ("is_internal", Boolean),
                (
                    "partitions",
                    CompactArray(
                        ("error_code", Int16),
                        ("partition", Int32),
                        ("leader", Int32),
                        ("leader_epoch", Int32),
                        ("replicas", CompactArray(Int32)),
                        ("in_sync", CompactArray(Int32)),
                        ("offline", CompactArray(Int32)),
                        TAGS,
                    ),
                ),
                ("authorized_operations", Int32),
                TAGS,
            ),
        ),
        ("cluster_authorized_operations", Int32),
        TAGS,
    )


class TopicsRequestStruct(RequestStruct):  # type: ignore[misc]
    """Version 10 of the metadata request: of topics by name, and nothing is created."""

    API_KEY = 3
    API_VERSION = 10
    FLEXIBLE_VERSION = True
    RESPONSE_TYPE = TopicsResponse
    SCHEMA = Schema(
        ("topics", CompactArray(("topic_id", Uuid), ("name", TEXT), TAGS)),
        ("allow_auto_topic_creation", Boolean),
        ("include_cluster_authorized_operations", Boolean),
        ("include_topic_authorized_operations", Boolean),
        TAGS,
    )


class TopicsRequest(Request[TopicsRequestStruct]):  # type: ignore[misc]
    """The one version of it that is spoken here."""

    API_KEY = 3

    def __init__(self, topics: Collection[str]) -> None:
        self._topics = topics

    def build(self, request_struct_class: type[TopicsRequestStruct]) -> TopicsRequestStruct:
        return request_struct_class([(NO_ID, topic, {}) for topic in self._topics], False, False, False, {})
