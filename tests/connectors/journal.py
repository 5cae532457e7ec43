"""A journal in memory: what a connector would have put on Kafka, in order."""

from __future__ import annotations

from schemas.checkpoint import Checkpoint
from schemas.vocabulary import System
from streams.connectors.journal import Entry, MakeEntry, StreamChange
from streams.connectors.known import KnownRecord, KnownRecords
from streams.connectors.progress import Progress
from streams.sync.messages import ApplyResult


class FakeJournal:
    """Keeps every entry. `restarted` is the journal of the process after this one."""

    def __init__(self, system: System, known: KnownRecords | None = None) -> None:
        self.system, self.entries = system, []
        self.known, self.progress = known or KnownRecords(system), Progress()

    async def write(self, entry: Entry | MakeEntry) -> None:
        """As the real one: what is known changes after the commit."""
        entry = (entry if isinstance(entry, Entry) else entry(self.known)).now(self.known)
        if entry:
            self.entries.append(entry)
            self.progress.note(entry.taken, entry.done)
            for known in entry.records:
                self.known.learn(known)

    @property
    def changes(self) -> list[StreamChange]:
        """Every change, with its stream."""
        return [change for entry in self.entries for change in entry.changes]

    @property
    def results(self) -> list[ApplyResult]:
        """Every answer."""
        return [result for entry in self.entries for result in entry.results]

    @property
    def records(self) -> list[KnownRecord]:
        """What became known, in order."""
        return [known for entry in self.entries for known in entry.records]

    @property
    def checkpoint(self) -> Checkpoint | None:
        """The last one."""
        return next((e.checkpoint for e in reversed(self.entries) if e.checkpoint is not None), None)

    def restarted(self) -> FakeJournal:
        """What the next process reads back; its own entries start anew."""
        return FakeJournal(self.system, self.known)
