"""Where a change came from, as its activities say it: Source and Reason, and for a call of the REST API its Request Id."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

API_SOURCE = "Web service API"
FORM_SOURCE = "Web form fillout"
MANUAL_SOURCE = "Manual Change"
FORM_SHARE = 4
"""Every so many-th change by hand is a form that the person filled out."""


@dataclass(frozen=True)
class Origin:
    """Who changed something, and how."""

    source: str
    reason: str
    user: str
    method: str | None = None
    request_id: str | None = None

    def attributes(self) -> dict[str, Any]:
        """What an activity says of it, in Marketo's names."""
        said = {"Source": self.source, "Reason": self.reason, "Modifying User": self.user}
        if self.request_id is not None:
            said |= {"API Method Name": self.method or "", "Request Id": self.request_id}
        return said


def by_api(user: str, method: str, request_id: str) -> Origin:
    """A call of the REST API."""
    return Origin(API_SOURCE, API_SOURCE, user, method, request_id)


def by_hand(who: str, number: int) -> Origin:
    """Somebody in Marketo's own screens, or the person in a form."""
    if number % FORM_SHARE == 0:
        return Origin(FORM_SOURCE, "Filled Out Form: Contact Us", who)
    return Origin(MANUAL_SOURCE, "User changed Person Info", who)
