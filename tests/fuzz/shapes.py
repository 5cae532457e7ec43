"""Messages that a JSON Schema allows, made fast: some twenty microseconds each, so that a million is no matter.

A schema is compiled into closures once. Only the keywords that the schemas of our contracts use are known; an unknown one is an
error, so that no rule of a contract is passed over in silence. Values lean to the edges: empty, longest, largest, and texts
that other programs stumble over.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from random import Random
from typing import Any

from schemas.export import json_schema
from schemas.limits import INTEGER_MAX
from schemas.vocabulary import Contract

Make = Callable[[Random], Any]

KNOWN_KEYWORDS = {
    *(
        "$schema",
        "$id",
        "$defs",
        "$ref",
        "title",
        "description",
        "default",
        "format",
        "type",
        "const",
        "enum",
        "pattern",
    ),
    *("anyOf", "oneOf", "allOf", "properties", "required", "additionalProperties", "propertyNames", "maxProperties"),
    *("items", "prefixItems", "minItems", "maxItems", "minLength", "maxLength", "minimum", "maximum"),
}
LONG = 1 / 4_000  # of texts are as long as their schema allows, where that is long
OPTIONAL = 0.25  # of optional members are there
AWKWARD = (
    "", " ", "\x00", "a\x00b", "\n", "\r\n", "\t", "é", "ß", "İ", "😀", "👩‍👩‍👧‍👦", "\u200b", "\u202eabc", "\ufeff", "\uffff", "\U0010ffff",
    "null", "None", "true", "false", "0", "-0", "-1", "1e5", "1e400", "NaN", "Infinity", "0x10", "٣", "²", "1,5", "10.40",
    "2026-09-01", "2026-02-30", "0000-01-01", "9999-12-31T23:59:59.999999999Z", "2026-09-01T09:14:07+0000", "24:00:00",
    "a;b", ";;;", "1,2,3", "{}", "[]", '"', "\\", "\\u0000", "</script>", "' OR 1=1 --", "%s%n", "${jndi:ldap://x}", "a@b.co",
    "@", "http://x.y", "http://", "+1 555 0100", "Lead", "Contact", "Web", "Hot", "leadsync", "x" * 128, "ﬁ" * 64,
)  # fmt: skip
ZONES = ("Z", "Z", "Z", "+00:00", "-00:00", "+23:59", "-23:59", "+05:30")


def shape(model: type[Contract]) -> Make:
    """Makes messages of this contract, as the objects that JSON says."""
    schema = json_schema(model)
    return _of(schema, schema.get("$defs", {}))


def _of(schema: Mapping[str, Any], defs: Mapping[str, Any]) -> Make:
    unknown = schema.keys() - KNOWN_KEYWORDS
    assert not unknown, f"the fuzz does not know {unknown}: teach it, or no message keeps or breaks that rule"
    if "$ref" in schema:
        return _of(defs[schema["$ref"].rpartition("/")[2]], defs)
    if "const" in schema:
        return _constant(schema["const"])
    if "enum" in schema:
        words = schema["enum"]
        return lambda random: random.choice(words)
    if "anyOf" in schema:
        branches = [_of(branch, defs) for branch in schema["anyOf"]]
        return lambda random: random.choice(branches)(random)
    return _BY_TYPE[schema["type"]](schema, defs)


def _constant(value: Any) -> Make:
    return lambda random: value


def _string(schema: Mapping[str, Any], defs: Mapping[str, Any]) -> Make:
    if schema.get("format") == "date-time":
        return _time
    if schema.get("pattern") == "^[0-9a-f]{64}$":
        return lambda random: f"{random.getrandbits(256):064x}"
    assert "pattern" not in schema, f"the fuzz does not know the pattern {schema['pattern']}"
    shortest, longest = schema.get("minLength", 0), schema.get("maxLength", 1_000)

    def make(random: Random) -> str:
        chance = random.random()
        if chance < LONG or (longest <= 1_000 and chance < 0.02):
            return random.choice("xé😀\x00") * longest
        if chance < 0.3:
            text = random.choice(AWKWARD)
        else:
            text = f"{random.getrandbits(20):x}"
        return text[:longest] if len(text) >= shortest else "x" * shortest

    return make


def _time(random: Random) -> str:
    fraction = f".{random.getrandbits(29):09}"[: random.randint(2, 10)] if random.random() < 0.5 else ""
    year = random.choice((0, 1, 1970, 2026, 2026, 2026, 9999))
    day = f"{year:04}-{random.randint(1, 12):02}-{random.randint(1, 31):02}"
    clock = f"{random.randint(0, 23):02}:{random.randint(0, 59):02}:{random.randint(0, 59):02}"
    return f"{day}T{clock}{fraction}{random.choice(ZONES)}"


def _integer(schema: Mapping[str, Any], defs: Mapping[str, Any]) -> Make:
    low, high = schema.get("minimum", -INTEGER_MAX), schema.get("maximum", INTEGER_MAX)
    edges = [each for each in (low, low + 1, 0, 1, 2, 2**31 - 1, 2**31, 2**53, 2**53 + 1, high) if low <= each <= high]

    def make(random: Random) -> int:
        return random.choice(edges) if random.random() < 0.3 else min(high, max(low, random.getrandbits(12)))

    return make


def _number(schema: Mapping[str, Any], defs: Mapping[str, Any]) -> Make:
    edges = (0.0, -0.0, 1.0, 0.1, 1.5, -2.75, 1e308, -1.7976931348623157e308, 5e-324, 1e16, 2.0**63, 1 / 3)
    return lambda random: random.choice(edges)


def _array(schema: Mapping[str, Any], defs: Mapping[str, Any]) -> Make:
    if "prefixItems" in schema:
        makes = [_of(item, defs) for item in schema["prefixItems"]]
        return lambda random: [make(random) for make in makes]
    item, longest = _of(schema["items"], defs), schema.get("maxItems", 4)

    def make(random: Random) -> list[Any]:
        count = longest if random.random() < LONG else random.randint(0, min(3, longest))
        return [item(random) for _ in range(count)]

    return make


def _object(schema: Mapping[str, Any], defs: Mapping[str, Any]) -> Make:
    if "properties" not in schema:
        return _mapping(schema, defs)
    choices = [_members(schema, branch["properties"], (), defs) for branch in schema.get("oneOf", ())]
    ruled: set[str] = set()
    for rule in schema.get("allOf", ()):
        (_, chosen), *more = rule["if"]["properties"].items()
        assert not more and rule.keys() == {"if", "then"}, "the fuzz knows rules of one discriminator only"
        ruled.add(chosen["const"])
        choices.append(_members(schema, rule["if"]["properties"], rule["then"]["required"], defs))
    for word in schema["properties"].get("kind", {}).get("enum", ()):
        if word not in ruled and ruled:
            choices.append(_members(schema, {"kind": {"const": word}}, (), defs))
    choices = choices or [_members(schema, {}, (), defs)]
    return lambda random: random.choice(choices)(random)


def _members(schema: Mapping[str, Any], narrowed: Mapping[str, Any], needed: Any, defs: Mapping[str, Any]) -> Make:
    """An object with its required members, those that its kind needs (not null), and some of the others."""
    makes = {name: _of(member, defs) for name, member in (schema["properties"] | narrowed).items()}
    needed_makes = {name: _not_null(makes.pop(name)) for name in needed}
    required = {name: makes.pop(name) for name in dict.fromkeys((*schema["required"], *narrowed)) if name in makes}
    optional = list(makes.items())
    always = list((required | needed_makes).items())

    def make(random: Random) -> dict[str, Any]:
        made = {name: each(random) for name, each in always}
        draw = random.random
        for name, each in optional:
            if draw() < OPTIONAL:
                made[name] = each(random)
        return made

    return make


def _not_null(make: Make) -> Make:
    def made(random: Random) -> Any:
        while (value := make(random)) is None:
            pass
        return value

    return made


def _mapping(schema: Mapping[str, Any], defs: Mapping[str, Any]) -> Make:
    name, value = _string(schema.get("propertyNames", {}), defs), _of(schema["additionalProperties"], defs)
    most = schema.get("maxProperties", 16)

    def make(random: Random) -> dict[str, Any]:
        count = most if random.random() < LONG else random.randint(0, 4)
        return {name(random): value(random) for _ in range(count)}

    return make


_BY_TYPE: Mapping[str, Callable[[Mapping[str, Any], Mapping[str, Any]], Make]] = {
    "null": lambda schema, defs: _constant(None),
    "boolean": lambda schema, defs: lambda random: random.random() < 0.5,
    "number": _number,
    "integer": _integer,
    "string": _string,
    "array": _array,
    "object": _object,
}
