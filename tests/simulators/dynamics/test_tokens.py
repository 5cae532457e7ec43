"""Who gets a token, and what happens without a good one."""

from __future__ import annotations

import pytest

from streams.simulators.dynamics.limits import Limits
from tests.simulators.dynamics.organisation import CREDENTIALS, organisation


async def test_client_id_and_secret_give_a_bearer_token_for_an_hour() -> None:
    """As Microsoft's identity platform answers."""
    async with organisation() as org:
        answer = await org.sign_in()
        assert (answer.status, answer.row["token_type"], answer.row["expires_in"]) == (200, "Bearer", 3_599)
        assert (await org.ask("GET", "WhoAmI")).status == 200


@pytest.mark.parametrize(
    ("form", "status", "error", "number"),
    [
        ({"client_secret": "wrong"}, 401, "invalid_client", 7000215),
        ({"client_id": "another"}, 400, "unauthorized_client", 700016),
        ({"grant_type": "password"}, 400, "unsupported_grant_type", 70003),
        ({"scope": "user.read"}, 400, "invalid_scope", 70011),
    ],
)
async def test_a_wrong_form_is_refused_with_its_own_error(
    form: dict[str, str], status: int, error: str, number: int
) -> None:
    """Error, description and number, and never the secret."""
    async with organisation() as org:
        answer = await org.sign_in(**form)
        assert (answer.status, answer.row["error"], answer.row["error_codes"]) == (status, error, [number])
        assert answer.row["error_description"].startswith(f"AADSTS{number}:")
        assert CREDENTIALS.client_secret not in answer.text


async def test_another_tenant_is_not_known() -> None:
    """The tenant stands in the path."""
    async with organisation() as org, org.http.post(f"{org.address}/elsewhere/oauth2/v2.0/token", data={}) as answer:
        assert answer.status == 400 and (await answer.json())["error_codes"] == [90002]


async def test_without_a_good_token_the_api_answers_401_with_a_challenge() -> None:
    """None, a wrong one, one that was taken back, one that is too old."""
    async with organisation(limits=Limits(token_seconds=60)) as org:
        good, org.token = org.token, "wrong"
        answer = await org.ask("GET", "WhoAmI")
        assert answer.status == 401 and "authorization_uri" in answer.headers["WWW-Authenticate"]
        org.token = good
        assert (await org.ask("GET", "WhoAmI")).status == 200
        org.clock[0] += 61
        assert (await org.ask("GET", "WhoAmI")).status == 401
        org.token = (await org.sign_in()).row["access_token"]
        assert (await org.ask("GET", "WhoAmI")).status == 200
        org.tokens.revoke_all()
        assert (await org.ask("GET", "WhoAmI")).status == 401


async def test_a_client_library_finds_the_token_endpoint() -> None:
    """OpenID configuration of the tenant."""
    url = f"/{CREDENTIALS.tenant_id}/v2.0/.well-known/openid-configuration"
    async with organisation() as org, org.http.get(org.address + url) as answer:
        assert (await answer.json())["token_endpoint"].endswith(f"/{CREDENTIALS.tenant_id}/oauth2/v2.0/token")


def test_credentials_do_not_show_their_secret() -> None:
    """Not even when printed."""
    assert CREDENTIALS.client_secret not in repr(CREDENTIALS)
