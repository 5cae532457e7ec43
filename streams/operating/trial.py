"""Would it be rejected again? The agent that would read the message is asked itself, with nothing sent and nothing kept."""

from __future__ import annotations

from collections.abc import Coroutine, Sequence
from typing import NamedTuple

from schemas.rejection import Rejection
from streams.agents import Intake, Sync
from streams.lane import Batch
from streams.operating.reading import Reader
from streams.operating.refused import Refused
from streams.policies import PolicyBook
from streams.tally import Tally
from streams.topics import changelog_topic


class Message(NamedTuple):
    """A message as an agent would be given it."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]] = ()


async def rejection_of(reader: Reader, policies: PolicyBook, message: Message) -> Rejection | None:
    """The rejection that the message would cause; None where it would be handled.

    Raises Refused for a change under a policy that is not known: that ends a worker instead of being rejected, so it must
    never get onto the topic.
    """
    if policies.digest_in_force is None:
        raise Refused(f"{reader.settings.topic('policies')}: no policy is in force; `leadsync policy apply FILE`")
    topic, tally = reader.settings.topic, Tally()
    is_of_sync = message.topic == topic("person.changes")
    agent = Sync(topic, policies, tally) if is_of_sync else Intake(topic, policies, tally)
    table = await _state(reader, message.key) if is_of_sync else {}
    result = agent.handle(Batch(message.topic, message.partition, [message], table))
    if isinstance(result, Coroutine):
        result.close()
        raise Refused("its policy is not on the topic policies; a worker would end on it")
    assert not hasattr(result, "__await__")
    dead = [output for output in result.outputs if output.topic == topic("dead-letter")]
    return Rejection.model_validate_json(dead[0].value or b"") if dead else None


async def _state(reader: Reader, key: bytes | None) -> dict[bytes, bytes]:
    """The person's own state: the core may raise on this one only."""
    record = await reader.latest(changelog_topic(reader.settings, "people"), key) if key else None
    return {} if record is None or key is None else {key: record.value}
