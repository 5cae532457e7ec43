"""Every example is a valid message of its contract, by every reader there is; every contract and kind has some."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest
from jsonschema import Draft7Validator, Draft202012Validator

from schemas.activity import ActivityKind
from schemas.asyncapi import contract_name
from schemas.export import HERE, contracts
from schemas.person_change import PersonKind
from schemas.source_change import SourceKind
from schemas.vocabulary import Answer, Contract, Operation
from streams.codec import encode
from streams.sync import messages

EXAMPLES = HERE / "examples"
FOLDERS: dict[Path, type[Contract]] = {
    EXAMPLES.joinpath("{}/v{}".format(*contract_name(model))): model for model in contracts().values()
}
FILES = sorted(path for path in EXAMPLES.rglob("*") if path.is_file())
EXAMPLES_MIN = 2
COVERED: dict[str, tuple[str, Any, int]] = {
    "source-change": ("kind", SourceKind, 2),
    "person-change": ("kind", PersonKind, 2),
    "apply-command": ("operation", Operation, 2),
    "apply-result": ("answer", Answer, 2),
    "activity": ("kind", ActivityKind, 1),
}
READ_HOT = [path for path in FILES if path.parent in FOLDERS and hasattr(messages, FOLDERS[path.parent].__name__)]


def story(path: Path) -> str:
    return str(path.relative_to(EXAMPLES))


every_example = pytest.mark.parametrize("path", FILES, ids=story)
every_read_hot = pytest.mark.parametrize("path", READ_HOT, ids=story)


@every_example
def test_an_example_tells_a_story_of_a_contract_that_exists(path: Path) -> None:
    assert path.parent in FOLDERS, f"{path} belongs to no contract: one of {', '.join(map(str, FOLDERS))}"
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)+\.json", path.name), "name it after its story, in-words-like-these.json"


@every_example
def test_the_published_model_reads_an_example_whole(path: Path) -> None:
    """Nothing may be left over: a model passes over members that it does not know, an example must have none."""
    example = json.loads(path.read_text(encoding="utf-8"))
    message = FOLDERS[path.parent].model_validate_json(path.read_bytes())
    assert json.loads(message.model_dump_json(exclude_unset=True)) == example
    assert example["contract"] == type(message).model_fields["contract"].default


@every_example
@pytest.mark.parametrize("draft", [Draft202012Validator, Draft7Validator])
def test_the_published_schema_takes_an_example(path: Path, draft: Any) -> None:
    name, version = path.relative_to(EXAMPLES).parts[:2]
    schema = json.loads((HERE / "json" / f"{name}.{version}.json").read_text(encoding="utf-8"))
    draft(schema).validate(json.loads(path.read_text(encoding="utf-8")))


@every_read_hot
def test_the_hot_path_reads_an_example_as_the_model_does(path: Path) -> None:
    model = FOLDERS[path.parent]
    message = msgspec.json.decode(path.read_bytes(), type=getattr(messages, model.__name__))
    published = model.model_validate_json(path.read_bytes()).model_dump(mode="json", exclude_defaults=True)
    assert json.loads(encode(message)) == {"contract": model.model_fields["contract"].default, **published}


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: str(folder.relative_to(EXAMPLES)))
def test_every_contract_has_examples_of_every_kind(folder: Path) -> None:
    examples = [json.loads(path.read_text(encoding="utf-8")) for path in folder.glob("*.json")]
    assert len(examples) >= EXAMPLES_MIN, f"write at least {EXAMPLES_MIN} stories into {folder}"
    if folder.parent.name in COVERED:
        member, words, least = COVERED[folder.parent.name]
        told = Counter(example[member] for example in examples)
        lacking = {word: least - told[word] for word in get_args(words) if told[word] < least}
        assert not lacking, f"{folder} lacks stories by {member}: {lacking}"
