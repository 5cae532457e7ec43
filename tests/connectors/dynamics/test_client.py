"""Calls: what may be repeated is, what is in doubt is said to be, and no secret is told."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from itertools import pairwise

import pytest
from aiohttp import web

from streams.connectors.dynamics.batch import Part
from streams.connectors.dynamics.client import Wanted, filtering, literal, route, selecting
from streams.connectors.dynamics.lookups import read_all, read_one
from streams.connectors.pacing import Pacer
from streams.connectors.rest import OutcomeUnknown, Refused, Unreachable
from streams.simulators.serving import serving
from tests.connectors.dynamics.scene import ADA, PACE, SECRET, TENANT, scene


class Clock:
    """Time that passes only when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 1_750_000_000.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds
        await asyncio.sleep(0)


async def test_a_token_is_kept_and_renewed_when_it_is_no_longer_taken() -> None:
    """One for many calls; 401 in between costs one more call and nobody notices (scenario 58)."""
    async with scene() as made:
        client = made.client()
        await client.who_am_i()
        await client.who_am_i()
        assert made.instance.calls["POST token"] == 1
        made.tokens.revoke_all()
        await asyncio.gather(*[client.who_am_i() for _ in range(5)])
        assert made.instance.calls["POST token"] == 2
        assert made.calls.outcomes("GET WhoAmI").count("401") >= 1


async def test_nobody_calls_before_retry_after_is_over() -> None:
    """Scenario 59: 429 with Retry-After 17 holds back every call of this user for 17 seconds."""
    clock = Clock()
    async with scene(retry_after=17, clock=clock) as made:
        client = made.client(pacer=Pacer(PACE, clock, clock.sleep), sleep=clock.sleep)
        await client.who_am_i()
        made.gate.close(17)
        before = clock.now
        await asyncio.gather(*[client.who_am_i() for _ in range(5)])
        first_turned_away = made.gate.early
        assert clock.now - before >= 17 and 1 <= first_turned_away <= 5
        await client.who_am_i()
        assert made.gate.early == first_turned_away


async def test_an_operation_of_a_batch_that_is_throttled_holds_back_everybody_too() -> None:
    """Each part has its own answer, and each is read in the end."""
    clock = Clock()
    async with scene({"throttled_429": 0.4}, retry_after=3, clock=clock) as made:
        leads = [made.lead(jobtitle=str(n)) for n in range(5)]
        client = made.client(pacer=Pacer(PACE, clock, clock.sleep), sleep=clock.sleep)
        found = await read_all(client, [Wanted("leads", held.id, ("jobtitle",)).part for held in leads])
        assert [row and row["jobtitle"] for row in found] == ["0", "1", "2", "3", "4"]


async def test_nobody_reads_on_before_the_retry_after_of_an_operation_is_over() -> None:
    """Scenario 59, within a batch: some operations were answered before the limit was met, and the rest waits all the same."""
    clock, batches = Clock(), list[float]()

    async def batch(request: web.Request) -> web.Response:
        batches.append(clock.now)
        count = (await request.text()).count("GET /api")
        throttled = ("429 Too Many Requests\r\nRetry-After: 17", '{"error":{"code":"0x80072321","message":"m"}}')
        answers = [("200 OK", '{"jobtitle":"CTO"}') if n < 2 else throttled for n in range(count)]
        parts = [f"--b\r\nContent-Type: application/http\r\n\r\nHTTP/1.1 {h}\r\n\r\n{body}\r\n" for h, body in answers]
        return web.Response(
            text="".join([*parts, "--b--\r\n"]), headers={"Content-Type": "multipart/mixed; boundary=b"}
        )

    async with stand_in({"/api/data/v9.2/$batch": batch}) as address, scene() as made:
        made.address = address
        client = made.client(pacer=Pacer(PACE, clock, clock.sleep), sleep=clock.sleep)
        found = await read_all(client, [Wanted("leads", str(n), ("jobtitle",)).part for n in range(5)])
        assert [row and row["jobtitle"] for row in found] == ["CTO"] * 5
    assert [later - earlier for earlier, later in pairwise(batches)] == pytest.approx([17.0, 17.0], abs=0.1)


