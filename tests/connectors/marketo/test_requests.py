"""Sync Person from outside: taken once it is on Kafka, refused with its reason, a repeat the same however it is spelled."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from pydantic import SecretStr

from schemas.identity import person_key_of
from schemas.vocabulary import MARKETO
from streams.connectors.lanes import Given
from streams.connectors.marketo import requests as requests_module
from streams.connectors.marketo.asked import NotUnderstood, of_flow_step, of_webhook, requested
from streams.connectors.marketo.callbacks import Callback, Callbacks, is_callable
from streams.connectors.marketo.patience import Patience
from streams.connectors.marketo.persons_now import PersonsOf, persons_in
from streams.connectors.marketo.requests import FLOW_STEP, WEBHOOK, SyncPersonServer
from streams.connectors.options import Options
from streams.connectors.pacing import Priority
from streams.connectors.rest import Rest
from streams.connectors.settings import tls_context
from streams.policy import default_policy
from streams.simulators.marketo.callbacks import PATH
from streams.simulators.marketo.engine import CampaignEngine
from streams.simulators.serving import serving
from streams.sync.messages import SourceChange
from tests.connectors.journal import FakeJournal
from tests.connectors.marketo import test_activities as activities
from tests.connectors.marketo.scene import PACE, QUICK, create, kinds, scene
from tests.connectors.marketo.test_changes import known, told_before
from tests.simulators.marketo.served import served

SECRET = "a-secret-that-no-log-may-tell"
BEARER = {"Authorization": f"Bearer {SECRET}"}
COLUMNS = tuple(default_policy().inbound["person"])
AT = "2026-09-01T09:14:07Z"
EMPTY: dict[str, Any] = dict.fromkeys(COLUMNS)
CALL: dict[str, Any] = {"requestId": "run/1", "campaignId": 1021, "leadId": 775, "syncAs": "lead", "owner": ""}


class Listening:
    """A server on a port of its own, with its journal."""

    def __init__(self, journal: Any, url: str, session: aiohttp.ClientSession) -> None:
        self.journal, self.url, self.session = journal, url, session

    async def post(self, path: str, body: Any, headers: dict[str, str] | None = None) -> tuple[int, Any]:
        data = {"data": body} if isinstance(body, bytes) else {"json": body}
        async with self.session.post(
            f"{self.url}{path}", headers=BEARER if headers is None else headers, **data
        ) as answer:
            return answer.status, await answer.json(content_type=None)

    async def get(self, path: str, headers: dict[str, str] | None = None) -> tuple[int, Any]:
        async with self.session.get(f"{self.url}{path}", headers=BEARER if headers is None else headers) as answer:
            return answer.status, await answer.json(content_type=None)

    @property
    def changes(self) -> list[SourceChange]:
        return [each.change for each in self.journal.changes]


async def nobody(_ids: Sequence[str], _columns: Sequence[str]) -> Mapping[str, Any]:
    """No person is found."""
    return {}


@asynccontextmanager
async def listening(journal: Any = None, persons_of: PersonsOf = nobody) -> AsyncIterator[Listening]:
    journal = journal or FakeJournal(MARKETO)
    rest = Rest(tls_context(None), 1)
    callbacks = Callbacks(rest, Patience(random.Random(1), backoff=QUICK))
    options = Options(PACE, listen_port=0)
    server = SyncPersonServer(journal, SecretStr(SECRET), lambda: COLUMNS, persons_of, callbacks, options)
    await server.start()
    running = asyncio.create_task(server.run())
    try:
        async with aiohttp.ClientSession() as session:
            yield Listening(journal, f"http://127.0.0.1:{server.port}", session)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await server.stop()
        await rest.close()


async def test_a_webhook_is_answered_when_the_request_is_on_kafka() -> None:
    """With a body, since Marketo takes an empty one for an error; in the record's own stream."""
    view = {**EMPTY, "jobTitle": "CTO", "leadsyncKey": "p-1#0", "leadsyncRevision": 4, "unmapped": "x"}
    async with listening() as it:
        status, said = await it.post(WEBHOOK, {**CALL, "owner": "ada@sales.example", "updatedAt": AT, "fields": view})
        assert (status, said) == (200, {"requestId": "run/1", "status": "accepted"})
        [stream], [change] = {each.stream for each in it.journal.changes}, it.changes
    assert (stream, change.kind, change.action, change.campaign) == ("775", "requested", "sync_person", "trigger")
    assert (change.owner, change.sync_as, change.updated_at, change.scope) == ("ada@sales.example", "lead", AT, "row")
    assert change.fields == {**EMPTY, "jobTitle": "CTO"}
    assert (change.person_key, change.creation, change.revision) == ("p-1", 0, 4)


