"""Who and what lookups point to: users and accounts, which the simulation knows by name only. Their ids follow from the names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from schemas.identity import uuid5
from schemas.vocabulary import OURSELVES
from streams.simulators.dynamics.call import GUID

API_USER = "# leadsync"
"""The application user; also who made an edit by REST that is no command's write."""

ORGANISATION_ID = uuid5("dynamics/organisation")
BUSINESS_UNIT_ID = uuid5("dynamics/business-unit")
ROLE_ID = uuid5("dynamics/role/System Administrator")


def user_id_of(name: str) -> str:
    """The systemuserid of a user. leadsync's own writes are the application user's."""
    return uuid5(f"systemuser/{API_USER if name == OURSELVES else name}")


APPLICATION_USER_ID = user_id_of(API_USER)


class Directory:
    """The rows of one table behind lookups, by id."""

    def __init__(self, logical_name: str, names: Iterable[str] = ()) -> None:
        self.logical_name = logical_name
        self._names: dict[str, str] = {}
        for name in names:
            self.add(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __contains__(self, row_id: str) -> bool:
        return row_id in self._names

    def add(self, name: str) -> str:
        """A row of this name; gives its id. The same name is the same row."""
        row_id = user_id_of(name) if self.logical_name == "systemuser" else uuid5(f"{self.logical_name}/{name}")
        self._names.setdefault(row_id, API_USER if name == OURSELVES else name)
        return row_id

    def name_of(self, row_id: str) -> str | None:
        """The row's name."""
        return self._names.get(row_id)

    def id_of(self, value: object) -> str | None:
        """The id of what a record's value names; an id stands for itself."""
        if not isinstance(value, str) or not value:
            return None
        return value if GUID.fullmatch(value) else self.add(value)

    def row(self, row_id: str) -> dict[str, Any]:
        """Its columns. Raises KeyError where there is no such row."""
        name = self._names[row_id]
        if self.logical_name == "account":
            return {"accountid": row_id, "name": name, "statecode": 0, "statuscode": 1}
        is_application = row_id == APPLICATION_USER_ID
        return {
            "systemuserid": row_id,
            "fullname": name,
            "internalemailaddress": name,
            "domainname": name,
            "isdisabled": False,
            "accessmode": 4 if is_application else 0,
            "applicationid": uuid5("dynamics/application") if is_application else None,
            "azureactivedirectoryobjectid": uuid5(f"azure/{row_id}"),
            "_businessunitid_value": BUSINESS_UNIT_ID,
        }
