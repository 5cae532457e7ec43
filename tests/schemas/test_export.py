"""What is published is what the models say, and nothing is published that no model says."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft7Validator, Draft202012Validator
from pydantic import ValidationError

import schemas
from schemas import export
from schemas.limits import INTEGER_MAX
from schemas.topics import TOPICS
from schemas.vocabulary import Contract
from tests import strategies

CONTRACTS = export.contracts()
every_contract = pytest.mark.parametrize("model", CONTRACTS.values(), ids=lambda model: model.__name__)


@pytest.fixture
def published(tmp_path: Path) -> Path:
    """A copy of what is committed, to spoil."""
    shutil.copytree(export.HERE / "json", tmp_path / "json")
    shutil.copy(export.HERE / "asyncapi.yaml", tmp_path)
    return tmp_path


def test_what_is_committed_is_what_the_models_say() -> None:
    problems = export.differing()
    assert not problems, "\n".join(problems)


def test_a_drifted_file_is_named_with_the_command_that_mends_it(published: Path) -> None:
    (published / "json" / "activity.v1.json").write_text("{}\n")
    (published / "asyncapi.yaml").unlink()
    assert export.differing(published) == [
        "schemas/json/activity.v1.json differs from its model; run: python -m schemas.export",
        "schemas/asyncapi.yaml differs from its model; run: python -m schemas.export",
    ]


def test_a_file_that_no_contract_owns_is_named_and_removed(published: Path) -> None:
    orphan = published / "json" / "lead-change.v1.json"
    orphan.write_text("{}\n")
    assert export.differing(published) == [
        "schemas/json/lead-change.v1.json has no contract; run: python -m schemas.export"
    ]
    export.write(published)
    assert not orphan.exists()
    assert export.differing(published) == []


def test_check_ends_with_status_one_and_says_why(published: Path) -> None:
    export.main(["--check"], published)
    (published / "json" / "policy.v1.json").write_text("")
    with pytest.raises(SystemExit, match=r"schemas/json/policy\.v1\.json differs .* run: python -m schemas\.export"):
        export.main(["--check"], published)
    export.main([], published)
    export.main(["--check"], published)


def test_every_contract_stands_on_a_topic_and_every_topics_contract_is_exported() -> None:
    named = {member for name in schemas.__all__ if isinstance(member := getattr(schemas, name), type)} - {
        schemas.TopicSpec
    }
    assert set(CONTRACTS.values()) == named == {spec.contract for spec in TOPICS.values()}


@every_contract
def test_a_schema_is_valid_in_both_drafts_that_read_it(model: type[Contract]) -> None:
    schema = export.json_schema(model)
    Draft202012Validator.check_schema(schema)
    Draft7Validator.check_schema({**schema, "$schema": "http://json-schema.org/draft-07/schema#"})


@every_contract
@given(data=st.data())
@settings(max_examples=100, suppress_health_check=list(HealthCheck))
def test_the_schema_and_the_model_accept_the_same(model: type[Contract], data: st.DataObject) -> None:
    """But for numbers: a schema knows no difference between 1 and 1.0, and no limit of an integer among numbers."""
    body = data.draw(strategies.bodies(model) | strategies.tampered(model))
    message = json.loads(body)
    by_schema = Draft202012Validator(export.json_schema(model)).is_valid(message)
    try:
        model.model_validate_json(body)
        by_model = True
    except ValidationError:
        by_model = False
    assert by_schema == by_model or (by_schema and any(map(_is_a_number_apart, _leaves(message))))


def _is_a_number_apart(leaf: Any) -> bool:
    return (isinstance(leaf, float) and leaf.is_integer()) or (isinstance(leaf, int) and abs(leaf) > INTEGER_MAX)


def _leaves(node: Any) -> list[Any]:
    members = node.values() if isinstance(node, dict) else node if isinstance(node, list) else None
    return [node] if members is None else [leaf for member in members for leaf in _leaves(member)]
