"""Calls: what passes is waited out, what is certain is repeated, what nobody knows is said, and no secret is told."""

from __future__ import annotations

import asyncio
import logging
import random
import socket
from collections.abc import Sequence
from typing import Any

import pytest
from aiohttp import web
from pydantic import SecretStr

from streams.connectors.marketo.bulk import LeadExport
from streams.connectors.marketo.client import MarketoClient
from streams.connectors.marketo.token import Tokens
from streams.connectors.pacing import Pacer
from streams.connectors.rest import OutcomeUnknown, Refused, Rest, Unreachable
from streams.connectors.settings import MarketoConnection, tls_context
from streams.simulators.serving import serving
from tests.connectors.marketo.scene import PACE, QUICK, SECRET, Calls, scene

JUST_BEFORE_MIDNIGHT = 1_790_053_190.0  # 2026-09-21 23:59:50 in Chicago


class Scripted:
    """An instance that answers what it is told to, one after the other; then successes."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.tokens = 0
        self.asked: list[web.Request] = []
        self.app = web.Application()
        self.app.router.add_post("/identity/oauth/token", self._token)
        self.app.router.add_route("*", "/{rest:.*}", self._answer)

    async def _token(self, request: web.Request) -> web.Response:
        self.tokens += 1
        return web.json_response({"access_token": f"token-{self.tokens}", "expires_in": 3600})

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        await request.read()
        self.asked.append(request)
        answer = self.answers.pop(0) if self.answers else {"success": True, "result": []}
        if isinstance(answer, int):
            return web.Response(status=answer, text="<html>sorry</html>")
        if isinstance(answer, str):
            return web.json_response({"success": False, "errors": [{"code": answer, "message": "no"}]})
        return web.json_response(answer)


def client_of(url: str, calls: Calls | None = None, **members: Any) -> MarketoClient:
    connection = MarketoConnection(url, f"{url}/identity", "leadsync", SecretStr(SECRET))
    members.setdefault("backoff", QUICK)
    pacer = members.pop("pacer", None) or Pacer(PACE)
    return MarketoClient(connection, pacer, calls or Calls(), rng=random.Random(1), **members)


@pytest.mark.parametrize(
    "answers",
    [
        ("606",),
        ("615", "615"),
        ("604",),
        ("608",),
        ("611",),
        ("713",),
        ("500",),
        ("502",),
        (500,),
        (502,),
        (503, "719"),
        ("602",),
        ("601",),
    ],
)
async def test_a_read_waits_out_whatever_passes(answers: Sequence[Any]) -> None:
    """Scenario 56 and 58: backoff, then the answer."""
    marketo = Scripted(*answers)
    async with serving(marketo.app) as url:
        client = client_of(url)
        assert await client.usage() == []
        await client.close()
    assert len(marketo.asked) == len(answers) + 1


@pytest.mark.parametrize(
    "answer", ["500", "502", "604", "608", "611", "614", "713", "719", 500, 502, {"no": "envelope"}]
)
async def test_a_write_of_which_nobody_knows_is_not_repeated_blindly(answer: Any) -> None:
    """Whoever wrote has to read first."""
    marketo = Scripted(answer)
    async with serving(marketo.app) as url:
        client = client_of(url)
        with pytest.raises(OutcomeUnknown):
            await client.write_leads("updateOnly", "id", [{"id": 1}])
        await client.close()
    assert len(marketo.asked) == 1


@pytest.mark.parametrize("answer", ["606", "615", "601", "602"])
async def test_a_write_of_which_nothing_was_done_is_repeated(answer: str) -> None:
    """Too many calls, or a token that is no good: Marketo has not looked at it."""
    marketo = Scripted(answer, {"success": True, "result": [{"id": 1, "status": "updated"}]})
    async with serving(marketo.app) as url:
        client = client_of(url)
        assert await client.write_leads("updateOnly", "id", [{"id": 1}]) == [{"id": 1, "status": "updated"}]
        await client.close()


async def test_a_token_is_renewed_once_and_a_second_refusal_is_an_alert(caplog: pytest.LogCaptureFixture) -> None:
    """Scenario 58."""
    marketo = Scripted("601", "601")
    async with serving(marketo.app) as url:
        client = client_of(url)
        with pytest.raises(Refused, match="601"):
            await client.usage()
        await client.close()
    assert marketo.tokens == 2
    assert [record.levelname for record in caplog.records] == ["CRITICAL"]


async def test_a_token_that_is_refused_now_and_then_over_a_long_wait_is_no_alert(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Scenarios 56 and 58 together: a call that is held back for hours may meet the end of several tokens."""
    marketo = Scripted(*["601", "606", "602", "615"] * 6)
    async with serving(marketo.app) as url:
        client = client_of(url)
        assert await client.usage() == []
        await client.close()
    assert "CRITICAL" not in [record.levelname for record in caplog.records]


async def test_calls_at_once_share_one_token() -> None:
    """And renew it once when it has expired."""
    marketo = Scripted(*["602"] * 4)
    async with serving(marketo.app) as url:
        client = client_of(url)
        await asyncio.gather(*(client.usage() for _ in range(4)))
        await client.close()
    assert marketo.tokens == 2


