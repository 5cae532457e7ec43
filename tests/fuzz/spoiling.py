"""What can be wrong with a message: ways to spoil its bytes, its members, its key and its headers.

Each takes what it needs by chance from the generator it is given, so that a seed tells the whole story. Not every spoilt message
is bad: a flipped bit in a value is another value. What should become of it is for `judging` to say.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from random import Random
from typing import Any

from schemas.limits import (
    BODY_BYTES_MAX,
    FIELDS_MAX,
    ID_CHARACTERS_MAX,
    MESSAGE_BYTES_MAX,
    NAME_CHARACTERS_MAX,
    NESTING_MAX,
    OPTIONS_MAX,
    PERSON_KEY_CHARACTERS_MAX,
    REVISION_MAX,
    TEXT_CHARACTERS_MAX,
    VALUE_CHARACTERS_MAX,
)

Json = dict[str, Any]
Headers = list[tuple[str, bytes | None]]

LARGEST_BYTES = MESSAGE_BYTES_MAX - 64 * 1024  # with its key and headers it still fits on a topic
JUNK: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 1.0, 0.5, "", "x", "1", [], {}, [None], {"": None}, [[]], [1, "a"], {"a": {"b": []}},
    2**31, 2**53 + 1, 2**63 - 1, 2**63, -(2**63), 2**64, 10**40, 1e308, -0.0, "x" * (NAME_CHARACTERS_MAX + 1),
    "null", "2026-09-01", "2026-09-01T09:14:07Z\n", "Marketo", "lead ", "source-change/2", "\ud800",
)  # fmt: skip
RAW_VALUES = (
    b"NaN", b"Infinity", b"-Infinity", b"1e400", b"-1e999", b"01", b"1.", b".5", b"+1", b"0x10", b"1_000", b"--1", b"1e",
    b"9" * 5_000, b"0." + b"9" * 3_000, b'"\\ud800"', b'"\\udc00\\ud800"', b'"\\u12"', b'"\\x41"', b'"\xff"', b'"\xed\xa0\x80"',
    b'"\xc0\xaf"', b'"a\nb"', b'"\x00"', b'"\\u0000"', b"'x'", b"undefined", b"True", b"None", b"nulll", b"tru", b"[1,]", b"[,1]",
    b'{"a":1,}', b'{"a" 1}', b'{a:1}', b"/* x */ 1", b"1 // x", b"", b'"', b"[", b"{", b"]", b"}",
)  # fmt: skip
SPLICES = (
    b'"',
    b"}",
    b"{",
    b"]",
    b"[",
    b",",
    b":",
    b"\\",
    b"\\u",
    b"\x00",
    b"\xff",
    b"\xef\xbb\xbf",
    b"0",
    b"-",
    b" " * 100,
)


def flipped(body: bytes, random: Random) -> bytes:
    """One to four bits are another."""
    if not body:
        return body
    damaged = bytearray(body)
    for _ in range(random.randint(1, 4)):
        damaged[random.randrange(len(damaged))] ^= 1 << random.randrange(8)
    return bytes(damaged)


def cut_off(body: bytes, random: Random) -> bytes:
    return body[: random.randrange(len(body) + 1)]


def a_piece_cut_out(body: bytes, random: Random) -> bytes:
    start = random.randrange(len(body) + 1)
    return body[:start] + body[start + random.choice((1, 1, 2, 8, 64)) :]


def spliced(body: bytes, random: Random) -> bytes:
    at = random.randrange(len(body) + 1)
    return body[:at] + random.choice(SPLICES) + body[at:]


def a_piece_twice(body: bytes, random: Random) -> bytes:
    start = random.randrange(len(body) + 1)
    end = start + random.choice((1, 4, 40))
    return body[:end] + body[start:end] + body[end:]


def byte_order_mark(body: bytes, random: Random) -> bytes:
    return b"\xef\xbb\xbf" + body


def another_encoding(body: bytes, random: Random) -> bytes:
    return body.decode(errors="replace").encode(
        random.choice(("utf-16", "utf-16-be", "utf-32", "utf-7", "cp037")), "replace"
    )


def random_bytes(body: bytes, random: Random) -> bytes:
    return random.randbytes(random.choice((1, 3, 30, 300, 3_000)))


def tombstone(body: bytes, random: Random) -> bytes | None:
    return None


def emptied(body: bytes, random: Random) -> bytes:
    return random.choice((b"", b" ", b"\n", b"null", b"{}", b"[]", b'""', b"0", b"true"))


def two_in_one(body: bytes, random: Random) -> bytes:
    return body + random.choice((b"", b"\n", b",", b"\x1e")) + body


def wrapped(body: bytes, random: Random) -> bytes:
    return random.choice((b"[%s]", b'{"payload":%s}', b'"%s"', b"data: %s\n\n", b"\x00\x00\x00\x00\x01%s")) % body


def nested(body: bytes, random: Random) -> bytes:
    """Lists or objects within each other, from just below the limit to far beyond what any stack holds."""
    depth = random.choice(
        (NESTING_MAX - 2, NESTING_MAX - 1, NESTING_MAX, NESTING_MAX + 1, 300, 990, 1_100, 5_000, 100_000)
    )
    opening, closing = random.choice(((b"[", b"]"), (b'{"a":', b"}"), (b'[{"a":', b"}]")))
    end = closing * depth if random.random() < 0.8 else b""
    return _with(body, b'"deep":' + opening * depth + (b"1" if opening != b"[" else b"") + end)


def wide(body: bytes, random: Random) -> bytes:
    """More brackets than may be nested, beside each other."""
    return _with(body, b'"wide":[' + b",".join([b'[{"a":"}]["}]'] * random.choice((150, 300, 3_000))) + b"]")


def white_space(body: bytes, random: Random) -> bytes:
    return random.choice((b" ", b"\n", b"\t", b"\r\n")) * random.choice((1, 100)) + body + b"\n"


def a_member_twice(body: bytes, random: Random) -> bytes:
    name = random.choice(
        (b"contract", b"kind", b"record", b"version", b"fields", b"person_key", b"change_id", b"scope")
    )
    return _with(body, b'"%s":%s' % (name, json.dumps(random.choice(JUNK)).encode()))


def a_raw_value(body: bytes, random: Random) -> bytes:
    """What JSON has no word for, or spells otherwise, in a member that is known or not."""
    name = random.choice((b"x", b"x", b"version", b"who", b"time", b"fields", b"revision"))
    return _with(body, b'"%s":%s' % (name, random.choice(RAW_VALUES)))


def a_raw_value_for_a_field(body: bytes, random: Random) -> bytes:
    return body.replace(b'"fields":{', b'"fields":{"x":%s,' % random.choice(RAW_VALUES), 1)


def at_the_limit_of_bodies(body: bytes, random: Random) -> bytes:
    """Exactly as long as may be, or a byte more."""
    room = BODY_BYTES_MAX - len(body) + random.choice((0, 0, 1))
    return body + b" " * room if random.random() < 0.5 else _with(body, b'"filler":"%s"' % (b"x" * max(0, room - 12)))


def far_too_large(body: bytes, random: Random) -> bytes:
    return _with(body, b'"filler":"%s"' % (b"x" * random.choice((2 * BODY_BYTES_MAX, LARGEST_BYTES - len(body) - 20))))


def brackets_only(body: bytes, random: Random) -> bytes:
    return random.choice((b"[]", b"[", b"{", b'{"a":', b'["', b"[{},")) * random.choice((100_000, BODY_BYTES_MAX // 6))


def _with(body: bytes, member: bytes) -> bytes:
    head, closing, tail = body.rpartition(b"}")
    return head + (b"," if head.rstrip() not in (b"", b"{") else b"") + member + closing + tail


OF_BYTES: Mapping[str, tuple[Callable[[bytes, Random], bytes | None], float]] = {
    each.__name__: (each, weight)
    for each, weight in (
        (flipped, 10.0),
        (cut_off, 5.0),
        (a_piece_cut_out, 5.0),
        (spliced, 5.0),
        (a_piece_twice, 3.0),
        (byte_order_mark, 1.0),
        (another_encoding, 1.0),
        (random_bytes, 1.0),
        (tombstone, 2.0),
        (emptied, 2.0),
        (two_in_one, 1.0),
        (wrapped, 1.0),
        (nested, 0.3),
        (wide, 0.3),
        (white_space, 1.0),
        (a_member_twice, 3.0),
        (a_raw_value, 4.0),
        (a_raw_value_for_a_field, 4.0),
        (at_the_limit_of_bodies, 0.01),
        (far_too_large, 0.005),
        (brackets_only, 0.01),
    )
}
"""Each with how often, against the others; the large ones are rare, since each weighs as much as a thousand others."""


def another_value(message: Json, random: Random) -> None:
    """A member, however deep, is something else."""
    holder, name = _place(message, random)
    holder[name] = random.choice(JUNK)


def a_member_less(message: Json, random: Random) -> None:
    holder, name = _place(message, random)
    del holder[name]


def a_member_more(message: Json, random: Random) -> None:
    holder, _ = _place(message, random)
    if isinstance(holder, dict):
        holder[random.choice(("x", "", "\x00", "id", "fields", "__proto__", "contract"))] = random.choice(JUNK)


def another_contract(message: Json, random: Random) -> None:
    own = str(message.get("contract"))
    message["contract"] = random.choice(
        (
            own.replace("/1", "/2"),
            own.replace("/1", "/01"),
            own.upper(),
            f"{own} ",
            "activity/1",
            "",
            "x" * 300,
            "source-change/1",
            1,
            None,
        )
    )


def a_text_at_its_limit(message: Json, random: Random) -> None:
    """An id, a name or a text as long as may be, or one longer."""
    limits = {"who": NAME_CHARACTERS_MAX, "code": NAME_CHARACTERS_MAX, "message": TEXT_CHARACTERS_MAX}
    limits |= dict.fromkeys(("change_id", "result_id", "command_id", "owner"), ID_CHARACTERS_MAX)
    name, most = random.choice(list(limits.items()))
    message[name] = random.choice(("x", "é", "😀")) * (most + random.choice((0, 1)))


def a_value_at_its_limit(message: Json, random: Random) -> None:
    value = random.choice(("x", "é", "1;", "1,")) * VALUE_CHARACTERS_MAX
    _fields(message)[random.choice(("x", "lastName", "lastname"))] = value[
        : VALUE_CHARACTERS_MAX + random.choice((0, 1))
    ]


def fields_at_their_limit(message: Json, random: Random) -> None:
    fields = _fields(message)
    for number in range(FIELDS_MAX + random.choice((0, 1)) - len(fields)):
        fields[f"column{number}"] = random.choice((None, "x", 1, True))


def options_at_their_limit(message: Json, random: Random) -> None:
    _fields(message)["x"] = ["a"] * (OPTIONS_MAX + random.choice((0, 1)))


def a_number_at_its_limit(message: Json, random: Random) -> None:
    edges = (REVISION_MAX, REVISION_MAX + 1, 2**63 - 1, 2**63, -1, 1_000_000, 1_000_001)
    message[random.choice(("version", "revision", "creation"))] = random.choice(edges)


def another_person(message: Json, random: Random) -> None:
    message["person_key"] = random.choice(
        ("", "somebody else", "p" * (PERSON_KEY_CHARACTERS_MAX + 1), "p\x00", "p" * 128, 1, None)
    )


def another_record(message: Json, random: Random) -> None:
    record = message.get("record")
    if isinstance(record, dict):
        record[random.choice(("system", "type", "id"))] = random.choice(
            ("marketo", "dynamics", "person", "lead", "contact", "account", "", "x" * 129, 775)
        )


def another_policy(message: Json, random: Random) -> None:
    """Never a digest that could be one: a digest that `policies` does not hold ends the process, as it must."""
    message["policy"] = random.choice(("", "latest", "x" * 64, "F" * 64, "0" * 63, "0" * 65, "in-force", None))


def a_contract_of_its_own(message: Json, random: Random) -> None:
    message.clear()
    message.update({"specversion": "1.0", "type": "com.example", "data": {"kind": "created"}, "id": "1"})


def _place(message: Json, random: Random) -> tuple[Any, Any]:
    """Some place in the message: what holds it, and its name or index there."""
    holder: Any = message
    while True:
        names = list(holder) if isinstance(holder, dict) else range(len(holder))
        name = random.choice(names)
        inner = holder[name]
        if not isinstance(inner, dict | list) or not inner or random.random() < 0.3:
            return holder, name
        holder = inner


def _fields(message: Json) -> Json:
    fields = message.get("fields")
    if not isinstance(fields, dict):
        fields = message["fields"] = {}
    return fields


OF_MEMBERS: Mapping[str, tuple[Callable[[Json, Random], None], float]] = {
    each.__name__: (each, weight)
    for each, weight in (
        (another_value, 12.0),
        (a_member_less, 5.0),
        (a_member_more, 3.0),
        (another_contract, 2.0),
        (a_text_at_its_limit, 2.0),
        (a_value_at_its_limit, 0.02),
        (fields_at_their_limit, 0.1),
        (options_at_their_limit, 0.3),
        (a_number_at_its_limit, 3.0),
        (another_person, 2.0),
        (another_record, 3.0),
        (another_policy, 1.0),
        (a_contract_of_its_own, 0.5),
    )
}

KEYS: tuple[bytes | None, ...] = (
    None, b"", b"\xff\xfe", b"somebody else", b"\x00", b" ", b"k" * ID_CHARACTERS_MAX, b"k" * (ID_CHARACTERS_MAX + 1),
    "😀".encode() * ID_CHARACTERS_MAX, b"\xed\xa0\x80", b'{"id":1}', b"\xef\xbb\xbf775",
)  # fmt: skip
LARGE_KEYS = (b"k" * 100_000, b"\xff" * 2_000_000)


def another_key(random: Random) -> bytes | None:
    return random.choice(LARGE_KEYS) if random.random() < 0.001 else random.choice(KEYS)


def odd_headers(random: Random) -> Headers:
    """Headers are for other tools: whatever they are, they change nothing."""
    return random.choice(_HEADERS)


_HEADERS: tuple[Headers, ...] = (
    [("", b"")],
    [("x", None)],
    [("ce_id", b"1"), ("ce_id", b"2"), ("ce_type", b"com.example")],
    [("content-type", b"application/xml"), ("content-encoding", b"gzip")],
    [("ce_source", b"/leadsync/intake"), ("ce_time", b"yesterday")],
    [("trace", b"\xff\x00" * 700)],
    [("n" * 300, b"v" * 3_000)] * 3,
    [(f"h{number}", b"x") for number in range(300)],
)
