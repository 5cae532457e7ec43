"""The Dynamics user whom a Sync Person names: by id, by e-mail address or by sign-in name."""

from __future__ import annotations

from streams.connectors.dynamics.batch import Part
from streams.connectors.dynamics.client import READING, DataverseClient, filtering, literal, selecting
from streams.connectors.dynamics.lookups import read_one
from streams.connectors.dynamics.rows import GUID
from streams.connectors.pacing import Priority

FOUND_MAX = 10_000
USER_COLUMNS = ("systemuserid", "isdisabled")


class Owners:
    """Looks users up, and remembers whom it found. Whom it did not find may be there next time."""

    def __init__(self, client: DataverseClient) -> None:
        self._client = client
        self._found: dict[str, str] = {}

    async def id_of(self, owner: str, priority: Priority) -> str | None:
        """The `systemuserid`; None where there is no such user, or it cannot be told which of several is meant.

        Raises Refused and Unread where users can't be read now.
        """
        if owner not in self._found:
            user_id = await self._ask(owner, priority)
            if user_id is None:
                return None
            if len(self._found) >= FOUND_MAX:
                self._found.clear()
            self._found[owner] = user_id
        return self._found[owner]

    async def _ask(self, owner: str, priority: Priority) -> str | None:
        if not owner.isprintable():
            return None  # no user is called so, and no address can be sure to carry it
        if GUID.fullmatch(owner):
            condition = f"systemuserid eq {owner.lower()}"
        else:
            condition = f"internalemailaddress eq {literal(owner)} or domainname eq {literal(owner)}"
        part = Part("GET", f"systemusers?{selecting(USER_COLUMNS)}&{filtering(condition)}", READING)
        users = (await read_one(self._client, part, priority=priority) or {}).get("value", [])
        active = {str(user["systemuserid"]).lower() for user in users if not user.get("isdisabled")}
        return active.pop() if len(active) == 1 else None
