"""Which partition a key goes to: murmur2, the choice of the Java client and of aiokafka.

aiokafka's own `murmur2` walks the key byte by byte and takes 5 µs for a UUID, more than everything else the lane does
with an output. The function here reads whole words and gives the same numbers; a test holds the two equal.
"""

import struct
from collections.abc import Awaitable, Callable, Iterable

MULTIPLIER = 0x5BD1E995
SEED = 0x9747B28C
WORD = 0xFFFFFFFF
REMEMBERED_KEYS = 65_536


def murmur2(key: bytes) -> int:
    """The 32-bit hash of Kafka's default partitioner."""
    length = len(key)
    words = length >> 2
    digest = SEED ^ length
    for word in struct.unpack_from(f"<{words}I", key):
        word = (word * MULTIPLIER) & WORD
        word = ((word ^ (word >> 24)) * MULTIPLIER) & WORD
        digest = ((digest * MULTIPLIER) & WORD) ^ word
    tail = key[words << 2 :]
    if tail:
        digest = ((digest ^ int.from_bytes(tail, "little")) * MULTIPLIER) & WORD
    digest = ((digest ^ (digest >> 13)) * MULTIPLIER) & WORD
    return digest ^ (digest >> 15)


class Partitioner:
    """Remembers the hashes of recent keys and the partition counts of the topics we send to.

    Counts are read once: adding partitions to a topic moves keys away from their order and their table, so a topic's
    count must never change while anything runs.
    """

    def __init__(self) -> None:
        self._hashes: dict[bytes, int] = {}
        self._counts: dict[str, int] = {}

    async def learn(self, topics: Iterable[str], partitions_for: Callable[[str], Awaitable[set[int]]]) -> None:
        """Ask for the partition counts not known yet."""
        for topic in set(topics) - self._counts.keys():
            self._counts[topic] = len(await partitions_for(topic))

    def partition(self, topic: str, key: bytes | None) -> int:
        """The partition of a topic learned before. Without a key nothing has to stay in order: the first will do."""
        if key is None:
            return 0
        digest = self._hashes.get(key)
        if digest is None:
            if len(self._hashes) >= REMEMBERED_KEYS:
                self._hashes.clear()
            digest = self._hashes[key] = murmur2(key) & 0x7FFFFFFF
        return digest % self._counts[topic]
