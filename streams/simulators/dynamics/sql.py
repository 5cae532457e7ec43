"""`GET leads?sql=SELECT ...`: one table, said in the words of the other query options. No joins, no functions, no writes."""

from __future__ import annotations

import re
from dataclasses import replace

from streams.simulators.dynamics import listing
from streams.simulators.dynamics.answers import Reply, bad_query, not_simulated
from streams.simulators.dynamics.call import Call
from streams.simulators.dynamics.fetching import condition
from streams.simulators.dynamics.instance import DynamicsInstance
from streams.simulators.dynamics.schema import Table

_SELECT = re.compile(
    r"select\s+(?:top\s+(?P<top>\d+)\s+)?(?P<names>[\w\s,.]+?)\s+from\s+(?P<table>\w+)"
    r"(?:\s+where\s+(?P<where>.+?))?(?:\s+order\s+by\s+(?P<order>[\w\s,.]+?))?\s*;?",
    re.IGNORECASE | re.DOTALL,
)
_TOKEN = re.compile(r"\s*('(?:[^']|'')*'|<>|!=|>=|<=|[=<>(),]|[^\s=<>!(),']+)")
_OPERATORS = {"=": "eq", "<>": "ne", "!=": "ne", ">": "gt", ">=": "ge", "<": "lt", "<=": "le"}


def rows(instance: DynamicsInstance, table: Table, call: Call) -> Reply:
    """What the statement finds."""
    match = _SELECT.fullmatch(call.query["sql"].strip())
    if match is None:
        raise not_simulated("This SQL statement")
    if match["table"].lower() != table.logical_name:
        raise bad_query(f"The statement reads another table than {table.entity_set}.")
    query = {"$select": ",".join(_bare(name) for name in match["names"].split(","))}
    if match["where"]:
        query["$filter"] = _Where(table, match["where"]).text
    if match["order"]:
        query["$orderby"] = ",".join(_bare(part).lower() for part in match["order"].split(","))
    if match["top"]:
        query["$top"] = match["top"]
    return listing.rows(instance, table, replace(call, query=query))


class _Where:
    """A WHERE clause; `text` is the `$filter` that means the same."""

    def __init__(self, table: Table, clause: str) -> None:
        self._table = table
        self._tokens = _TOKEN.findall(clause)
        self._at = 0
        self.text = self._joined()
        if self._at < len(self._tokens):
            raise bad_query(f"Incorrect syntax near '{self._tokens[self._at]}'.")

    def _joined(self) -> str:
        parts = [self._one()]
        while self._at < len(self._tokens) and self._tokens[self._at].lower() in ("and", "or"):
            parts += [self._next().lower(), self._one()]
        return " ".join(parts)

    def _one(self) -> str:
        if self._takes("not"):
            return f"not {self._one()}"
        if self._takes("("):
            inner = self._joined()
            self._need(")")
            return f"({inner})"
        return self._condition(_bare(self._next()).lower())

    def _condition(self, name: str) -> str:
        if self._takes("is"):
            operator = "not-null" if self._takes("not") else "null"
            self._need("null")
            return condition(self._table, name, operator, [])
        negated = "not-" if self._takes("not") else ""
        if self._takes("like"):
            return condition(self._table, name, f"{negated}like", [_unquoted(self._next())])
        if self._takes("in"):
            return condition(self._table, name, f"{negated}in", self._list())
        sign = self._next()
        if sign not in _OPERATORS:
            raise bad_query(f"Incorrect syntax near '{sign}'.")
        return condition(self._table, name, _OPERATORS[sign], [_unquoted(self._next())])

    def _list(self) -> list[str]:
        self._need("(")
        found = [_unquoted(self._next())]
        while self._takes(","):
            found.append(_unquoted(self._next()))
        self._need(")")
        return found

    def _next(self) -> str:
        if self._at >= len(self._tokens):
            raise bad_query("The WHERE clause breaks off.")
        self._at += 1
        return str(self._tokens[self._at - 1])

    def _takes(self, word: str) -> bool:
        is_next = self._at < len(self._tokens) and self._tokens[self._at].lower() == word
        self._at += is_next
        return is_next

    def _need(self, word: str) -> None:
        if not self._takes(word):
            raise bad_query(f"Incorrect syntax: '{word}' is missing in the WHERE clause.")


def _bare(name: str) -> str:
    """A column without its table's name."""
    return name.strip().rpartition(".")[2]


def _unquoted(token: str) -> str:
    return token[1:-1].replace("''", "'") if token[:1] == "'" else token
