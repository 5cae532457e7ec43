"""The AsyncAPI document is one that AsyncAPI 3.0 tools read, and tells of every topic, message and operation.

The standard's own JSON Schema is 360 KB, so it is not carried here; what stands below is the standard's rules for the
parts that the document uses, with everything else refused.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator, ValidationError
from ruamel.yaml import YAML

from schemas.asyncapi import contract_name, document
from schemas.export import HERE
from schemas.topics import INPUT_TOPICS, PARTITIONS, TOPICS
from streams import cloudevents

Json = Any


def _closed(required: dict[str, Json], **optional: Json) -> Json:
    return {
        "type": "object",
        "properties": required | optional,
        "required": list(required),
        "additionalProperties": False,
    }


def _map_of(values: Json) -> Json:
    return {"type": "object", "additionalProperties": values, "minProperties": 1}


TEXT = {"type": "string"}
REFERENCE = _closed({"$ref": {"type": "string", "format": "uri-reference"}})
VERSION_OF_KAFKA_BINDING = {"const": "0.5.0"}
TOPIC_CONFIGURATION = _closed(
    {},
    **{
        "cleanup.policy": {"type": "array", "items": {"enum": ["compact", "delete"]}},
        "retention.ms": {"type": "integer", "minimum": -1},
        "max.message.bytes": {"type": "integer", "minimum": 0},
    },
)
TOPIC = {"partitions": {"type": "integer", "minimum": 1}, "topicConfiguration": TOPIC_CONFIGURATION}
CHANNEL = _closed(
    {"address": TEXT, "messages": _map_of(REFERENCE)},
    bindings=_closed({"kafka": _closed({"bindingVersion": VERSION_OF_KAFKA_BINDING}, **TOPIC)}),
)
MESSAGE = _closed(
    {"payload": REFERENCE},
    name=TEXT,
    contentType=TEXT,
    headers={"type": "object"},
    bindings=_closed({"kafka": _closed({"bindingVersion": VERSION_OF_KAFKA_BINDING}, key={"type": "object"})}),
)
OPERATION = _closed(
    {"action": {"enum": ["send", "receive"]}, "channel": REFERENCE},
    messages={"type": "array", "items": REFERENCE},
)
ASYNCAPI = _closed(
    {
        "asyncapi": {"const": "3.0.0"},
        "info": _closed({"title": TEXT, "version": TEXT}, description=TEXT, license=_closed({"name": TEXT})),
    },
    defaultContentType=TEXT,
    channels=_map_of(CHANNEL),
    operations=_map_of(OPERATION),
    components=_closed({}, messages=_map_of(MESSAGE), schemas=_map_of({"type": "object"})),
)


def written() -> Json:
    return YAML(typ="safe").load((HERE / "asyncapi.yaml").read_text(encoding="utf-8"))


def test_the_yaml_says_what_the_document_says() -> None:
    """Our few lines of YAML writer against a whole YAML reader."""
    assert written() == document()


def test_the_document_keeps_the_standards_rules() -> None:
    Draft202012Validator(ASYNCAPI).validate(written())


@pytest.mark.parametrize(
    ("place", "fault"),
    [
        (("asyncapi",), "2.6.0"),
        (("operations", "send-policies", "action"), "publish"),
        (("channels", "policies", "bindings", "kafka", "partitions"), "1"),
        (("channels", "policies", "bindings", "kafka", "topicConfiguration", "cleanup.policy"), "compact"),
        (("channels", "policies", "subscribe"), {}),
    ],
)
def test_those_rules_refuse_what_the_standard_refuses(place: tuple[str, ...], fault: Json) -> None:
    spoilt = written()
    holder = spoilt
    for name in place[:-1]:
        holder = holder[name]
    holder[place[-1]] = fault
    with pytest.raises(ValidationError):
        Draft202012Validator(ASYNCAPI).validate(spoilt)


def test_every_reference_leads_somewhere() -> None:
    references = list(_references(written()))
    assert references
    for reference in references:
        path, _, pointer = reference.partition("#")
        target = json.loads((HERE / path).read_text(encoding="utf-8")) if path else written()
        for name in filter(None, pointer.split("/")):
            target = target[name]


def _references(node: Json) -> Iterator[str]:
    if isinstance(node, dict):
        if "$ref" in node:
            yield node["$ref"]
        for member in node.values():
            yield from _references(member)
    elif isinstance(node, list):
        for item in node:
            yield from _references(item)


@pytest.mark.parametrize("topic", TOPICS)
def test_a_topic_is_told_with_its_settings_message_and_key(topic: str) -> None:
    spec = TOPICS[topic]
    channel = written()["channels"][topic]
    kafka = channel["bindings"]["kafka"]
    settings = {
        name: ",".join(value) if isinstance(value, list) else str(value)
        for name, value in kafka["topicConfiguration"].items()
    }
    assert settings == spec.configs()
    assert kafka["partitions"] == (1 if spec.single_partition else PARTITIONS)
    (message,) = channel["messages"]
    told = written()["components"]["messages"][message]
    assert told["name"] == spec.contract.model_fields["contract"].default
    assert told["bindings"]["kafka"]["key"] == {"type": "string", "description": spec.key}
    assert told["headers"]["allOf"][1]["properties"]["ce_type"]["const"] == cloudevents.type_of(told["name"])
    assert told["payload"]["$ref"] == "./json/{}.v{}.json".format(*contract_name(spec.contract))


def test_every_topic_is_sent_or_received_and_inputs_are_only_received() -> None:
    operations = written()["operations"].values()
    received, sent = (
        {operation["channel"]["$ref"].rpartition("/")[2] for operation in operations if operation["action"] == action}
        for action in ("receive", "send")
    )
    assert received | sent == set(TOPICS)
    assert received - sent == set(INPUT_TOPICS)
    assert received & sent == {"person.changes", "policies"}
