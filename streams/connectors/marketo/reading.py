"""Pages of a feed that were read and not yet told. They stay in memory until what they say is on Kafka, and only then count as read."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from streams.connectors.marketo.entries import FeedEntry, entry_of
from streams.connectors.rest import Refused
from streams.settings import SettingsError

Fetch = Callable[[str], Awaitable[dict[str, Any]]]

TOKEN_REFUSED = "1003"


@dataclass(frozen=True)
class Page:
    """Entries, and the position after them."""

    entries: tuple[FeedEntry, ...]
    position: str


class PagesRead:
    """One feed from a position on. `position` is that of what was told; `at_end`: nothing more when it was last asked."""

    def __init__(self, name: str, position: str, fetch: Fetch) -> None:
        self.name, self.position, self._fetch = name, position, fetch
        self.pages: deque[Page] = deque()
        self.at_end = False

    async def read_on(self, pages_max: int) -> None:
        """To the end, as it is now, or until so many pages are at hand. A page without entries may have others behind it."""
        self.at_end = False
        while len(self.pages) < pages_max and not self.at_end:
            answer = await self._page(self.pages[-1].position if self.pages else self.position)
            page = Page(tuple(entry_of(each) for each in answer.get("result") or ()), str(answer["nextPageToken"]))
            self.at_end = not answer.get("moreResult", False)
            self._keep(page)

    def told(self, pages: int) -> None:
        """So many pages are on Kafka."""
        for _ in range(pages):
            self.position = self.pages.popleft().position

    def position_after(self, pages: int) -> str:
        """Where what was told will end after so many more pages."""
        return self.pages[pages - 1].position if pages else self.position

    def entries(self, first: int = 0, end: int | None = None) -> Iterator[FeedEntry]:
        """What stands on these pages."""
        for place, page in enumerate(self.pages):
            if first <= place and (end is None or place < end):
                yield from page.entries

    def forget(self) -> None:
        """Read it again: what is asked for has changed."""
        self.pages.clear()

    def _keep(self, page: Page) -> None:
        """Pages without entries are one with what stands before them, so that they never fill the room."""
        if not page.entries and self.pages:
            self.pages[-1] = Page(self.pages[-1].entries, page.position)
        else:
            self.pages.append(page)

    async def _page(self, position: str) -> dict[str, Any]:
        try:
            return await self._fetch(position)
        except Refused as error:
            if error.code != TOKEN_REFUSED:
                raise
            raise SettingsError(
                f"Marketo cannot go on with the feed of {self.name} where it was left ({error}): what changed since is not "
                "known any more; run `leadsync bootstrap`, which reads everybody anew"
            ) from None


def without_repeats(entries: Iterable[FeedEntry], recent: Iterable[str]) -> list[FeedEntry]:
    """Without entries that were told already, or stand here twice: pages overlap at times."""
    seen = set(recent)
    found: list[FeedEntry] = []
    for entry in entries:
        if entry.guid not in seen:
            seen.add(entry.guid)
            found.append(entry)
    return found
