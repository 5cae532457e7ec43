"""Somebody who works in the two simulated systems from outside, by REST, with an account of the README's second example."""

from __future__ import annotations

from typing import Any

import aiohttp

MARKETO_SECRET, DYNAMICS_SECRET = "one", "two"
API = "/api/data/v9.2"
FORMER = {"Prefer": "return=representation"}


class Marketo:
    """A client of Marketo's REST API."""

    def __init__(self, url: str) -> None:
        self._url = url

    async def create(self, **values: Any) -> int:
        answer = await self._call("POST", "/rest/v1/leads.json", {"action": "createOnly", "input": [values]})
        return int(answer["result"][0]["id"])

    async def write(self, person: int, **values: Any) -> None:
        body = {"action": "updateOnly", "lookupField": "id", "input": [{"id": person, **values}]}
        assert (await self._call("POST", "/rest/v1/leads.json", body))["result"][0]["status"] == "updated"

    async def read(self, person: int) -> dict[str, Any]:
        fields = "id,firstName,lastName,email,jobTitle,city,microsoftType"
        answer = await self._call("GET", f"/rest/v1/lead/{person}.json?fields={fields}")
        return dict(answer["result"][0])

    async def all_of(self, email: str) -> list[Any]:
        return list((await self._call("GET", f"/rest/v1/leads.json?filterType=email&filterValues={email}"))["result"])

    async def _call(self, method: str, path: str, body: Any = None) -> Any:
        grant = {"grant_type": "client_credentials", "client_id": "leadsync", "client_secret": MARKETO_SECRET}
        async with aiohttp.ClientSession(self._url, raise_for_status=True) as session:
            async with session.get("/identity/oauth/token", params=grant) as token:
                bearer = {"Authorization": f"Bearer {(await token.json())['access_token']}"}
            async with session.request(method, path, json=body, headers=bearer) as answer:
                said = await answer.json()
        assert said["success"], said
        return said


class Dataverse:
    """A client of the Dataverse Web API."""

    def __init__(self, url: str, tenant: str = "contoso") -> None:
        self._url, self._tenant = url, tenant

    async def create(self, **values: Any) -> str:
        return str((await self._call("POST", "/leads", values, FORMER))["leadid"])

    async def write(self, lead: str, **values: Any) -> None:
        await self._call("PATCH", f"/leads({lead})", values, {"If-Match": "*"})

    async def read(self, lead: str) -> dict[str, Any]:
        return dict(await self._call("GET", f"/leads({lead})"))

    async def all(self) -> list[Any]:
        return list((await self._call("GET", "/leads?$select=leadid"))["value"])

    async def _call(self, method: str, path: str, body: Any = None, more: dict[str, str] | None = None) -> Any:
        grant = {
            "grant_type": "client_credentials", "client_id": "leadsync", "client_secret": DYNAMICS_SECRET,
            "scope": f"{self._url}/.default",
        }  # fmt: skip
        async with aiohttp.ClientSession(self._url, raise_for_status=True) as session:
            async with session.post(f"/{self._tenant}/oauth2/v2.0/token", data=grant) as token:
                headers = {"Authorization": f"Bearer {(await token.json())['access_token']}", **(more or {})}
            async with session.request(method, f"{API}{path}", json=body, headers=headers) as answer:
                return await answer.json() if answer.status != 204 else {}