async def test_a_request_for_somebody_who_is_known_to_be_gone_is_taken_and_has_no_effect() -> None:
    """Its stream has ended, and Marketo need not ask again."""
    journal = FakeJournal(MARKETO, known(told_before("775", state="deleted")))
    async with listening(journal) as it:
        assert (await it.post(WEBHOOK, CALL))[0] == 200
        assert it.changes == []


async def test_a_request_that_overtakes_our_own_create_finds_its_person() -> None:
    """Scenario 28: a campaign for new persons asks for one whom we made just now, and of whom nothing is on Kafka yet."""
    async with scene() as made:
        await made.start()
        await made.applier.apply([Given(create("p-1"))], Priority.FIRST)
        [ours], typed_in = made.of_key("p-1#1"), made.person()
        async with listening(made.journal, persons_in(made.connector)) as it:
            for held in (ours, typed_in):
                assert (await it.post(WEBHOOK, {**CALL, "leadId": int(held.id)}))[0] == 200
            assert [(each.person_key, each.creation) for each in it.changes] == [("p-1", 1), (None, None)]
            await made.read()
            calls = len(made.calls)
            assert (await it.post(WEBHOOK, {**CALL, "leadId": int(typed_in.id)}))[0] == 200
            assert len(made.calls) == calls  # the feed has told who that is


async def test_a_view_that_states_everything_and_the_key_spares_the_look_up() -> None:
    """An empty one too: nobody whom we made is without it."""
    async with scene() as made:
        await made.start()
        typed_in, calls = made.person(), len(made.calls)
        async with listening(made.journal, persons_in(made.connector)) as it:
            view = {"updatedAt": AT, "fields": {**EMPTY, "city": "London", "leadsyncKey": None}}
            assert (await it.post(WEBHOOK, {**CALL, "leadId": int(typed_in.id), **view}))[0] == 200
            assert [each.person_key for each in it.changes] == [None] and len(made.calls) == calls


@pytest.mark.parametrize("sent", [{}, {"lastName": "Lovelace", "city": "Rome"}, {"city": "Rome", "leadsyncKey": None}])
@pytest.mark.parametrize("by_step", [False, True])
async def test_who_is_not_told_yet_is_taken_as_marketo_has_them_whatever_a_call_leaves_out(
    sent: dict[str, Any], by_step: bool
) -> None:
    """Its view stands for the feed's `created`, which then counts as older: a column that it lacked would never reach Dynamics."""
    async with scene() as made:
        await made.start()
        held = made.person(jobTitle="CTO", city="Rome")
        made.clock.now += 30
        made.edit(held, city="London")
        async with listening(made.journal, persons_in(made.connector)) as it:
            if by_step:
                context = {"id": int(held.id), "updatedAt": AT, **sent}
                people = [{"objectContext": context, "flowStepContext": {}}]
                assert (await it.post(f"{FLOW_STEP}/async", {**STEP, "objectData": people}))[0] == 201
            else:
                call = {**CALL, "leadId": int(held.id), "updatedAt": AT, "fields": sent}
                assert (await it.post(WEBHOOK, call))[0] == 200
            [view] = it.changes
        created, edited = await made.read()
        assert view.fields == {**(created.fields or {}), "city": "London"} and {*view.fields} == {*COLUMNS}
        assert (view.scope, view.updated_at) == ("row", edited.time)


def test_a_view_that_leaves_out_columns_stands_for_no_row() -> None:
    """Where the person cannot be looked up it waits for the feed; whose it is, it says all the same."""
    view = {"city": "Oslo", "leadsyncKey": "p-1#1", "leadsyncRevision": 9}
    change = requested(of_webhook({**CALL, "updatedAt": AT, "fields": view}, COLUMNS), known(), AT)  # type: ignore[arg-type]
    assert (change.fields, change.scope, change.revision, change.updated_at) == (None, "partial", None, None)
    assert (change.person_key, change.creation) == ("p-1", 1)


