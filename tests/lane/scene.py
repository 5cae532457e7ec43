"""Topics of their own for one test, what was produced to them, and what must have come of it."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

from aiokafka import ConsumerRecord

from tests.lane.broker import committed_state, counts_by_key, create_topics, fresh, produce, read_committed
from tests.lane.counting_worker import Options

PARTITIONS = 4
SESSION_SECONDS = 6.0  # the shortest a broker accepts unless told otherwise
KEYS = [b"person-%04d" % n for n in range(300)]


class Scene:
    """Topics of their own, and what was produced to them."""

    def __init__(self, servers: str, *, sources: int = 1, chain: bool = False, **options: Any) -> None:
        settings = {
            "session_timeout_ms": int(SESSION_SECONDS * 1000),
            "heartbeat_interval_ms": 500,
            "batch_records": 200,
        }
        settings |= options.pop("settings", {})
        self.servers = servers
        self.options = Options(
            servers=servers,
            app_id=fresh("app"),
            sources=[fresh("source") for _ in range(sources)],
            target=fresh("target"),
            chain_through=fresh("through") if chain else None,
            settings=settings,
            **options,
        )
        self.produced: Counter[tuple[str, bytes]] = Counter()

    @property
    def changelogs(self) -> list[str]:
        names = [f"first-{n}" for n in range(len(self.options.sources))] + ["second"] * bool(self.options.chain_through)
        return [f"{self.options.app_id}-{name}-changelog" for name in names]

    async def create(self, **config: str) -> "Scene":
        plain = [*self.options.sources, self.options.target]
        plain += [self.options.chain_through] if self.options.chain_through else []
        await create_topics(self.servers, plain, PARTITIONS, **config)
        await create_topics(self.servers, self.changelogs, PARTITIONS, **{"cleanup.policy": "compact"} | config)
        return self

    async def load(self, records: int, source: int = 0) -> None:
        topic = self.options.sources[source]
        keys = [KEYS[n % len(KEYS)] for n in range(records)]
        await produce(self.servers, topic, ((key, b"event") for key in keys), PARTITIONS)
        self.produced.update((topic, key) for key in keys)

    async def assert_exact(self) -> None:
        """Every output once and in order, every state the last of them."""
        total = self.produced.total()
        records = await read_committed(self.servers, self.options.target, total)
        assert len(records) == total
        # Anything sent twice would come after the last one that was asked for.
        assert len(await read_committed(self.servers, self.options.target)) == total
        if len(self.options.sources) == 1:  # counters of several sources meet in one target
            _assert_counts(records, {key: count for (_, key), count in self.produced.items()})
        await self._assert_state()

    async def _assert_state(self) -> None:
        for source, changelog in zip(self.options.sources, self.changelogs, strict=False):
            expected = {key: b"%d" % count for (topic, key), count in self.produced.items() if topic == source}
            state = await committed_state(self.servers, changelog)
            assert {key: value.split()[0] for key, value in state.items()} == expected


def _assert_counts(records: Iterable[ConsumerRecord], final: dict[bytes, int]) -> None:
    counts = counts_by_key(records)
    wrong = {key: found for key, found in counts.items() if found != list(range(1, final[key] + 1))}
    assert not wrong
    assert counts.keys() == final.keys()