async def test_a_read_is_made_again_until_it_is_answered() -> None:
    """Dropped connections and 5xx, before and after."""
    shares = {"server_5xx_after": 0.3, "dropped_before": 0.3, "dropped_after": 0.3}
    async with scene(shares) as made:
        held = made.lead(jobtitle="CTO")
        client = made.client()
        for _ in range(10):
            assert await client.get(Wanted("leads", held.id, ("jobtitle",)).target)
        assert client.trouble is None
        assert {*made.calls.outcomes("GET leads(id)")} == {"200", "503", "no_answer"}


@pytest.mark.parametrize("fault", ["server_5xx_after", "dropped_before", "dropped_after"])
async def test_a_write_without_an_answer_is_in_doubt(fault: str) -> None:
    """It is not repeated here: whoever wrote reads first."""
    async with scene() as made:
        held = made.lead()
        client = made.client()
        await client.who_am_i()
        made.faults.plan.shares[fault] = 1.0  # type: ignore[index]
        with pytest.raises(OutcomeUnknown):
            await client.patch(Wanted("leads", held.id, ("jobtitle",)), {"jobtitle": "CTO"}, {"If-Match": "*"})
        with pytest.raises(OutcomeUnknown):
            await client.batch([Part("DELETE", f"leads({held.id})")])
        assert made.calls.outcomes("PATCH leads(id)") in (["no_answer"], ["503"])


async def test_writes_are_made_again_where_nothing_can_have_been_done() -> None:
    """429 and 401 say so."""
    clock = Clock()
    async with scene(clock=clock) as made:
        held = made.lead()
        client = made.client(pacer=Pacer(PACE, clock, clock.sleep), sleep=clock.sleep)
        await client.who_am_i()
        made.tokens.revoke_all()
        made.gate.close(5)
        row = await client.patch(Wanted("leads", held.id, ("jobtitle",)), {"jobtitle": "CTO"}, {"If-Match": "*"})
        assert row["jobtitle"] == "CTO"
        assert made.calls.outcomes("PATCH leads(id)") == ["401", "429", "200"]


async def test_a_refusal_has_dataverses_own_code_and_words() -> None:
    """And no record is no refusal, but none."""
    async with scene() as made:
        held, client = made.lead(), made.client()
        with pytest.raises(Refused) as refusal:
            await client.patch(Wanted("leads", held.id, ()), {"jobtitle": "x" * 101}, {"If-Match": "*"})
        assert (refusal.value.code, refusal.value.status) == ("0x80044331", 400)
        assert "jobtitle" in refusal.value.message
        with pytest.raises(Refused) as refusal:
            await client.patch(Wanted("leads", held.id, ()), {"jobtitle": "x"}, {"If-Match": 'W/"1"'})
        assert (refusal.value.code, refusal.value.status) == ("0x80060882", 412)
        made.delete(held)
        assert await read_one(client, Wanted("leads", held.id, ("jobtitle",)).part) is None
        with pytest.raises(Refused, match="0x8006088a"):
            await read_one(client, Wanted("leeds", held.id, ("jobtitle",)).part)


async def test_an_impatient_client_says_what_is_wrong_with_the_credentials() -> None:
    """In the authority's words, and without the secret."""
    async with scene() as made:
        client = made.client(connection=made.connection("wrong-and-secret"), patient=False)
        with pytest.raises(Refused) as refusal:
            await client.who_am_i()
        assert refusal.value.code == "invalid_client" and "wrong-and-secret" not in f"{refusal.value!r}"


async def test_a_patient_client_waits_for_a_privilege_and_says_so_once(caplog: pytest.LogCaptureFixture) -> None:
    """403 is nobody's fault but the administrator's: it is waited out."""
    caplog.set_level(logging.INFO)
    async with scene() as made:
        made.lead()
        privileges, made.instance.privileges = made.instance.privileges, frozenset()
        client = made.client()
        reading = asyncio.create_task(client.page("leads?$select=jobtitle"))
        await until(lambda: len(made.calls.outcomes("GET leads")) > 3)
        assert client.trouble == "HTTP 403 0x80040220"
        made.instance.privileges = privileges
        assert len((await reading).rows) == 1
        assert client.trouble is None
    assert [record.message for record in caplog.records if "Dynamics" in record.message] == [
        "Dynamics, GET leads: HTTP 403 0x80040220; trying again until it is answered",
        "Dynamics, GET leads: answered again",
    ]


