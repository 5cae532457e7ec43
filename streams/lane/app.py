"""The Faust app of the lane: its transport, tables and agents put together."""

import contextlib
import logging
from collections.abc import AsyncIterable, Iterator, Sequence
from typing import Any, cast

import faust
from aiokafka.errors import KafkaError
from faust.app.base import BootStrategy
from faust.topics import Topic
from faust.types import ChannelT, EventT, Message, StreamT
from faust.types.transports import TransportT

from streams.lane.batch import BatchAgent, LaneError, check_agents
from streams.lane.lanes import Chunk, Lanes
from streams.lane.observer import Observer
from streams.lane.recovery import LaneTable, LaneTableManager
from streams.lane.settings import LaneSettings
from streams.lane.transport import LaneConsumer, LaneTransport
from streams.lane.versions import refuse_untested_versions

log = logging.getLogger(__name__)


class ChunkTopic(Topic):
    """Passes chunks through undecoded."""

    def _compile_decode(self) -> None:
        """Faust compiles a decoder per topic; the one below serves all."""

    async def decode(self, message: Message, *, propagate: bool = False) -> EventT[Any]:
        return self._create_event(None, message.value, None, message=message)


class LaneBootStrategy(BootStrategy):
    """No producer of Faust's own: all that is sent goes through the lanes' transactions. No web server either."""

    enable_kafka_producer = False
    enable_web = False


class LaneApp(faust.App):
    """A Faust app whose agents handle batches exactly once. Made by `create_app`."""

    BootStrategy = LaneBootStrategy
    consumer: LaneConsumer

    def __init__(self, settings: LaneSettings, agents: Sequence[BatchAgent], observer: Observer) -> None:
        self.lane_settings = settings
        self.lane_observer = observer
        self.lanes = Lanes(settings, agents, observer)
        super().__init__(settings.app_id, **_faust_options(settings))

    @property
    def flowing(self) -> bool:
        """Whether the partitions that are held are read; also where none is held."""
        return self._consumer is not None and self.consumer.flow_active

    @contextlib.contextmanager
    def ending(self, what: str) -> Iterator[None]:
        """For what Faust runs: an error of Kafka's or ours ends the worker, and is told in one line. Faust would take two tracebacks.

        One that comes while the worker is stopped as asked changes nothing.
        """
        try:
            yield
        except (KafkaError, LaneError) as error:
            if self.should_stop:
                log.warning("%s, while stopping: %s: %s", what, type(error).__name__, error)
            else:
                self.lanes.fail(what, error)

    def _new_transport(self) -> TransportT:
        return LaneTransport(self.conf.broker_consumer, self)

    def _create_directories(self) -> None:
        """Faust keeps nothing on disk; stores that do make their own."""

    async def on_stop(self) -> None:
        await super().on_stop()
        await self.lanes.close()


def _faust_options(settings: LaneSettings) -> dict[str, Any]:
    return {
        "broker": [f"kafka://{server.strip()}" for server in settings.bootstrap_servers.split(",")],
        "store": "memory://",
        "TableManager": LaneTableManager,
        "Table": LaneTable,
        "Topic": ChunkTopic,
        "stream_wait_empty": True,  # which here means: finish the batch in hand
        "stream_recovery_delay": 0.0,
        "table_standby_replicas": 0,
        "topic_allow_declare": False,
        "topic_disable_leader": True,
        "web_enabled": False,
        "worker_redirect_stdouts": False,
    }


def create_app(settings: LaneSettings, agents: Sequence[BatchAgent], observer: Observer | None = None) -> LaneApp:
    """A Faust app with these agents and their tables. Connects to nothing; `serve` or `main` runs it."""
    refuse_untested_versions()
    check_agents(agents)
    app = LaneApp(settings, agents, observer or Observer())
    for agent in agents:
        for topic in agent.topics:
            _attach(app, agent, topic)
    return app


def _attach(app: LaneApp, agent: BatchAgent, topic: str) -> None:
    """One Faust agent per source topic: a topic object holds one name. It hands chunks to the lane, in their order."""
    if topic in agent.tables:
        app.Table(agent.tables[topic], key_type=bytes, value_type=bytes)

    async def hand_over(chunks: StreamT[Chunk]) -> None:
        async for chunk in cast(AsyncIterable[Chunk], chunks):
            app.lanes.accept(chunk)

    channel = cast(ChannelT[Any], app.topic(topic, value_type=bytes, value_serializer="raw"))
    app.agent(channel, name=f"{agent.name}.{topic}")(hand_over)


def changelog_topics(settings: LaneSettings, agents: Sequence[BatchAgent]) -> tuple[str, ...]:
    """The changelogs that must exist: compacted, each with as many partitions as its source topic."""
    return tuple(settings.changelog_topic(table) for agent in agents for table in agent.tables.values())
