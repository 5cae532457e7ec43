"""Writes what other teams read: a JSON Schema of each contract, and the AsyncAPI document of the topics.

`python -m schemas.export` writes them, `--check` says which file differs from its model. The schemas keep to what
draft 7 (which AsyncAPI 3.0 speaks) and draft 2020-12 have in common, so that one file serves both.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic.json_schema import GenerateJsonSchema

from schemas.asyncapi import contract_name, document
from schemas.topics import TOPICS
from schemas.vocabulary import Contract

HERE = Path(__file__).parent
COMMAND = "python -m schemas.export"


class _Untitled(GenerateJsonSchema):
    """Without a title for each member: it would only repeat its name."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


def contracts() -> dict[str, type[Contract]]:
    """Every contract that stands on a topic, by the name of its file."""
    return {"{}.v{}.json".format(*contract_name(spec.contract)): spec.contract for spec in TOPICS.values()}


def json_schema(model: type[Contract]) -> dict[str, Any]:
    """The JSON Schema of one contract."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "urn:leadsync:{}:{}".format(*contract_name(model)),
        **model.model_json_schema(schema_generator=_Untitled),
    }


def files() -> dict[Path, str]:
    """Every generated file, relative to this package, with its text."""
    schemas = {Path("json", name): json.dumps(json_schema(model), indent=2) for name, model in contracts().items()}
    head = f"# Generated from the models: {COMMAND}"
    return {
        **{path: f"{text}\n" for path, text in schemas.items()},
        Path("asyncapi.yaml"): "\n".join([head, *_yaml(document())]) + "\n",
    }


_plain = re.compile(r"[A-Za-z/][\w ./-]*(?<! )")
_not_text = re.compile(r"(?i)true|false|null|yes|no|on|off|y|n")


def _yaml(value: Any, indent: str = "") -> Iterator[str]:
    """Block YAML of what JSON can say: the few lines that spare this package a dependency. Lists stand in flow style."""
    for name, member in value.items():
        if isinstance(member, Mapping) and member:
            yield f"{indent}{_scalar(name)}:"
            yield from _yaml(member, f"{indent}  ")
        elif isinstance(member, list) and any(isinstance(item, Mapping) for item in member):
            yield f"{indent}{_scalar(name)}:"
            for item in member:
                first, *rest = _yaml(item, f"{indent}    ")
                yield f"{indent}  - {first.lstrip()}"
                yield from rest
        else:
            yield f"{indent}{_scalar(name)}: {_scalar(member)}"


def _scalar(value: Any) -> str:
    if isinstance(value, str) and _plain.fullmatch(value) and not _not_text.fullmatch(value):
        return value
    return json.dumps(value)


def differing(root: Path = HERE) -> list[str]:
    """What under `root` is not as the models say, one sentence each with the command that mends it."""
    expected = files()
    wrong = [path for path, text in expected.items() if not _holds(root / path, text)]
    orphans = [
        path.relative_to(root) for path in sorted((root / "json").glob("*")) if path.relative_to(root) not in expected
    ]
    return [
        *(f"schemas/{path} differs from its model; run: {COMMAND}" for path in wrong),
        *(f"schemas/{path} has no contract; run: {COMMAND}" for path in orphans),
    ]


def _holds(path: Path, text: str) -> bool:
    return path.is_file() and path.read_text(encoding="utf-8") == text


def write(root: Path = HERE) -> None:
    """Bring the files under `root` to what the models say; a file in `json/` that no contract owns is removed."""
    (root / "json").mkdir(parents=True, exist_ok=True)
    expected = files()
    for path in (root / "json").glob("*"):
        if path.relative_to(root) not in expected:
            path.unlink()
    for relative, text in expected.items():
        (root / relative).write_text(text, encoding="utf-8")


def main(arguments: list[str], root: Path = HERE) -> None:
    """`--check` ends with status 1 and names each file that differs; without it they are written."""
    if arguments not in ([], ["--check"]):
        raise SystemExit(f"usage: {COMMAND} [--check]")
    if not arguments:
        write(root)
    elif problems := differing(root):
        raise SystemExit("\n".join(problems))


if __name__ == "__main__":
    main(sys.argv[1:])
