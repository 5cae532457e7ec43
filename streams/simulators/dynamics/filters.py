"""`$filter` and `$orderby`: read into functions over a row. Texts compare without regard to case, as Dataverse does.

`ne` is also true of null; every other comparison with null is false, except `eq null`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from streams.simulators.dynamics.answers import bad_query
from streams.simulators.dynamics.call import GUID

Row = Mapping[str, Any]
Test = Callable[[Row], bool]
NameOf = Callable[[str], str]
"""A property as the query spells it -> as the row does. Raises ApiError for one that the table lacks."""

_TOKEN = re.compile(
    r"\s*(?:(?P<text>'(?:[^']|'')*')|(?P<sign>[(),\[\]=])|(?P<word>[^\s(),\[\]='\"]+)|(?P<quoted>\"[^\"]*\"))"
)
_IN = "Microsoft.Dynamics.CRM.In"
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
_CONSTANTS: Mapping[str, Any] = {"null": None, "true": True, "false": False}

_COMPARISONS: Mapping[str, Callable[[Any, Any], bool]] = {
    "eq": lambda held, asked: held == asked,
    "ne": lambda held, asked: held != asked,
    "gt": lambda held, asked: held is not None and asked is not None and held > asked,
    "ge": lambda held, asked: held is not None and asked is not None and held >= asked,
    "lt": lambda held, asked: held is not None and asked is not None and held < asked,
    "le": lambda held, asked: held is not None and asked is not None and held <= asked,
}
_FUNCTIONS: Mapping[str, Callable[[str, str], bool]] = {
    "contains": lambda held, asked: asked in held,
    "startswith": lambda held, asked: held.startswith(asked),
    "endswith": lambda held, asked: held.endswith(asked),
}


class Filter:
    """A parser of one `$filter`; `test` is what it says."""

    def __init__(self, text: str, name_of: NameOf) -> None:
        self._text, self._name_of = text, name_of
        self._tokens = _tokens(text)
        self._at = 0
        self.test = self._either()
        if self._at < len(self._tokens):
            raise self._error()

    def _either(self) -> Test:
        tests = [self._both()]
        while self._takes("or"):
            tests.append(self._both())
        return tests[0] if len(tests) == 1 else lambda row: any(test(row) for test in tests)

    def _both(self) -> Test:
        tests = [self._one()]
        while self._takes("and"):
            tests.append(self._one())
        return tests[0] if len(tests) == 1 else lambda row: all(test(row) for test in tests)

    def _one(self) -> Test:
        if self._takes("not"):
            test = self._one()
            return lambda row: not test(row)
        if self._takes("("):
            inner = self._either()
            self._need(")")
            return inner
        name = self._next()
        if name in _FUNCTIONS:
            return self._function(_FUNCTIONS[name])
        return self._in() if name == _IN else self._comparison(name)

    def _function(self, function: Callable[[str, str], bool]) -> Test:
        self._need("(")
        name = self._name_of(self._next())
        self._need(",")
        asked = str(_literal(self._next())).casefold()
        self._need(")")
        return lambda row: isinstance(row[name], str) and function(row[name].casefold(), asked)

    def _comparison(self, name: str) -> Test:
        compare = _COMPARISONS.get(self._next())
        if compare is None:
            raise self._error()
        name, asked = self._name_of(name), _literal(self._next())

        def test(row: Row) -> bool:
            try:
                return compare(_comparable(row[name]), _comparable(asked))
            except TypeError:
                return False

        return test

    def _in(self) -> Test:
        """`Microsoft.Dynamics.CRM.In(PropertyName='x',PropertyValues=['a','b'])`"""
        parts = [token for token in self._rest_of_call() if token not in (",", "=", "[", "]")]
        if len(parts) < 3 or parts[0] != "PropertyName" or parts[2] != "PropertyValues":
            raise self._error()
        name = self._name_of(str(_literal(parts[1])))
        asked = {str(_literal(part)).casefold() for part in parts[3:]}
        return lambda row: str(row[name]).casefold() in asked

    def _rest_of_call(self) -> list[str]:
        self._need("(")
        found = []
        while not self._takes(")"):
            found.append(self._next())
        return found

    def _next(self) -> str:
        if self._at >= len(self._tokens):
            raise self._error()
        self._at += 1
        return self._tokens[self._at - 1]

    def _takes(self, token: str) -> bool:
        is_next = self._at < len(self._tokens) and self._tokens[self._at].lower() == token
        self._at += is_next
        return is_next

    def _need(self, token: str) -> None:
        if not self._takes(token):
            raise self._error()

    def _error(self) -> Exception:
        return bad_query(f"Syntax error in the $filter expression '{self._text}'.")


def ordering(text: str | None, name_of: NameOf) -> list[tuple[str, bool]]:
    """(property, is descending) of an `$orderby`."""
    found = []
    for part in (text or "").split(","):
        name, _, direction = part.strip().partition(" ")
        if name:
            found.append((name_of(name), direction.strip().lower() == "desc"))
    return found


def sort_key(value: Any) -> tuple[int, Any]:
    """Nulls first, numbers, then texts without regard to case."""
    if value is None:
        return (0, 0)
    return (1, value) if isinstance(value, (bool, int, float)) else (2, str(value).casefold())


def _tokens(text: str) -> list[str]:
    found, at = [], 0
    while text[at:].strip():
        match = _TOKEN.match(text, at)
        if match is None:
            raise bad_query(f"Syntax error at position {at} in '{text}'.")
        found.append(match.group().strip())
        at = match.end()
    return found


def _literal(token: str) -> Any:
    if token[:1] == "'":
        return token[1:-1].replace("''", "'")
    if token[:1] == '"':
        return token[1:-1]
    if token in _CONSTANTS:
        return _CONSTANTS[token]
    if GUID.fullmatch(token):
        return token.lower()
    if _NUMBER.fullmatch(token):
        return float(token) if "." in token else int(token)
    return token  # a day or a time


def _comparable(value: Any) -> Any:
    return value.casefold() if isinstance(value, str) else value