async def test_no_connection_is_no_doubt() -> None:
    """The call has not got there: a patient client tries again, an impatient one says so."""
    async with scene() as made:
        connection = made.connection()
        client = made.client(connection=connection, patient=False)
    with pytest.raises(Unreachable):
        await client.who_am_i()
    await client.close()


async def test_what_an_intermediary_answers_says_nothing_about_a_record() -> None:
    """A 404 without Dataverse's error is no deletion."""

    async def anything(_request: web.Request) -> web.Response:
        return web.Response(status=404, text="<html>no such site</html>")

    async with stand_in({"/{path:.*}": anything}) as address, scene() as made:
        made.address = address
        client = made.client(patient=False)
        with pytest.raises(OutcomeUnknown):
            await read_one(client, Wanted("leads", "1", ("jobtitle",)).part)


async def test_a_link_to_another_address_gets_no_token_of_ours() -> None:
    """Whatever says where to go on, we go on at the organisation."""
    async with scene() as made:
        client = made.client()
        with pytest.raises(Refused, match="foreign_link"):
            await client.page("https://elsewhere.example/api/data/v9.2/leads?$deltatoken=1")


async def test_rows_are_read_page_by_page_and_a_user_is_found_by_a_query() -> None:
    """With whatever an address may not hold spelled as it must be."""
    async with scene() as made:
        name = "O'Hara & Söhne #1"
        made.lead(lastname=name)
        client = made.client()
        condition = f"lastname eq {literal(name)}"
        query = f"leads?{selecting(['lastname'])}&{filtering(condition)}"
        assert [row["lastname"] async for row in client.rows(query)] == [name]
        assert len(await client.users(f"internalemailaddress eq {literal(ADA)}")) == 1


def test_an_endpoints_name_holds_no_id() -> None:
    """Metrics would have a series for each record."""
    base = "https://o.crm.dynamics.com/api/data/v9.2/"
    assert route("leads(6f0e)?$select=x") == "leads(id)"
    assert route(f"{base}leads?$deltatoken=9") == "leads"
    assert (
        route(f"{base}leads(6f0e)/Microsoft.Dynamics.CRM.QualifyLead") == "leads(id)/Microsoft.Dynamics.CRM.QualifyLead"
    )


async def test_no_secret_is_told(caplog: pytest.LogCaptureFixture) -> None:
    """Neither in a log at its most talkative, nor in an error, nor by looking at an object."""
    caplog.set_level(logging.DEBUG)
    async with scene({"server_5xx_after": 0.3, "dropped_after": 0.2}) as made:
        client, held = made.client(), made.lead()
        told = [repr(client), repr(client.__dict__), repr(client.caller.__dict__), repr(made.connection())]
        for turn in range(20):
            try:
                await client.patch(Wanted("leads", held.id, ()), {"jobtitle": f"a value {turn}"}, {"If-Match": "*"})
            except (OutcomeUnknown, Refused) as error:
                told.append(repr(error))
        made.tokens.revoke_all()
        await client.who_am_i()
        good = [*made.tokens._good_until]
    text = "\n".join([*told, caplog.text])
    assert good and not [secret for secret in (SECRET, "a value", *good) if secret in text]


@asynccontextmanager
async def stand_in(answering: Mapping[str, Callable[[web.Request], Awaitable[web.Response]]]) -> AsyncIterator[str]:
    """What answers in place of an organisation, by path, with tokens for everybody; gives its address."""

    async def token(_request: web.Request) -> web.Response:
        return web.json_response({"access_token": "t", "expires_in": 3599})

    app = web.Application()
    app.router.add_post(f"/{TENANT}/oauth2/v2.0/token", token)
    for path, answer in answering.items():
        app.router.add_route("*", path, answer)
    async with serving(app) as address:
        yield address


async def until(condition: Callable[[], bool] | Callable[[], Awaitable[bool]], seconds_max: float = 10.0) -> None:
    """Wait for a condition, with a deadline."""
    async with asyncio.timeout(seconds_max):
        while not condition():
            await asyncio.sleep(0.005)