async def test_while_marketo_does_not_answer_requests_are_taken_as_they_are(caplog: pytest.LogCaptureFixture) -> None:
    """Marketo's webhooks are not repeated: what is not taken is lost."""
    async with scene(shares={"dropped_before": 1.0}) as made:
        persons_of = persons_in(made.client(), 0.05)
        async with listening(persons_of=persons_of) as it:
            assert (await it.post(WEBHOOK, CALL))[0] == 200
            assert [each.person_key for each in it.changes] == [None]
    assert "not found out in time" in caplog.text


async def test_what_fails_for_somebody_new_stands_in_their_log_at_once() -> None:
    """Scenario 48: the failure comes back before the feed has told of the person, of whom nothing is known but that they were asked for."""
    async with scene() as made:
        await activities.type_made(made)
        await made.start()
        held = made.person(jobTitle="x" * 120)
        async with listening(made.journal, persons_in(made.connector)) as it:
            assert (await it.post(WEBHOOK, {**CALL, "leadId": int(held.id)}))[0] == 200
        writing = activities.lane(made)
        await writing.write([activities.failure("a-1", person_key_of(MARKETO, held.id))])
        assert [who for who, _, _ in activities.logged(made)] == [int(held.id)] and writing.skipped == 0
        assert kinds(await made.read()) == ["created"]


async def test_a_request_tells_nothing_new_of_who_is_known() -> None:
    """Nor of a person of ours, of whom the applier will say more."""
    journal = FakeJournal(MARKETO, known(told_before("775", key="p-7#2")))
    async with listening(journal) as it:
        assert (await it.post(WEBHOOK, CALL))[0] == 200
        view = {"updatedAt": AT, "fields": {**EMPTY, "leadsyncKey": "p-9#1"}}
        assert (await it.post(WEBHOOK, {**CALL, "leadId": 776, **view}))[0] == 200
    assert len(journal.changes) == 2 and journal.records == []


async def test_a_repeat_is_the_same_change() -> None:
    """Another run is another one."""
    async with listening() as it:
        for request_id in ("run/1", "run/1", "run/2"):
            assert (await it.post(WEBHOOK, {**CALL, "requestId": request_id}))[0] == 200
        one, again, other = it.changes
    assert one.change_id == again.change_id != other.change_id


@pytest.mark.parametrize(
    "headers",
    [{}, {"Authorization": "Bearer wrong"}, {"x-api-key": "wrong"}, {"Authorization": f"Basic {SECRET}"}, {"Authorization": SECRET}],
)  # fmt: skip
async def test_without_the_secret_nothing_is_told_and_nothing_taken(headers: dict[str, str]) -> None:
    """Whatever the path, but the document that an administrator names."""
    async with listening() as it:
        assert (await it.post(WEBHOOK, CALL, headers))[0] == 401
        assert (await it.get(f"{FLOW_STEP}/getServiceDefinition", headers))[0] == 401
        assert (await it.get(f"{FLOW_STEP}/openapi.json", headers))[0] == 200
        assert it.changes == []


