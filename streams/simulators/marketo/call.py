"""One call of the REST API, as an endpoint sees it, and the table entry of an endpoint."""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any

import orjson
from aiohttp import web
from multidict import MultiDict

from streams.simulators.faults import POISON_MARK, Faults
from streams.simulators.marketo.coercion import moment
from streams.simulators.marketo.envelope import Json, Refused
from streams.simulators.marketo.fields import names_in
from streams.simulators.marketo.instance import MarketoInstance
from streams.simulators.marketo.limits import Limits, Meter
from streams.simulators.marketo.origin import Origin, by_api

FORM = "application/x-www-form-urlencoded"


@dataclass
class Call:
    """`params`: of the query, and of the body where that is a form. `is_connector`: made with the first credentials."""

    request: web.Request
    instance: MarketoInstance
    faults: Faults
    limits: Limits
    meter: Meter
    request_id: str
    user: str
    is_connector: bool
    params: MultiDict[str]
    now: float

    def required(self, name: str) -> str:
        """A parameter. Raises Refused (701) where it is blank."""
        value = self.params.get(name, "").strip()
        if not value:
            raise Refused("701", f"{name} cannot be blank")
        return value

    def names(self, name: str) -> list[str]:
        """A list parameter, as one text with commas or given several times."""
        return names_in(self.params.getall(name, []))

    def ids(self, name: str, count_max: int) -> list[int]:
        """A list of ids. Raises Refused: 1001, or 1003 for too many."""
        try:
            found = [int(text) for text in self.names(name)]
        except ValueError:
            raise Refused("1001", f"Invalid value '{self.params[name]}'. Required of type 'integer'") from None
        if len(found) > count_max:
            raise Refused("1003", f"Too many values in {name}: {count_max} at most")
        return found

    def batch_size(self) -> int:
        """How many records a page may have. Raises Refused (1001)."""
        text = self.params.get("batchSize", str(self.limits.records))
        if not text.isdigit() or int(text) < 1:
            raise Refused("1001", f"Invalid value '{text}'. Required of type 'integer'")
        return min(int(text), self.limits.records)

    def path_id(self) -> str:
        """The id in the path."""
        return self.request.match_info["id"]

    async def body(self) -> Json:
        """The JSON object of the body. Raises Refused: 612, 609."""
        if self.request.content_type != "application/json":
            raise Refused("612", "Invalid Content Type")
        try:
            read = orjson.loads(await self.request.read())
        except orjson.JSONDecodeError:
            raise Refused("609", "Invalid JSON") from None
        if not isinstance(read, dict):
            raise Refused("609", "Invalid JSON")
        return read

    async def inputs(self, count_max: int) -> tuple[Json, list[Any]]:
        """The body and its `input`. Raises Refused: 701, or 1003 for too many."""
        body = await self.body()
        found = body.get("input")
        if not isinstance(found, list) or not found:
            raise Refused("701", "input cannot be blank")
        if len(found) > count_max:
            raise Refused("1003", f"Too many records in the input: {count_max} at most")
        return body, found

    def stumble(self, values: Iterable[object]) -> None:
        """Where one of them is poison to the instance. Raises Refused (611)."""
        if any(isinstance(value, str) and value.endswith(POISON_MARK) for value in values):
            self.faults.note("poison_611")
            raise Refused("611", "System error")

    def origin(self, method: str) -> Origin:
        """Where what this call changes comes from."""
        return by_api(self.user, method, self.request_id)


Answer = Json | web.StreamResponse
Handler = Callable[[Call], Awaitable[Answer]]


@dataclass(frozen=True)
class Endpoint:
    """`writes`: it changes something, so that it matters whether it was carried out when the answer is lost."""

    method: str
    path: str
    handler: Handler
    writes: bool = False


class RequestIds:
    """`7a1c#18f0…`: a number, and the time in milliseconds."""

    def __init__(self) -> None:
        self._numbers = itertools.count(0x1000)

    def next(self, now: float) -> str:
        """Another one."""
        return f"{next(self._numbers):x}#{int(now * 1000):x}"


def moment_of(text: str, name: str) -> float:
    """Seconds since the epoch of a time in a request. Raises Refused (704)."""
    found = moment(text.replace(" ", "+"))
    if found is None:
        raise Refused("704", f"Invalid date format: {name} '{text}'")
    return found.timestamp()
