"""Where reading begins and how far a group is: questions that aiokafka's own methods wait on, pass over or give up.

- A topic that is named but not there is waited for, as if it were about to be made. Asked for all topics at once, a broker
  answers. (Since aio-libs/aiokafka#98.)
- `seek_to_committed` leaves a partition without a commit, or with the commit 0, where it stands: whatever was fetched of it
  and not committed is never read again (aio-libs/aiokafka#1003).
- A log that ends before the group's commit has lost its end, which a new leader never had. aiokafka would read all of it
  again. (A topic that is deleted takes its commits along, so one that was made anew is read from its beginning.)
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from math import inf
from time import monotonic
from typing import Any

from aiokafka import TopicPartition

from streams.lane.batch import LaneError
from streams.lane.stable_offsets import stable_offsets

log = logging.getLogger(__name__)

STALE_SECONDS, RETRY_SECONDS = 5.0, 0.1
"""So long both are asked for again where a log ends before the commit: who answers may not know yet that it leads the partition no
more, or that the topic was made anew."""


async def topics_there(consumer: Any) -> Any:
    """aiokafka's ClusterMetadata of all topics as they are now."""
    return await consumer._client.fetch_all_metadata()


async def partitions_of(consumer: Any, topic: str) -> list[TopicPartition]:
    """The partitions of a topic in their order; none where there is no such topic."""
    numbers = (await topics_there(consumer)).partitions_for_topic(topic) or ()
    return [TopicPartition(topic, number) for number in sorted(numbers)]


async def starts(consumer: Any, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
    """Where the consumer's group goes on: at its commit, else at the beginning. Raises LaneError where the log ends before that."""
    if not partitions:
        return {}
    committed, ends = await _commits_and_ends(consumer, partitions)
    beginnings = await consumer.beginning_offsets(partitions)
    new = [
        f"{each.topic}[{each.partition}]"
        for each in partitions
        if each not in committed and beginnings[each] < ends[each]
    ]
    if new:  # the first start, or the group was away for longer than a broker keeps its commits
        log.info("the group %s has no commit for %s: all that is there is read", consumer._group_id, ", ".join(new))
    for each in partitions:
        if committed.get(each, 0) > ends[each]:
            raise LaneError(_lost_its_end(each, committed[each], ends[each], consumer._group_id))
    return {each: _start(each, committed.get(each), beginnings[each]) for each in partitions}


async def _commits_and_ends(
    consumer: Any, partitions: Sequence[TopicPartition]
) -> tuple[Mapping[TopicPartition, int], Mapping[TopicPartition, int]]:
    """What the group has committed, and where the logs end."""
    deadline = inf
    while True:
        committed = await stable_offsets(consumer, consumer._group_id, partitions, inf)
        ends = await consumer.end_offsets(partitions)
        if all(committed.get(each, 0) <= ends[each] for each in partitions):
            return committed, ends
        deadline = min(deadline, monotonic() + STALE_SECONDS)  # only now: a commit may have been long in coming
        if monotonic() >= deadline:
            return committed, ends
        await asyncio.sleep(RETRY_SECONDS)
        await consumer._client.force_metadata_update()


def _lost_its_end(partition: TopicPartition, committed: int, end: int, group: str) -> str:
    """Nobody knows where it was cut off: what producers wrote since stands below the end, so the latest offset would pass over it."""
    return (
        f"{partition.topic}[{partition.partition}] ends at offset {end}, and was read up to {committed}: the log has lost its "
        "end, and what came since stands at offsets that count as read. Say where to go on, with nobody in the group, by "
        f"`kafka-consumer-groups.sh --bootstrap-server HOST:PORT --group {group} --topic {partition.topic}:{partition.partition} "
        "--reset-offsets --to-datetime TIME --execute`, with a TIME (such as 2026-01-31T23:59:00.000) before its leader changed: "
        "what is read twice counts as repeats"
    )


def _start(partition: TopicPartition, committed: int | None, beginning: int) -> int:
    if committed is None:
        return beginning
    if committed < beginning:
        # Markers are never committed past, so this may be no loss; whoever runs this has to look.
        gone = "%s[%d]: offsets %d to %d are gone; unread, unless they were only markers"
        log.error(gone, *partition, committed, beginning)
        return beginning
    return committed
