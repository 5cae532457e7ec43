"""What stands for the policies and the metrics around either connector in its tests, and how little they wait."""

from __future__ import annotations

from dataclasses import dataclass

from streams.connectors.pacing import Backoff
from streams.sync.policy import Policy

QUICK = Backoff(0.001, 0.01)


@dataclass
class PolicyHeld:
    """Stands for the policy book; a test may put another policy in force."""

    in_force: Policy


class Calls(list[tuple[str, str]]):
    """Endpoint and outcome of every call that the connector made."""

    def __call__(self, endpoint: str, outcome: str) -> None:
        self.append((endpoint, outcome))

    def outcomes(self, endpoint: str) -> list[str]:
        """Of one endpoint."""
        return [outcome for name, outcome in self if name == endpoint]
