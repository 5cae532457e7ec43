"""Whether another process bears our instance id.

A static member that is replaced by another of its instance id is to end. aiokafka 0.14 does not let it know: its
heartbeats do not name the instance, so the broker knows the member no more, and it joins again as if its session had run
out. That replaces the other one, which then does the same: the two take the group from each other at each heartbeat, for
ever, and both make next to no progress (aio-libs/aiokafka#1188, open).

What tells it: the broker puts a static member in another's place without a rebalance, so the generation stays and the member
id is new. Where a session has really run out, the group has gone on without it, and the generation has risen.
"""

from streams.lane.batch import LaneError


class Membership:
    """What a worker was in its group when it was last looked at."""

    def __init__(self, instance_id: str | None) -> None:
        self._instance_id = instance_id
        self._seen: tuple[int, str] | None = None

    def refuse_twin(self, generation: int, member_id: str) -> None:
        """Raise LaneError where this process came back into a generation under another member id."""
        if self._instance_id is None or generation < 0 or not member_id:
            return  # a plain member, or one that is just joining
        before, self._seen = self._seen, (generation, member_id)
        if before is not None and before[0] == generation and before[1] != member_id:
            raise LaneError(
                f"another worker bears the instance id {self._instance_id!r}, and each has put itself in the other's place; "
                "give each an instance id of its own"
            )
