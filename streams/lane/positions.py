"""Where reading begins and how far a group is: questions that aiokafka's own methods wait on, pass over or give up.

- A topic that is named but not there is waited for, as if it were about to be made. Asked for all topics at once, a broker
  answers. (Since aio-libs/aiokafka#98.)
- `seek_to_committed` leaves a partition without a commit, or with the commit 0, where it stands: whatever was fetched of it
  and not committed is never read again (aio-libs/aiokafka#1003).
- The admin client asks a coordinator once. One that was just started, or whose predecessor was just killed, refuses for a
  moment; consumers and producers try again.
"""

import asyncio
import logging
import time
from collections.abc import Mapping, Sequence
from typing import Any

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

log = logging.getLogger(__name__)

COORDINATOR_SECONDS_MAX = 30.0
RETRY_SECONDS = 0.1


async def topics_there(consumer: Any) -> Any:
    """aiokafka's ClusterMetadata of all topics as they are now."""
    return await consumer._client.fetch_all_metadata()


async def partitions_of(consumer: Any, topic: str) -> list[TopicPartition]:
    """The partitions of a topic in their order; none where there is no such topic."""
    numbers = (await topics_there(consumer)).partitions_for_topic(topic) or ()
    return [TopicPartition(topic, number) for number in sorted(numbers)]


async def starts(consumer: Any, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
    """Where the consumer's group goes on: at its commit, else at the beginning."""
    committed = await asyncio.gather(*(consumer.committed(partition) for partition in partitions))
    beginnings = await consumer.beginning_offsets(partitions) if partitions else {}
    return {
        partition: _start(partition, offset, beginnings[partition])
        for partition, offset in zip(partitions, committed, strict=True)
    }


def _start(partition: TopicPartition, committed: int | None, beginning: int) -> int:
    if committed is None:
        return beginning
    if committed < beginning:
        # Markers are never committed past, so this may be no loss; whoever runs this has to look.
        gone = "%s[%d]: offsets %d to %d are gone; unread, unless they were only markers"
        log.error(gone, *partition, committed, beginning)
        return beginning
    return committed


async def committed_offsets(
    admin: Any, group: str, patience_seconds: float = COORDINATOR_SECONDS_MAX
) -> Mapping[TopicPartition, Any]:
    """What a group has committed; waits for its coordinator, within a limit."""
    deadline = time.monotonic() + patience_seconds
    while True:
        try:
            offsets: Mapping[TopicPartition, Any] = await admin.list_consumer_group_offsets(group)
            return offsets
        except KafkaError as error:
            if not error.retriable or time.monotonic() > deadline:
                raise
            await asyncio.sleep(RETRY_SECONDS)
