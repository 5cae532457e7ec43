"""Calls of a flow step that wait for their callback, and what came back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from secrets import token_urlsafe
from typing import Any


class FlowSteps:
    """Tokens, each for one callback. `key`: what a callback must bring as x-api-key.

    `outcomes` counts people by `success` or by error code; `reported` holds the callbacks as they came.
    """

    def __init__(self) -> None:
        self.key = token_urlsafe(24)
        self.outcomes: Counter[str] = Counter()
        self.reported: list[Mapping[str, Any]] = []
        self._campaigns: dict[str, int] = {}

    def expect(self, campaign_id: int) -> str:
        """A token for one call."""
        token = token_urlsafe(24)
        self._campaigns[token] = campaign_id
        return token

    def knows(self, token: str) -> bool:
        """Whether a callback with this token is waited for."""
        return token in self._campaigns

    def report(self, token: str, callback: Mapping[str, Any]) -> int:
        """The callback came: gives its campaign. The token is used up."""
        self.reported.append(callback)
        return self._campaigns.pop(token)
