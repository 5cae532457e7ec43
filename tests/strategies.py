"""Hypothesis strategies over a contract's JSON Schema: messages that are valid, and messages with something put wrong.

They know nothing of pydantic or msgspec, so neither can lend the other its blind spots.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

from hypothesis import strategies as st

from schemas.export import json_schema
from schemas.vocabulary import Contract

Json = Any
INTEGER_EDGES = (-(2**63), -(2**63) + 1, -1, 0, 1, 2**53 + 1, 2**63 - 1, 2**63, 2**64, 10**30)

# Characters are any but surrogates, which JSON in UTF-8 cannot hold.
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
times = st.from_regex(
    r"(19|20)[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]"
    r"(\.[0-9]{1,9})?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])",
    fullmatch=True,
)
hex_digests = st.from_regex("[0-9a-f]{64}", fullmatch=True)
junk: st.SearchStrategy[Json] = st.recursive(
    st.none()
    | st.booleans()
    | st.sampled_from(INTEGER_EDGES)
    | st.sampled_from((0.0, -0.0, 1.0, 1.5, 1e308, 1e-320))
    | texts
    | st.sampled_from(
        ("x" * 129, "😀" * 128, "marketo", "lead", "partial", "source-change/2", "2026-01-01T00:00:00Z\n")
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=4,
)


@cache
def valid(model: type[Contract]) -> st.SearchStrategy[Json]:
    """Messages of this contract, as the objects that JSON says."""
    schema = json_schema(model)
    return _of(schema, schema.get("$defs", {}))


@cache
def bodies(model: type[Contract]) -> st.SearchStrategy[bytes]:
    """Valid bodies, in either of JSON's spellings of text."""
    return st.builds(_body, valid(model), st.booleans())


@cache
def tampered(model: type[Contract]) -> st.SearchStrategy[bytes]:
    """Bodies of this contract with some members put wrong; now and then one that is valid all the same."""
    return valid(model).flatmap(_mutated)


@st.composite
def damaged(draw: st.DrawFn, model: type[Contract]) -> bytes:
    """Valid bodies with some bytes cut out, put in or exchanged."""
    body = draw(bodies(model))
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(body)))
        end = min(len(body), start + draw(st.integers(0, 4)))
        body = (
            body[:start]
            + draw(st.binary(max_size=3) | st.sampled_from([b'"', b"}", b"\\u", b"1", b"-", b"\xff"]))
            + body[end:]
        )
    return body


def _body(message: Json, ascii_only: bool) -> bytes:
    return json.dumps(message, ensure_ascii=ascii_only).encode()


@st.composite
def _mutated(draw: st.DrawFn, message: Json) -> bytes:
    message = copy.deepcopy(message)
    for _ in range(draw(st.integers(1, 2))):
        holder, name = draw(st.sampled_from(list(_places(message))))
        change = draw(st.sampled_from(("replace", "remove", "add")))
        if change == "replace":
            holder[name] = draw(junk)
        elif change == "remove":
            del holder[name]
        elif isinstance(holder, dict):
            holder[draw(texts)] = draw(junk)
        if not message:
            break
    return _body(message, draw(st.booleans()))


def _places(node: Json) -> Iterator[tuple[Any, Any]]:
    """Every place in a message: what holds it, and its name or index there."""
    members = list(node.items()) if isinstance(node, dict) else list(enumerate(node)) if isinstance(node, list) else []
    for name, member in members:
        yield node, name
        yield from _places(member)


def _of(schema: Json, defs: Json) -> st.SearchStrategy[Json]:
    """What a schema allows. The keywords are those that pydantic's schemas of our contracts use."""
    if "$ref" in schema:
        return _of(defs[schema["$ref"].rpartition("/")[2]], defs)
    if "const" in schema:
        return st.just(schema["const"])
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    if "anyOf" in schema:
        return st.one_of([_of(branch, defs) for branch in schema["anyOf"]])
    return BY_TYPE[schema["type"]](schema, defs)


def _string(schema: Json, defs: Json) -> st.SearchStrategy[str]:
    if "pattern" in schema:
        return times if schema.get("format") == "date-time" else hex_digests
    shortest = schema.get("minLength", 0)
    longest = st.sampled_from(("x", "é", "😀")).map(
        lambda character: character * min(schema.get("maxLength", 300), 300)
    )
    return texts.filter(lambda text: len(text) >= shortest) | longest


def _integer(schema: Json, defs: Json) -> st.SearchStrategy[int]:
    low, high = schema.get("minimum", -(2**63) + 1), schema.get("maximum", 2**63 - 1)
    return st.integers(low, high) | st.sampled_from([low, high])


def _array(schema: Json, defs: Json) -> st.SearchStrategy[Json]:
    if "prefixItems" in schema:
        return st.tuples(*(_of(item, defs) for item in schema["prefixItems"])).map(list)
    return st.lists(_of(schema["items"], defs), max_size=min(schema.get("maxItems", 4), 4))


def _object(schema: Json, defs: Json) -> st.SearchStrategy[Json]:
    if "properties" not in schema:
        return st.dictionaries(
            _string(schema.get("propertyNames", {}), defs), _of(schema["additionalProperties"], defs), max_size=4
        )
    branches = [_properties(schema, branch["properties"], [], defs) for branch in schema.get("oneOf", [])]
    branches += [
        _properties(schema, rule["if"]["properties"], rule["then"]["required"], defs)
        for rule in schema.get("allOf", [])
    ]
    return st.one_of(branches or [_properties(schema, {}, [], defs)])


def _properties(schema: Json, narrowed: Json, needed: list[str], defs: Json) -> st.SearchStrategy[Json]:
    """An object with its required members, those that its kind needs (not null), and some of the others."""
    properties = schema["properties"] | narrowed
    known = {name: _of(properties[name], defs) for name in properties}
    for name in needed:
        known[name] = known[name].filter(lambda value: value is not None)
    required = {name: known.pop(name) for name in {*schema["required"], *narrowed, *needed}}
    return st.fixed_dictionaries(required, optional=known)


BY_TYPE: dict[str, Callable[[Json, Json], st.SearchStrategy[Json]]] = {
    "null": lambda schema, defs: st.none(),
    "boolean": lambda schema, defs: st.booleans(),
    "number": lambda schema, defs: st.floats(allow_nan=False, allow_infinity=False),
    "integer": _integer,
    "string": _string,
    "array": _array,
    "object": _object,
}
