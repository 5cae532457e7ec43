"""What is known after a call: an answer, certainly nothing done, or nobody knows."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from streams.connectors.rest import Answer, OutcomeUnknown, Rest, Unreachable
from streams.connectors.settings import tls_context
from streams.simulators.serving import serving

SECRET = "hunter2"


@pytest.fixture
async def address() -> AsyncIterator[str]:
    """A server that answers, drops connections, or takes its time."""

    async def echo(request: web.Request) -> web.Response:
        return web.json_response({"method": request.method, "query": dict(request.query)}, headers={"ETag": 'W/"1"'})

    async def drop(request: web.Request) -> web.Response:
        assert request.transport is not None
        request.transport.close()
        return web.Response()

    async def never(_request: web.Request) -> web.Response:
        await asyncio.Event().wait()
        return web.Response()

    app = web.Application()
    for path, handler in {"/echo": echo, "/drop": drop, "/never": never}.items():
        app.router.add_route("*", path, handler)
    async with serving(app) as url:
        yield url


@pytest.fixture
async def rest() -> AsyncIterator[Rest]:
    made = Rest(tls_context(None), concurrent=4)
    yield made
    await made.close()


async def test_an_answer_comes_with_its_headers(rest: Rest, address: str) -> None:
    """By their names in small letters, whatever case the server uses."""
    answer = await rest.call("POST", f"{address}/echo", query={"a": "1"}, body=b"{}")
    assert answer.status == 200 and answer.headers["etag"] == 'W/"1"'
    assert answer.json() == {"method": "POST", "query": {"a": "1"}}


async def test_without_a_connection_certainly_nothing_was_done(rest: Rest) -> None:
    """So the call may simply be repeated."""
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        port = nobody.getsockname()[1]
    with pytest.raises(Unreachable, match=r"127\.0\.0\.1"):
        await rest.call("POST", f"http://127.0.0.1:{port}/echo", body=b"{}")


async def test_a_connection_that_drops_leaves_the_outcome_unknown(rest: Rest, address: str) -> None:
    """The system may have done it."""
    with pytest.raises(OutcomeUnknown, match="dropped"):
        await rest.call("POST", f"{address}/drop", body=b"{}")


async def test_no_answer_in_time_leaves_the_outcome_unknown(rest: Rest, address: str) -> None:
    """The call went out."""
    with pytest.raises(OutcomeUnknown):
        await rest.call("POST", f"{address}/never", body=b"{}", seconds_max=0.2)


async def test_no_error_tells_what_the_call_held(rest: Rest, address: str) -> None:
    """Neither its headers nor its query, where addresses of mail and tokens stand."""
    with pytest.raises(OutcomeUnknown) as told:
        await rest.call(
            "GET", f"{address}/drop", headers={"Authorization": f"Bearer {SECRET}"}, query={"filterValues": SECRET}
        )
    assert SECRET not in str(told.value) + repr(told.value)


@pytest.mark.parametrize(
    "answer",
    [
        b'hunter2 {"access_token": "hunter2"}\r\n\r\n',
        b"HTTP/1.1 200 OK\r\nX: hunter2" + b"y" * 10_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nhunter2\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhunter2",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 7\r\n\r\nhunter2",
    ],
    ids=["no HTTP", "a header without end", "broken chunks", "cut short", "no gzip"],
)
async def test_an_answer_that_cannot_be_read_is_quoted_nowhere(rest: Rest, answer: bytes) -> None:
    """Nor is the query that it was to answer."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(answer)
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/token"
        with pytest.raises(OutcomeUnknown, match="/token: the answer cannot be read") as told:
            await rest.call("GET", url, query={"filterValues": SECRET})
    assert SECRET not in str(told.value) + repr(told.value)


def test_a_body_that_is_no_json_says_nothing() -> None:
    """An intermediary may have answered in the system's place."""
    with pytest.raises(OutcomeUnknown, match="HTTP 200 with a body that is no JSON"):
        Answer(200, b"<html>").json()
