"""The AsyncAPI 3.0 document: the topics, the messages on them, and what leadsync does with them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from schemas.topics import INPUT_TOPICS, PARTITIONS, TOPICS, TopicSpec
from schemas.vocabulary import TIME_PATTERN, Contract

API_VERSION = "1.0.0"

RECEIVED = (*INPUT_TOPICS, "person.changes", "policies")
SENT = tuple(name for name in TOPICS if name not in INPUT_TOPICS)
"""What the worker sends. Its tools also put requests (`*.changes`) and corrected messages back on what it receives."""

CLOUD_EVENTS_HEADERS: dict[str, Any] = {
    "type": "object",
    "description": "CloudEvents 1.0, Kafka protocol binding, binary mode. We write them; on what we read none is needed.",
    "properties": {
        "content-type": {"type": "string", "const": "application/json"},
        "ce_specversion": {"type": "string", "const": "1.0"},
        "ce_id": {"type": "string", "minLength": 1, "description": "The message's own id."},
        "ce_type": {"type": "string", "pattern": "^leadsync\\.[a-z-]+\\.v[0-9]+$"},
        "ce_source": {"type": "string", "pattern": "^/leadsync/[a-z-]+$", "description": "The agent that wrote it."},
        "ce_time": {
            "type": "string",
            "pattern": TIME_PATTERN,
            "description": "The cause's own time, where it is known.",
        },
    },
}


def contract_name(model: type[Contract]) -> tuple[str, str]:
    """Name and version of a contract: `person-change/1` -> `("person-change", "1")`."""
    name, _, version = str(model.model_fields["contract"].default).partition("/")
    return name, version


def document() -> dict[str, Any]:
    """The document, in what JSON can say. Payloads are references to the JSON Schema files beside it."""
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "leadsync",
            "version": API_VERSION,
            "description": "The topics of leadsync, which keeps person records alike in Marketo and Dynamics 365. "
            "`send` and `receive` are leadsync's. Addresses stand here without the configurable prefix.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": {spec.name: _channel(spec) for spec in TOPICS.values()},
        "operations": dict(_operations()),
        "components": {
            "messages": {spec.contract.__name__: _message(spec) for spec in TOPICS.values()},
            "schemas": {"CloudEventsHeaders": CLOUD_EVENTS_HEADERS},
        },
    }


def _channel(spec: TopicSpec) -> dict[str, Any]:
    configs = spec.configs()
    message = spec.contract.__name__
    return {
        "address": spec.name,
        "messages": {message: {"$ref": f"#/components/messages/{message}"}},
        "bindings": {
            "kafka": {
                "partitions": 1 if spec.single_partition else PARTITIONS,
                "topicConfiguration": {
                    "cleanup.policy": [configs["cleanup.policy"]],
                    "retention.ms": int(configs["retention.ms"]),
                    "max.message.bytes": int(configs["max.message.bytes"]),
                },
                "bindingVersion": "0.5.0",
            }
        },
    }


def _message(spec: TopicSpec) -> dict[str, Any]:
    name, version = contract_name(spec.contract)
    return {
        "name": f"{name}/{version}",
        "contentType": "application/json",
        "headers": {
            "allOf": [
                {"$ref": "#/components/schemas/CloudEventsHeaders"},
                {"properties": {"ce_type": {"const": f"leadsync.{name}.v{version}"}}},
            ]
        },
        "payload": {"$ref": f"./json/{name}.v{version}.json"},
        "bindings": {"kafka": {"key": {"type": "string", "description": spec.key}, "bindingVersion": "0.5.0"}},
    }


def _operations() -> Iterator[tuple[str, dict[str, Any]]]:
    for action, names in (("receive", RECEIVED), ("send", SENT)):
        for name in names:
            yield (
                f"{action}-{name}",
                {
                    "action": action,
                    "channel": {"$ref": f"#/channels/{name}"},
                    "messages": [{"$ref": f"#/channels/{name}/messages/{TOPICS[name].contract.__name__}"}],
                },
            )