async def test_a_token_is_fetched_anew_before_its_end() -> None:
    """And one that was given up by a late call is not the one that another has fetched meanwhile."""
    marketo, time = Scripted(), FakeTime(0.0)
    async with serving(marketo.app) as url:
        rest = Rest(tls_context(None), 1)
        connection = MarketoConnection(url, f"{url}/identity", "leadsync", SecretStr(SECRET))
        tokens = Tokens(rest, connection, Calls(), time)
        first = await tokens.get()
        time.now = 3_600.0 - 61.0
        assert await tokens.get() is first
        time.now = 3_600.0 - 59.0
        second = await tokens.get()
        tokens.give_up(first)
        assert await tokens.get() is second and marketo.tokens == 2
        tokens.give_up(second)
        assert await tokens.get() is not second and marketo.tokens == 3
        await rest.close()


async def test_wrong_credentials_end_it_and_are_not_told() -> None:
    """Not even in the error's own words."""
    async with scene() as made:
        client = made.client(connection=made.connection("a-wrong-secret"))
        with pytest.raises(Refused) as refused:
            await client.describe()
    assert refused.value.status == 401 and "a-wrong-secret" not in str(refused.value)


class FakeTime:
    """Moved only by sleeping."""

    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds
        await asyncio.sleep(0)


@pytest.mark.parametrize(("max_seconds", "waited"), [(None, (10.0, 15.1)), (3.0, (3.0, 3.1))])
async def test_a_used_up_quota_stops_every_call_until_its_reset(
    max_seconds: float | None, waited: tuple[float, float]
) -> None:
    """Scenario 57: midnight in Chicago, whatever the zone of this machine; or as soon as an operator wants it tried."""
    marketo, time = Scripted("607"), FakeTime(JUST_BEFORE_MIDNIGHT)
    async with serving(marketo.app) as url:
        client = client_of(
            url, pacer=Pacer(PACE, time, time.sleep), now=time, sleep=time.sleep, quota_pause_seconds_max=max_seconds
        )
        began = time.now
        assert await client.write_leads("updateOnly", "id", [{"id": 1}]) == []
        await client.close()
    assert waited[0] <= time.now - began <= waited[1]


async def test_too_many_calls_hold_back_the_others_too() -> None:
    """606 is the instance's limit, not this call's."""
    marketo, time = Scripted("606"), FakeTime(100.0)
    async with serving(marketo.app) as url:
        pacer = Pacer(PACE, time, time.sleep)
        client = client_of(url, pacer=pacer, sleep=time.sleep)
        await client.usage()
        await client.close()
    assert time.now > 100.0


async def test_who_starts_before_marketo_is_there_waits_for_it() -> None:
    """And goes on as if nothing had been; a write too, since certainly nothing was done."""
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        port = nobody.getsockname()[1]
    marketo, slept = Scripted(), list[float]()

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        await asyncio.sleep(0.001)

    client = client_of(f"http://127.0.0.1:{port}", sleep=sleep)
    asked = [asyncio.create_task(each) for each in (client.describe(), client.write_leads("updateOnly", "id", []))]
    async with asyncio.timeout(5):
        while len(slept) < 6:
            await asyncio.sleep(0.001)
    assert not any(task.done() for task in asked)
    async with serving(marketo.app, port=port):
        assert await asyncio.gather(*asked) == [[], []]
        await client.close()
    assert len(marketo.asked) == 2


async def test_tries_may_be_limited() -> None:
    """A doctor has an answer to give."""
    async with serving(Scripted().app) as url:
        pass  # gone again: nobody listens there
    client = client_of(url, tries_max=3)
    with pytest.raises(Unreachable):
        await client.usage()
    await client.close()


async def test_a_long_query_travels_in_a_body() -> None:
    """Marketo takes addresses of 8 KB."""
    async with scene() as made:
        people = [made.person(email=f"{n:04}-{'x' * 40}@example.com") for n in range(300)]
        found = await made.client().leads_by("email", [str(held.values["email"]) for held in people], ["id"])
        assert [each["id"] for each in found] == [int(held.id) for held in people]
        assert made.calls.outcomes("leads") == ["success"]


async def test_more_rows_than_a_page_holds_are_all_given() -> None:
    """Several people have one address."""
    async with scene() as made:
        for _ in range(320):
            made.person(email="info@example.com")
        assert len(await made.client().leads_by("email", ["info@example.com"], ["id"])) == 320


async def test_everybody_can_be_exported() -> None:
    """As `leadsync bootstrap` does it."""
    async with scene() as made:
        held = made.person(jobTitle="CTO")
        export = LeadExport(made.client())
        times = {"startAt": "2026-09-01T00:00:00Z", "endAt": "2026-09-30T00:00:00Z"}
        export_id = await export.create(["id", "jobTitle"], {"createdAt": times})
        await export.enqueue(export_id)
        made.clock.now += 60
        assert (await export.status(export_id))["status"] in ("Queued", "Processing")
        made.clock.now += 60
        assert (await export.status(export_id))["status"] == "Completed"
        assert f"{held.id},CTO" in (await export.file(export_id)).decode()


async def test_no_secret_and_no_token_stands_anywhere(caplog: pytest.LogCaptureFixture) -> None:
    """In logs, errors or what a repr shows; nor anybody's address."""
    caplog.set_level(logging.DEBUG)
    seen: list[str] = []
    async with scene(shares={"token_602": 0.3, "dropped_before": 0.3, "rate_606": 0.2}) as made:
        client = made.client()
        for _ in range(20):
            await client.leads_by("email", ["ada@example.com"], ["id"])
        seen.append(repr(client.__dict__) + repr(client.calls.__dict__) + repr(client.calls._tokens.__dict__))
        tokens = [token for token in made.stage.instance.__dict__ if token == SECRET]
        assert tokens == []
        issued = client.calls._tokens._token
        assert issued is not None
    text = caplog.text + "".join(seen)
    assert SECRET not in text and issued.text not in text and "ada@example.com" not in text
