"""What must stand on the topics beside what stands there, key by key: Kafka keeps order within a key, and so do we."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from typing import NamedTuple

Lane = tuple[str, ...]
"""What keeps its order: a topic and a key; where two agents follow each other, the source's too."""


class Said(NamedTuple):
    """One message: its id, to tell of it, and a digest of all that it says."""

    id: str
    digest: bytes


Lanes = defaultdict[Lane, list[Said]]


def lanes() -> Lanes:
    """None yet."""
    return defaultdict(list)


def compared(right: Lanes, found: Lanes) -> Iterator[str]:
    """What is lost, repeated, invented or out of order in `found`, a line each."""
    for lane in sorted(right.keys() | found.keys()):
        if right.get(lane) != found.get(lane):
            yield from _differences(lane, right.get(lane, ()), found.get(lane, ()))


def _differences(lane: Lane, right: Sequence[Said], found: Sequence[Said]) -> Iterator[str]:
    topic, *key = lane
    counts, wanted = Counter(found), Counter(right)
    for said in counts | wanted:
        if counts[said] != wanted[said]:
            what = "is lost" if not counts[said] else "is not what the log gives" if not wanted[said] else ""
            yield f"{topic} {'/'.join(key)}: {said.id} {what or f'stands {counts[said]} times, not {wanted[said]}'}"
    if counts == wanted:
        yield f"{topic} {'/'.join(key)}: {len(found)} messages stand in another order than their causes"


def follows(trail: Sequence[bytes], steps: Sequence[bytes]) -> bool:
    """Whether `steps` are some of the trail, in its order."""
    onward = iter(trail)
    return all(step in onward for step in steps)
