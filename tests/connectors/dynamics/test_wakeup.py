"""When change tracking is read."""

from __future__ import annotations

import asyncio
from itertools import islice

import aiohttp
from pydantic import SecretStr

from streams.connectors.dynamics.wakeup import BODY_BYTES_MAX, Rhythm, wake_up_application
from streams.simulators.serving import serving


async def nothing() -> int:
    return 0


def test_it_is_read_ever_more_seldom_while_nothing_comes() -> None:
    """Doubling from busy to idle."""
    assert [*islice(Rhythm(nothing, 1.0, 5.0).waits(), 5)] == [1.0, 2.0, 4.0, 5.0, 5.0]


async def test_a_call_makes_the_next_reading_now_even_while_one_is_under_way() -> None:
    """What happened after that one had begun is not left until the next."""
    readings: list[asyncio.Event] = []

    async def read() -> int:
        readings.append(asyncio.Event())
        await readings[-1].wait()
        return 0

    rhythm = Rhythm(read, 600.0, 600.0)
    running = asyncio.create_task(rhythm.run())
    async with asyncio.timeout(5):
        await until(readings, 1)
        rhythm.wake()
        readings[0].set()
        await until(readings, 2)
        readings[1].set()
        rhythm.wake()
        await until(readings, 3)
    running.cancel()


async def until(readings: list[asyncio.Event], count: int) -> None:
    while len(readings) < count:
        await asyncio.sleep(0.001)


async def test_only_who_knows_the_secret_wakes() -> None:
    """As Dataverse's WebhookKey shows it, or in a header; a body that is too large is not even read."""
    woken: list[int] = []
    app = wake_up_application(SecretStr("s3cret"), lambda: woken.append(1))
    async with serving(app) as address, aiohttp.ClientSession() as session:

        async def status(query: str = "", **headers: str) -> int:
            sent = {name.replace("_", "-"): value for name, value in headers.items()}
            async with session.post(f"{address}/{query}", headers=sent, data=b"x" * (BODY_BYTES_MAX + 1)) as answer:
                return answer.status

        assert [await status(), await status("?code=wrong"), await status(x_leadsync_secret="s3cre")] == [401] * 3
        assert [await status("?code=%ed%b0%80"), await status("?code=%ff")] == [401] * 2
        assert not woken
        assert [await status("?code=s3cret"), await status(x_leadsync_secret="s3cret")] == [204, 204]
        assert len(woken) == 2
        async with session.get(f"{address}/?code=s3cret") as answer:
            assert answer.status == 405


async def test_a_secret_that_is_no_text_is_a_wrong_one() -> None:
    """In a header any byte may stand."""
    async with serving(wake_up_application(SecretStr("s3cret"), lambda: None)) as address:
        host, _, port = address.removeprefix("http://").partition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nx-leadsync-secret: \xff\xfe\r\nContent-Length: 0\r\n\r\n")
        async with asyncio.timeout(5):
            assert (await reader.readline()).startswith(b"HTTP/1.1 401")
        writer.close()