@pytest.mark.parametrize(
    ("spoilt", "told"),
    [
        ({"leadId": "abc"}, "leadId: is 'abc'; allowed is the person's id"),
        ({"leadId": None}, "leadId: is missing"),
        ({"requestId": ""}, "requestId: is ''; allowed is a text that names this run"),
        ({"syncAs": "account"}, "syncAs: is 'account'; allowed is lead or contact"),
        ({"owner": "x" * 200}, "owner: is too long"),
        ({"updatedAt": "yesterday", "fields": {}}, "updatedAt: is 'yesterday'; allowed is a time such as"),
        ({"updatedAt": AT, "fields": "all"}, "fields: is 'all'; allowed is a JSON object"),
        ({"updatedAt": AT, "fields": {"city": "x" * 200_000}}, "fields.city: is too long"),
        ({"updatedAt": AT, "fields": {**EMPTY, "city": 10**30}}, "the person's fields: cannot be taken"),
        (
            {"updatedAt": AT, "fields": {**EMPTY, "leadsyncKey": "p#1", "leadsyncRevision": 10**30}},
            "the person's fields: cannot be taken",
        ),
        ({"updatedAt": AT, "fields": {**EMPTY, "city": ["x"] * 501}}, "the person's fields: cannot be taken"),
        ({"updatedAt": AT, "fields": dict.fromkeys(COLUMNS, "x" * 100_000)}, "the person's fields: cannot be taken"),
    ],
)
async def test_what_is_wrong_is_told_with_its_place_and_what_is_allowed(spoilt: dict[str, Any], told: str) -> None:
    """And nothing is taken."""
    async with listening() as it:
        status, said = await it.post(WEBHOOK, {**CALL, **spoilt})
        assert status == 400 and told in said["error"]
        assert it.changes == []


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff\xfe", b"[" * 100_000])
async def test_a_body_that_cannot_be_read_is_refused(body: bytes) -> None:
    """In whatever way it is none."""
    async with listening() as it:
        assert (await it.post(WEBHOOK, body))[0] == 400
        assert (await it.post(f"{FLOW_STEP}/async", body))[0] == 400


async def test_a_body_without_end_is_not_read_to_its_end() -> None:
    """Its size is bounded."""
    async with listening() as it:
        status, _ = await it.post(WEBHOOK, b"x" * (requests_module.BODY_BYTES_MAX + 1))
        assert status == 413


async def test_what_kafka_does_not_take_in_time_is_not_confirmed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Marketo calls again; the write that was begun is not broken off."""
    monkeypatch.setattr(requests_module, "ANSWER_SECONDS_MAX", 0.05)
    journal, going = FakeJournal(MARKETO), asyncio.Event()
    write = journal.write

    async def slowly(entry: Any) -> None:
        await going.wait()
        await write(entry)

    journal.write = slowly  # type: ignore[method-assign]
    async with listening(journal) as it:
        assert (await it.post(WEBHOOK, CALL))[0] == 503
        going.set()
        async with asyncio.timeout(5):
            while not it.changes:
                await asyncio.sleep(0)


async def test_a_journal_that_fails_ends_the_loop() -> None:
    """A connector that another one has replaced must not go on listening."""
    journal = FakeJournal(MARKETO)

    async def fenced(entry: Any) -> None:
        raise ConnectionError("another connector has started")

    journal.write = fenced  # type: ignore[method-assign]
    rest = Rest(tls_context(None), 1)
    server = SyncPersonServer(
        journal, SecretStr(SECRET), lambda: COLUMNS, nobody, Callbacks(rest, Patience(random.Random(1))), Options(PACE, listen_port=0)
    )  # type: ignore[arg-type]  # fmt: skip
    await server.start()
    running = asyncio.create_task(server.run())
    async with aiohttp.ClientSession() as session:
        url = f"http://127.0.0.1:{server.port}{WEBHOOK}"
        async with session.post(url, json=CALL, headers=BEARER) as answer:
            assert answer.status == 503
    with pytest.raises(ConnectionError):
        await asyncio.wait_for(running, 5)
    await server.stop()


def test_templates_are_filled_in_by_people() -> None:
    """Numbers as text, words in any case, empty texts for nothing."""
    asked = of_webhook(
        {"requestId": 17, "campaignId": "1021", "leadId": " 775 ", "syncAs": "Contact", "owner": "  ", "updatedAt": ""},
        COLUMNS,
    )
    assert (asked.name, asked.lead_id, asked.sync_as, asked.owner, asked.view) == ("17", "775", "contact", None, None)


def test_a_request_without_a_view_still_finds_its_person() -> None:
    """By what is known of the record."""
    change = requested(of_webhook(CALL, COLUMNS), known(told_before(key="p-7#2")), AT)  # type: ignore[arg-type]
    assert (change.person_key, change.creation, change.fields, change.revision) == ("p-7", 2, None, None)


def test_a_view_with_another_key_than_is_known_is_out_of_date() -> None:
    """A call that waited in Marketo while a merge gave its person away must not give it back."""
    view = {**EMPTY, "city": "Oslo", "leadsyncKey": "p-old#1", "leadsyncRevision": 9}
    asked = of_webhook({**CALL, "updatedAt": AT, "fields": view}, COLUMNS)
    change = requested(asked, known(told_before(key="p-7#2")), AT)  # type: ignore[arg-type]
    assert (change.person_key, change.creation, change.fields, change.revision) == ("p-7", 2, None, None)
    same = of_webhook({**CALL, "updatedAt": AT, "fields": {**view, "leadsyncKey": "p-7#2"}}, COLUMNS)
    change = requested(same, known(told_before(key="p-7#2")), AT)  # type: ignore[arg-type]
    assert (change.person_key, change.fields, change.revision) == ("p-7", {**EMPTY, "city": "Oslo"}, 9)


STEP: dict[str, Any] = {
    "token": "t-1",
    "batchid": "batch/1",
    "apiCallBackKey": "key",
    "campaignId": 1022,
    "callbackUrl": "https://marketo.example.com/callback",
    "context": {"subscription": {"munchkinId": "123-ABC-456"}, "campaign": {"type": "batch"}},
    "objectData": [
        {
            "objectContext": {**EMPTY, "id": 775, "updatedAt": AT, "jobTitle": "CTO"},
            "flowStepContext": {"syncAs": "contact"},
        },
        {"objectContext": {"id": 776}, "flowStepContext": {"assignTo": "ada@sales.example"}},
    ],
}


def test_a_flow_step_asks_for_several_people() -> None:
    """In the background lane; in a trigger campaign on the first one."""
    one, two = of_flow_step(STEP, COLUMNS)
    assert (one.sync_as, one.view and one.view["jobTitle"], one.campaign) == ("contact", "CTO", "batch")
    assert (two.owner, two.view, two.lead_id) == ("ada@sales.example", None, "776")
    trigger = {**STEP, "context": {"campaign": {"type": "trigger"}}}
    assert {each.campaign for each in of_flow_step(trigger, COLUMNS)} == {"trigger"}
    again = {
        requested(each, known(), AT).change_id for each in [one, two, *of_flow_step({**STEP, "token": "t-2"}, COLUMNS)]
    }
    assert len(again) == 2


@pytest.mark.parametrize("people", [None, [], [1], [{}] * 101, [{"objectContext": 7}]])
def test_a_flow_step_for_nobody_is_not_understood(people: Any) -> None:
    """Nor one for too many."""
    with pytest.raises(NotUnderstood):
        of_flow_step({**STEP, "objectData": people}, COLUMNS)


async def test_the_flow_step_tells_marketo_what_it_is() -> None:
    """As the Service Provider Interface has it."""
    async with listening() as it:
        _, definition = await it.get(f"{FLOW_STEP}/getServiceDefinition")
        _, status = await it.get(f"{FLOW_STEP}/status")
        _, picks = await it.post(f"{FLOW_STEP}/getPicklist", {"name": "syncAs", "type": "flow"})
        _, document = await it.get(f"{FLOW_STEP}/openapi.json", {})
        assert (await it.post(f"{FLOW_STEP}/getPicklist", {"name": "assignTo"}))[0] == 400
    names = [each["apiName"] for each in definition["invocationPayloadDef"]["flowAttributes"]]
    assert names == ["syncAs", "assignTo"] and definition["primaryAttribute"] in names
    assert status == {"info": [], "warnings": [], "errors": []}
    assert [each["submittedValue"] for each in picks["choices"]] == ["lead", "contact"]
    assert {"/submitAsyncAction", "/getServiceDefinition", "/status"} <= set(document["paths"])


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("sync.example.com", "https://sync.example.com"),
        ("sync.example.com:8443", "https://sync.example.com:8443"),
        ("127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("localhost", "http://localhost"),
        ("[::1]:8080", "http://[::1]:8080"),
        ("[::1]", "http://[::1]"),
        ("no:port", "https://no:port"),
    ],
)
async def test_marketo_is_told_the_address_of_the_proxy_that_speaks_tls(host: str, address: str) -> None:
    """What arrives here is plain HTTP; only on this machine is it what the caller spoke too."""
    async with listening() as it:
        _, document = await it.get(f"{FLOW_STEP}/openapi.json", {"Host": host})
    assert document["servers"] == [{"url": f"{address}{FLOW_STEP}"}]


@pytest.mark.parametrize("url", ["http://169.254.0.1/", "ftp://x", "file:///etc/passwd", None, 7, ""])
async def test_keys_are_not_sent_just_anywhere(url: Any) -> None:
    """In the clear least of all."""
    assert not is_callable(url)
    async with listening() as it:
        assert (await it.post(f"{FLOW_STEP}/submitAsyncAction", {**STEP, "callbackUrl": url}))[0] == 400
        assert it.changes == []


@pytest.mark.parametrize(
    ("answers", "calls", "is_error"), [([200], 1, False), ([503, 503, 404], 3, False), ([401], 1, True), ([500] * 12, 12, True)]
)  # fmt: skip
async def test_a_callback_is_made_until_it_is_taken(
    answers: list[int], calls: int, is_error: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """404 says that its token was used: an earlier try came through. What will never be taken is given up."""
    came: list[str] = []
    app = web.Application()

    async def answer(request: web.Request) -> web.Response:
        came.append(request.headers["x-callback-token"])
        return web.json_response({}, status=answers[len(came) - 1])

    app.router.add_post("/callback", answer)
    rest = Rest(tls_context(None), 1)
    async with serving(app) as url:
        callbacks = Callbacks(rest, Patience(random.Random(1), backoff=QUICK))
        running = asyncio.create_task(callbacks.run())
        callbacks.add(Callback(f"{url}/callback", "key", "t-1", {"munchkinId": "1"}))
        async with asyncio.timeout(10):
            while len(came) < calls or (is_error and "does not take" not in caplog.text):
                await asyncio.sleep(0)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    await rest.close()
    assert came == ["t-1"] * calls and ("does not take" in caplog.text) == is_error


def test_no_callback_tells_its_keys() -> None:
    """Wherever it may be shown."""
    assert "s3cret" not in repr(Callback("https://x", "s3cret", "s3cret", {"s3cret": 1}))


async def test_the_campaigns_of_a_simulated_marketo_reach_kafka() -> None:
    """Trigger by webhook, batch by flow step with its callback; each person once, whatever is repeated."""
    async with served() as stage, listening() as it:
        people = [stage.person(jobTitle="CTO") for _ in range(120)]
        engine = CampaignEngine(
            stage.instance, f"{it.url}{WEBHOOK}", f"{it.url}{FLOW_STEP}/submitAsyncAction", SECRET, base_url=stage.url
        )
        running = asyncio.create_task(engine.run())
        stage.instance.request_sync(people[0].id, "marketing", stage.clock.now)
        stage.instance.request_sync_all([held.id for held in people], "marketing", stage.clock.now, "batch", "contact")
        async with asyncio.timeout(20):
            while stage.instance.undelivered or stage.instance.flow_steps.outcomes["success"] < 120:
                await asyncio.sleep(0.01)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        assert engine.failures == {}
        changes = it.changes
    batch = [each for each in changes if each.campaign == "batch"]
    assert len(changes) == 121 and len({each.change_id for each in changes}) == 121
    assert {each.record.id for each in batch} == {held.id for held in people}
    assert all(each.sync_as == "contact" and (each.fields or {})["jobTitle"] == "CTO" for each in batch)
    assert PATH in engine.base_url + PATH


async def test_a_view_folds_as_the_feed_shows_it_later() -> None:
    """Both spell the person's values alike."""
    async with scene() as made, listening() as it:
        made.person(jobTitle="CTO", unsubscribed=True, annualRevenue=12.5)
        engine = CampaignEngine(made.instance, f"{it.url}{WEBHOOK}", None, SECRET, base_url=made.stage.url)
        running = asyncio.create_task(engine.run())
        made.instance.request_sync(next(iter(made.instance.records)), "marketing", made.clock.now)
        async with asyncio.timeout(20):
            while made.instance.undelivered:
                await asyncio.sleep(0.01)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await made.start()
        [created], [view] = await made.read(), it.changes
        assert view.fields == created.fields and view.updated_at == created.time
