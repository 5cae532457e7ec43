"""What must hold on the broker whatever was killed: nothing lost, nothing twice, every state what a fold of the log gives.

The audit is the demo's own (streams/demo/audit); here its findings fail a test.
"""

from __future__ import annotations

from streams.demo import audit as demo
from streams.policy import default_policy
from streams.settings import Settings


class Audit:
    """Everything that was read, and what is wrong with it."""

    def __init__(self, made: demo.Audit) -> None:
        self.made = made

    @property
    def rejections(self) -> int:
        """Messages in `dead-letter`."""
        return len(self.made.rejected)

    def check(self, sent: set[str]) -> None:
        """Fail with what is missing, twice or wrong. `sent`: the ids of all good source messages, each sent once."""
        assert not self.made.findings, f"{len(self.made.findings)} findings: {self.made.findings[:5]}"
        missing = sent - self.made.people.folded.keys()
        assert not missing, f"{len(missing)} of {len(sent)} changes are lost, {sorted(missing)[:3]}"


async def audit(settings: Settings) -> Audit:
    """Read everything, and fold it again."""
    return Audit(await demo.audit(settings, default_policy()))
