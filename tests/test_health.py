"""The one port as a probe, Prometheus and an operator meet it: real requests to a real socket."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import aiohttp
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from streams.health import serve_health
from streams.lane.loops import new_event_loop
from streams.metrics import METRICS, Metrics
from streams.settings import Security, Settings, SettingsError
from streams.tally import Tally

SETTINGS = Settings("broker.invalid:9092", port=0, security=Security())


@dataclass
class Port:
    """A served port and a client for it."""

    metrics: Metrics
    number: int
    client: aiohttp.ClientSession

    async def get(self, path: str, **headers: str) -> tuple[int, str, str]:
        """Status, body, and content type."""
        async with self.client.get(path, headers=headers) as answer:
            return answer.status, await answer.text(), answer.headers["Content-Type"]


@asynccontextmanager
async def serving(settings: Settings = SETTINGS) -> AsyncIterator[Port]:
    """A port with fresh metrics, on a free number."""
    metrics = Metrics(Tally())
    async with (
        serve_health(settings, metrics, metrics.waiting_for) as number,
        aiohttp.ClientSession(f"http://{settings.host}:{number}") as client,
    ):
        yield Port(metrics, number, client)


async def test_live_is_answered_before_anything_is_ready() -> None:
    """A worker that recovers for an hour is alive."""
    async with serving() as port:
        status, _, _ = await port.get("/health/live")
        assert status == 200


async def test_live_is_not_answered_while_the_loop_is_stuck() -> None:
    """The same loop handles the batches: one that is blocked for good is seen from outside."""
    async with serving() as port:
        with socket.create_connection(("127.0.0.1", port.number), timeout=0.2) as probe:
            probe.sendall(b"GET /health/live HTTP/1.1\r\nHost: probe\r\n\r\n")
            with pytest.raises(TimeoutError):
                probe.recv(100)  # blocks this loop, and the server with it
        assert (await port.get("/health/live"))[0] == 200


async def test_ready_says_what_it_waits_for_until_it_is_ready() -> None:
    """503 and one line of text; 200 once the tables are recovered; 503 again when the partitions change hands."""
    async with serving() as port:
        assert (await port.get("/health/ready"))[:2] == (503, "joining the consumer group\n")
        port.metrics.recovery("people", 2, 1_100, 1_200, 5_000)
        assert (await port.get("/health/ready"))[:2] == (503, "recovering people[2]: 1200 of 5000\n")
        port.metrics.ready(True)
        assert (await port.get("/health/ready"))[:2] == (200, "ready\n")
        port.metrics.ready(False)
        assert (await port.get("/health/ready"))[0] == 503


async def test_ready_is_whatever_the_worker_says() -> None:
    """The port has no opinion: a line of the worker's own is passed on."""
    line: list[str | None] = ["reading the policies"]
    async with (
        serve_health(SETTINGS, Metrics(Tally()), lambda: line[0]) as number,
        aiohttp.ClientSession(f"http://127.0.0.1:{number}") as client,
    ):
        async with client.get("/health/ready") as answer:
            assert (answer.status, await answer.text()) == (503, "reading the policies\n")
        line[0] = None
        async with client.get("/health/ready") as answer:
            assert answer.status == 200


async def test_metrics_are_text_for_whoever_asks_for_nothing_else() -> None:
    """What `curl` shows is the text format that every Prometheus reads."""
    async with serving() as port:
        status, body, content_type = await port.get("/metrics")
        assert status == 200
        assert content_type.startswith("text/plain; version=0.0.4")
        names = {family.name for family in parse_text(body)}
        assert {name.removesuffix("_total") for name in METRICS} == names


async def test_metrics_are_openmetrics_for_a_prometheus_that_prefers_it() -> None:
    """By its Accept header, to the end mark that says nothing was cut off."""
    async with serving() as port:
        accept = "application/openmetrics-text;version=1.0.0;q=0.8,text/plain;version=0.0.4;q=0.5,*/*;q=0.3"
        status, body, content_type = await port.get("/metrics", Accept=accept)
        assert status == 200
        assert content_type.startswith("application/openmetrics-text")
        assert body.endswith("# EOF\n")
        assert {family.name for family in parse_openmetrics(body)} == {name.removesuffix("_total") for name in METRICS}


@pytest.mark.parametrize("path", ["/", "/health", "/metrics/", "/health/ready/now", "/debug", "/../etc/passwd"])
async def test_nothing_else_is_served(path: str) -> None:
    """Not even an index."""
    async with serving() as port:
        assert (await port.get(path))[0] == 404


