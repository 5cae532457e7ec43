"""Access tokens: one an hour, the same until it expires, refused with 601 and 602."""

from __future__ import annotations

import pytest

from tests.simulators.marketo.served import CONNECTOR, served

TOKEN = "/identity/oauth/token"


async def test_the_same_token_is_given_with_its_remaining_life_until_it_expires() -> None:
    """Then another."""
    async with served() as stage:
        first = await stage.connector.identify()
        assert (first["token_type"], first["expires_in"], first["scope"]) == ("bearer", 3600, CONNECTOR.user)
        stage.clock.now += 600
        again = await stage.connector.identify()
        assert (again["access_token"], again["expires_in"]) == (first["access_token"], 3000)
        stage.clock.now += 3000
        assert (await stage.connector.identify())["access_token"] != first["access_token"]


async def test_a_token_is_asked_for_by_post_too() -> None:
    """With the credentials in a form."""
    async with served() as stage:
        form = {"grant_type": "client_credentials", "client_id": "leadsync", "client_secret": "s3cret"}
        status, _, body = await stage.connector.response("POST", TOKEN, data=form)
        assert status == 200 and stage.connector.token.encode() in body


@pytest.mark.parametrize(
    "asked",
    [
        {"grant_type": "client_credentials", "client_id": "leadsync", "client_secret": "wrong"},
        {"grant_type": "client_credentials", "client_id": "nobody", "client_secret": "s3cret"},
        {"grant_type": "password", "client_id": "leadsync", "client_secret": "s3cret"},
    ],
)
async def test_bad_credentials_are_http_401(asked: dict[str, str]) -> None:
    """The only status that is an error by itself."""
    async with served() as stage:
        status, _, body = await stage.connector.response("GET", TOKEN, params=asked)
        assert status == 401 and b"error_description" in body


async def test_an_unknown_token_is_601_and_an_expired_one_602() -> None:
    """Both with HTTP 200; neither counts as usage. A new token does not revive the old one."""
    async with served() as stage:
        path = "/rest/v1/leads/describe.json"
        good = stage.connector.token
        for token in ("", "nonsense"):
            stage.connector.token = token
            assert await stage.connector.code("GET", path) == "601"
        stage.connector.token = good
        stage.clock.now += 3600
        assert await stage.connector.code("GET", path) == "602"
        await stage.connector.identify()
        await stage.connector.get(path)
        stage.connector.token = good
        assert await stage.connector.code("GET", path) == "602"
        assert sum(sum(users.values()) for users in stage.meter.usage.values()) == 1


async def test_a_token_in_the_query_is_no_token() -> None:
    """Its support has ended."""
    async with served() as stage:
        token, stage.connector.token = stage.connector.token, ""
        assert await stage.connector.code("GET", "/rest/v1/leads/describe.json", access_token=token) == "601"


def test_a_secret_is_not_shown() -> None:
    """Not even where somebody prints the credentials."""
    assert CONNECTOR.client_secret not in repr(CONNECTOR)
