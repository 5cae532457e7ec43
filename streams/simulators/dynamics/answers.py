"""What the API answers: replies without HTTP, and every error with the code and the words that Microsoft documents for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from streams.demo.record import HeldRecord
from streams.demo.saving import DUPLICATE_CODE, DUPLICATE_MESSAGE, TOO_LONG_CODE

JSON_TYPE = "application/json; odata.metadata=minimal"


@dataclass
class Reply:
    """A reply. `shown`: records of which it carries the row; `read`: those that were asked for by id or key.

    `notes`: faults that came about in it, by name.
    """

    status: int
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    shown: list[HeldRecord] = field(default_factory=list)
    read: list[HeldRecord] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


class ApiError(Exception):
    """A request that is refused: HTTP status, code, message, and the fault's name where it counts as one."""

    def __init__(
        self, status: int, code: str, message: str, note: str | None = None, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.note = status, code, message, note
        self.headers = dict(headers or {})

    def reply(self) -> Reply:
        """The error as it leaves."""
        body = {"error": {"code": self.code, "message": self.message}}
        return Reply(self.status, body, self.headers, notes=[] if self.note is None else [self.note])


def not_found(logical_name: str, record_id: str) -> ApiError:
    """There is no such record, or no longer."""
    return ApiError(404, "0x80040217", f"{logical_name} With Id = {record_id} Does Not Exist")


def no_resource(segment: str) -> ApiError:
    """The address names nothing."""
    return ApiError(404, "0x8006088a", f"Resource not found for the segment '{segment}'.")


def no_property(name: str, logical_name: str) -> ApiError:
    """A query names a column that the table lacks."""
    return ApiError(
        400, "0x80060888", f"Could not find a property named '{name}' on type 'Microsoft.Dynamics.CRM.{logical_name}'."
    )


def bad_payload(entity_set: str, why: str) -> ApiError:
    """A body that the table's type can't read."""
    return ApiError(
        400, "0x80048d19", f"Error identified in Payload provided by the user for Entity :'{entity_set}'. {why}"
    )


def bad_query(why: str) -> ApiError:
    """A query option that can't be understood."""
    return ApiError(400, "0x80060888", why)


def method_not_allowed(method: str, what: str) -> ApiError:
    """The address exists, but not for this method."""
    return ApiError(405, "0x80060888", f"The requested resource does not support http method '{method}' ({what}).")


def not_simulated(what: str) -> ApiError:
    """Dataverse can do it, this simulator can't."""
    return ApiError(501, "0x80060889", f"{what} is not simulated.")


def stale() -> ApiError:
    """`If-Match` names another version."""
    message = "The version of the existing record doesn't match the RowVersion property provided."
    return ApiError(412, "0x80060882", message, note="stale_412")


def exists_already() -> ApiError:
    """`If-None-Match: *` on a record that exists, or an id that is taken."""
    return ApiError(412, "0x80040237", "A record with matching key values already exists.")


def duplicate() -> ApiError:
    """A duplicate rule."""
    return ApiError(412, DUPLICATE_CODE, DUPLICATE_MESSAGE, note="duplicate_rule")


def key_taken(columns: tuple[str, ...], key_name: str) -> ApiError:
    """An alternate key that another record has."""
    return ApiError(
        412,
        "0x80060892",
        f"A record that has the attribute values {', '.join(columns)} already exists. The entity key {key_name} requires "
        "that this set of attributes contains unique values. Select unique values and try again.",
    )


def read_only() -> ApiError:
    """A record that is closed."""
    return ApiError(400, "0x8004022e", "The object cannot be updated because it is read-only.")


def too_long(column: str, logical_name: str, length_max: int) -> ApiError:
    """A text that does not fit."""
    return ApiError(
        400,
        TOO_LONG_CODE,
        f"A validation error occurred. The length of the '{column}' attribute of the '{logical_name}' entity exceeded "
        f"the maximum allowed length of '{length_max}'.",
    )


def out_of_range(column: str, logical_name: str, value: object, lowest: object, highest: object) -> ApiError:
    """A number below or above what the column takes."""
    return ApiError(
        400,
        "0x80044330",
        f"A validation error occurred. The value '{value}' of '{column}' on record of type '{logical_name}' is outside "
        f"the valid range ({lowest} to {highest}).",
    )


def no_option(column: str, logical_name: str, value: object, accepted: tuple[int, ...]) -> ApiError:
    """An option that the column lacks."""
    return ApiError(
        400,
        "0x8004431A",
        f"A validation error occurred. The value '{value}' of '{column}' on record of type '{logical_name}' is outside "
        f"the valid range. Accepted Values: {','.join(map(str, accepted))}",
    )


def not_nullable(column: str) -> ApiError:
    """Null for a SystemRequired column."""
    return ApiError(400, "0x80040203", f"Attribute: {column} cannot be set to NULL")


def no_privilege(user_id: str, privilege: str, logical_name: str) -> ApiError:
    """The application user's role does not allow it."""
    return ApiError(
        403,
        "0x80040220",
        f"Principal user (Id={user_id}, type=8, roleCount=1, privilegeCount=1) is missing {privilege} privilege on "
        f"entity '{logical_name}'.",
    )


def token_expired() -> ApiError:
    """A delta token that change tracking no longer covers."""
    return ApiError(
        400, "0x80044352", "Version stamp associated with the client has expired. Please perform a full sync."
    )
