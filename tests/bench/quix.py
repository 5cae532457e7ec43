"""The worker's job on Quix Streams 3.28, as a yardstick of `leadsync bench`.

    python -m tests.bench.quix BOOTSTRAP PREFIX POLICY_FILE FOLDER [--codec]

Two hops in one application: a dataframe for each source topic, stateful where streams have links, and a stateful one over
`person.changes` that keeps a person's state. Each message is read by its pydantic contract, folded, and gives a list of
messages (`expand=True`), which go to their topics under their keys and headers. State is Quix's own: RocksDB, its write
cache for each checkpoint, and its changelog topics, which it makes itself (`changelogs`).

What differs from Quix as it comes, and why:
- bodies pass through Quix as bytes, since one that Quix itself cannot deserialize would have to be dropped or end the run;
- it commits every 0.2 seconds instead of 5, and polls for 0.1 seconds instead of 1 (it commits between polls), so that the
  bench need not wait long to see a wave folded;
- keys go to the partitions where Java and aiokafka put them: librdkafka's own partitioner is another.

It reads committed messages only, as librdkafka does unless told otherwise. What it is not: exactly-once (Quix can, at a
price; this is its default, at least once). For brokers without TLS and SASL.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from quixstreams import Application, State, message_context
from quixstreams.models import Serializer

from schemas.vocabulary import SYSTEMS, System
from streams.settings import Settings
from tests.bench.merge import (
    CHANGES,
    INTAKE_SENDS,
    RESULTS,
    SYNC_SENDS,
    Arguments,
    Received,
    Sent,
    arguments,
)

COMMIT_SECONDS = 0.2
POLL_SECONDS = 0.1
STATEFUL_TOPICS = (*CHANGES.values(), "person.changes")


class BodyOfSent(Serializer):
    """A message's body stands ready."""

    def __call__(self, value: Sent, ctx: Any) -> bytes:
        return value.body


class Streaming:
    """The application's topics and dataframes."""

    def __init__(self, given: Arguments) -> None:
        self._settings, self._merge = given.settings, given.merge
        self.application = Application(
            broker_address=given.settings.bootstrap_servers,
            consumer_group=given.settings.app_id,
            auto_offset_reset="earliest",
            commit_interval=COMMIT_SECONDS,
            consumer_poll_timeout=POLL_SECONDS,
            consumer_extra_config={"isolation.level": "read_committed"},
            producer_extra_config={"partitioner": "murmur2_random"},
            state_dir=given.folder / "quix",
            loglevel="WARNING",
        )
        self._topics = {name: self._topic(name) for name in (*INTAKE_SENDS, *SYNC_SENDS)}
        for system in SYSTEMS:
            self._attach(CHANGES[system], partial(self._changes, system), stateful=True)
            self._attach(RESULTS[system], partial(self._results, system), stateful=False)
        self._attach("person.changes", self._people, stateful=True)

    def _topic(self, name: str) -> Any:
        return self.application.topic(
            self._settings.topic(name), value_deserializer="bytes", value_serializer=BodyOfSent()
        )

    def _attach(self, name: str, handle: Callable[..., list[Sent]], *, stateful: bool) -> None:
        topic = self._topics.get(name) or self._topic(name)
        frame = self.application.dataframe(topic).apply(handle, stateful=stateful, expand=True, metadata=True)
        frame = frame.set_headers(lambda sent, key, timestamp, headers: sent.headers)
        frame.to_topic(lambda sent, key, timestamp, headers: self._topics[sent.topic], key=lambda sent: sent.key)

    def _changes(
        self, system: System, body: bytes, key: bytes, timestamp: int, headers: Any, state: State
    ) -> list[Sent]:
        link = state.get_bytes("link")
        sent, linked = self._merge.change(received(body, key, timestamp, headers), system, link)
        if linked is not None and linked != link:
            state.set_bytes("link", linked)
        return sent

    def _results(self, system: System, body: bytes, key: bytes, timestamp: int, headers: Any) -> list[Sent]:
        return self._merge.result(received(body, key, timestamp, headers), system)

    def _people(self, body: bytes, key: bytes, timestamp: int, headers: Any, state: State) -> list[Sent]:
        record = received(body, key, timestamp, headers)
        sent, person = self._merge.person_change(record, state.get_bytes("person"))
        if person is not None:
            state.set_bytes("person", person)
        return sent


def received(body: bytes, key: bytes, timestamp: int, headers: Any) -> Received:
    """A message, with the place where it stood."""
    context = message_context()
    return Received(context.topic, context.partition, context.offset, timestamp, key, body, headers or ())


def changelogs(settings: Settings) -> tuple[str, ...]:
    """The topics that Quix makes for itself, by their names on the broker."""
    return tuple(f"changelog__{settings.app_id}--{settings.topic(name)}--default" for name in STATEFUL_TOPICS)


def main() -> None:
    """Run until SIGTERM."""
    Streaming(arguments()).application.run()


if __name__ == "__main__":
    main()
