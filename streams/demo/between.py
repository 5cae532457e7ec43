"""What stands between the two simulated systems and Kafka, as a demo sees it.

By itself a demo carries everything in its own process (`carrying.py`); with REST in between, two connectors do
(`rest/connecting.py`). Phases, view and verdict are the same.
"""

from __future__ import annotations

from typing import Protocol

from streams.demo.summary import OverRest


class Between(Protocol):
    """Connect, run, and be asked how far it is."""

    @property
    def sent(self) -> int:
        """Changes and results put on Kafka."""

    @property
    def applied(self) -> int:
        """Commands carried out."""

    @property
    def waiting(self) -> int:
        """What is on its way between the systems and Kafka, as far as is known."""

    @property
    def stirred(self) -> tuple[int, ...]:
        """Counts of which one rises whenever anything moves."""

    async def start(self) -> None:
        """Connect to the broker; start what has to be started. Raises WorkerFailed."""

    async def ready(self) -> None:
        """Wait until what was started is ready; `run` must be running."""

    async def run(self) -> None:
        """Without end. What it raises ends the demo."""

    async def stop(self) -> None:
        """Let go of everything."""

    async def unread(self) -> int:
        """How many changes and results the workers have yet to read."""

    async def upstream(self) -> str | None:
        """What is still to be waited for before the workers have read all that the systems show; None: nothing."""

    async def downstream(self) -> str | None:
        """What is still to be waited for before every command that the workers sent has been carried out."""

    def disturb(self, share: float) -> None:
        """People have made this share of their edits: time for whatever the plan has in store."""

    def report(self, edits: int) -> OverRest | None:
        """What there is to tell at the end, beside these edits; None where there was nothing in between."""