async def test_nothing_can_be_sent() -> None:
    """The port only shows."""
    async with serving() as port, port.client.post("/health/ready", data=b"yes") as answer:
        assert answer.status == 405


async def test_requests_leave_no_line_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    """A probe every second would bury everything else."""
    caplog.set_level(logging.DEBUG)
    async with serving() as port:
        await port.get("/health/live")
        await port.get("/metrics")
    assert not [record for record in caplog.records if record.name.startswith("aiohttp")]


async def test_it_is_bound_to_loopback_unless_told() -> None:
    """The default host is this machine's own."""
    assert Settings("broker.invalid:9092", security=Security()).host == "127.0.0.1"
    async with serving() as port:
        assert port.number > 0


async def test_the_port_is_free_again_at_the_end() -> None:
    """A second worker can take it, and nobody answers in between."""
    async with serving() as port:
        number = port.number
    async with aiohttp.ClientSession() as client:
        with pytest.raises(aiohttp.ClientConnectionError):
            await client.get(f"http://127.0.0.1:{number}/health/live")
    async with serving(replace(SETTINGS, port=number)) as again:
        assert again.number == number


async def open_connections(port: Port, count: int, sent: bytes) -> list[asyncio.StreamReader]:
    """So many that have sent this, and wait."""
    readers = []
    for _ in range(count):
        reader, writer = await asyncio.open_connection("127.0.0.1", port.number)
        writer.write(sent)
        readers.append(reader)
    return readers


async def test_a_connection_that_asks_for_nothing_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that sends no whole header in time; one that has asked may go on asking."""
    monkeypatch.setattr("streams.health.HEADER_SECONDS_MAX", 0.3)
    async with serving() as port, asyncio.timeout(10):
        request = b"GET /health/live HTTP/1.1\r\nHost: probe\r\n\r\n"
        reader, writer = await asyncio.open_connection("127.0.0.1", port.number)
        writer.write(request)
        assert (await reader.readline()).startswith(b"HTTP/1.1 200")
        for sent in (b"", b"GET / HTTP/1.1\r\nHost: "):
            for each in await open_connections(port, 3, sent):
                assert await each.read() == b""
        await reader.readuntil(b"live\n")
        writer.write(request)
        assert (await reader.readline()).startswith(b"HTTP/1.1 200")
        writer.close()


async def test_connections_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """One too many is closed at once; the others are still answered, and there is room again when they are gone."""
    monkeypatch.setattr("streams.health.CONNECTIONS_MAX", 3)
    async with serving() as port, asyncio.timeout(10):
        opened = [await asyncio.open_connection("127.0.0.1", port.number) for _ in range(3)]
        [one_too_many] = await open_connections(port, 1, b"")
        assert await one_too_many.read() == b""
        opened[0][1].write(b"GET /health/live HTTP/1.1\r\nHost: probe\r\n\r\n")
        assert (await opened[0][0].readline()).startswith(b"HTTP/1.1 200")
        for _, writer in opened:
            writer.close()
            await writer.wait_closed()
        assert (await port.get("/health/live"))[0] == 200


REFUSED = {
    "a port that no machine has": (replace(SETTINGS, port=65_536), "ports go up to 65535"),
    "a host that has no address": (replace(SETTINGS, host="nowhere.invalid"), r"nowhere\.invalid:0"),
    "an address of another machine": (replace(SETTINGS, host="192.0.2.1"), r"192\.0\.2\.1:0"),
}


@pytest.mark.parametrize(("settings", "said"), REFUSED.values(), ids=REFUSED)
async def test_what_cannot_be_bound_is_said_in_one_line(settings: Settings, said: str) -> None:
    """With the host and port as given, the reason, and the option that mends it."""
    with pytest.raises(SettingsError, match=said) as refusal:
        async with serving(settings):
            pass
    assert "--port" in str(refusal.value)
    assert "\n" not in str(refusal.value)


def taken() -> tuple[int, str]:
    """Serve a port twice, on the worker's own event loop: the port, and what the second one said."""

    async def twice() -> tuple[int, str]:
        async with serving() as first:
            with pytest.raises(SettingsError) as refusal:
                async with serving(replace(SETTINGS, port=first.number)):
                    pass
            return first.number, str(refusal.value)

    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        return runner.run(twice())


def test_a_port_in_use_is_said_in_one_line() -> None:
    """As in a second worker on one machine: host, port, the reason once, and `--port`."""
    number, said = taken()
    assert said == (
        f"health and metrics cannot listen on 127.0.0.1:{number}: Address already in use; "
        "name another with --port (0: a free one) or --host"
    )
