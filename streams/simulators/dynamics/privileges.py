"""What the application user may do, by the names that Dataverse gives it."""

from __future__ import annotations

from typing import Any

from schemas.identity import uuid5
from streams.simulators.dynamics.answers import no_privilege
from streams.simulators.dynamics.directory import APPLICATION_USER_ID, BUSINESS_UNIT_ID

ACTIONS = ("Read", "Create", "Write", "Delete", "Assign", "Append", "AppendTo")
TABLES = ("Lead", "Contact", "Account")

ALL_PRIVILEGES = frozenset(
    {
        *(f"prv{action}{table}" for action in ACTIONS for table in TABLES),
        "prvReadUser",
        "prvReadEntity",
        "prvReadAttribute",
        "prvCreateAttribute",
        "prvPublishCustomization",
    }
)
"""A System Administrator's, as far as they matter here."""


def need(privileges: frozenset[str], action: str, logical_name: str) -> None:
    """Raise ApiError where the privilege for an action (Read, Create, ...) on a table is missing."""
    table = "User" if logical_name == "systemuser" else logical_name.capitalize()
    name = f"prv{action}{table}"
    if name not in privileges:
        raise no_privilege(APPLICATION_USER_ID, name, logical_name)


def role_privileges(privileges: frozenset[str]) -> list[dict[str, Any]]:
    """The privileges as `RetrieveUserPrivileges` lists them."""
    return [
        {
            "Depth": "Global",
            "PrivilegeId": uuid5(f"privilege/{name}"),
            "BusinessUnitId": BUSINESS_UNIT_ID,
            "PrivilegeName": name,
            "RecordFilterId": "00000000-0000-0000-0000-000000000000",
            "RecordFilterUniqueName": "",
        }
        for name in sorted(privileges)
    ]
