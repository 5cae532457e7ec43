"""What is broken in Faust and aiokafka, each as a story that is told to their own part and to ours.

Their own is a strict expected failure: the day it passes, upstream has mended it, and streams/workarounds.md says what may go.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import random
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import faust
import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import NewTopic
from aiokafka.errors import (
    ConcurrentTransactions,
    GroupCoordinatorNotAvailableError,
    NotEnoughReplicasError,
    RequestTimedOutError,
    TopicAuthorizationFailedError,
)
from aiokafka.producer import sender
from aiokafka.producer.message_accumulator import BatchBuilder
from faust.types import TP

from streams import topics
from streams.lane import BatchAgent, BatchResult, LaneError, LaneSettings, Observer, Output, create_app
from streams.lane import stable_offsets as stable_offsets_module
from streams.lane.lanes import Lanes
from streams.lane.markers import MARKER_WAIT_SECONDS, RETRY_MS, heed_markers, tells_more_than_marker_waits
from streams.lane.membership import Membership
from streams.lane.parcels import Parcel
from streams.lane.partitions import Partitioner
from streams.lane.stable_offsets import UNSTABLE_OFFSET_COMMIT, KnownOffsets, OffsetsResponse, stable_offsets
from streams.lane.transaction import Transactor
from streams.lane.worker import EX_HUNG
from streams.settings import Settings

ROOT = Path(__file__).parents[2]
SOON_SECONDS = 5.0
SETTINGS = LaneSettings(app_id="app", bootstrap_servers="nowhere:9092")
SOURCE = TP("events", 0)


def stock() -> Any:
    """An app as Faust makes it."""
    return faust.App(
        "app", broker="kafka://nowhere:9092", store="memory://", web_enabled=False, topic_disable_leader=True
    )


def ours() -> Any:
    """An app of the lane."""
    return create_app(SETTINGS, [BatchAgent("agent", (SOURCE.topic,), lambda batch: BatchResult())])


def told_to_both(thread: str) -> Any:
    """Run the test on Faust's own app, where it must fail, and on ours."""
    broken = pytest.mark.xfail(reason=thread, raises=AssertionError, strict=True)
    return pytest.mark.parametrize("make_app", [pytest.param(stock, marks=broken), ours], ids=["stock", "ours"])


MakeApp = Callable[[], Any]


# -- Faust: what is read after a rebalance --------------------------------------------------------------------------


class Feed:
    """A consumer of one partition, read up to 5 and committed up to 2. While it flows, a record is delivered at each await."""

    committed = 2

    def __init__(self, app: Any) -> None:
        self.queue = app.FlowControlQueue(maxsize=0, clear_on_resume=True)
        self.position = 5
        self.flows = False

    def assignment(self) -> set[TP]:
        return {SOURCE}

    def resume_partitions(self, partitions: set[TP]) -> None:
        self.flows = True

    def resume_flow(self) -> None:
        """It was never stopped: changelogs are read through the same consumer."""

    async def perform_seek(self) -> None:
        self.position = self.committed
        await asyncio.sleep(0)
        if self.flows:
            asyncio.Queue.put_nowait(self.queue, self.position)
            self.position += 1

    async def put_at(self, positions: Any, epoch: int) -> Any:
        await self.perform_seek()
        return dict.fromkeys(positions, self.committed)

    @property
    def next_handled(self) -> int:
        """The offset of the record that an agent gets next."""
        return self.position if self.queue.empty() else self.queue.get_nowait()


class Fetching:
    async def maybe_start(self) -> None:
        """It runs."""


class Producer:
    async def fence(self) -> None:
        """Nobody to fence."""

    async def close(self) -> None:
        """Nothing to close."""


async def load_nothing(*_: Any) -> None:
    """No tables."""


@told_to_both("faust-streaming/faust#596")
async def test_after_a_recovery_the_first_record_handled_is_the_first_that_is_not_committed(make_app: MakeApp) -> None:
    """What is delivered before the queues are cleared is never seen again, and later commits pass it."""
    app = make_app()
    app.consumer, app._fetcher = feed, _ = Feed(app), Fetching()
    recovery = app.tables.recovery
    if make_app is ours:
        agent = BatchAgent("agent", (SOURCE.topic,), lambda batch: BatchResult())
        app.lanes = Lanes(SETTINGS, [agent], Observer(), transactor=lambda *_: Producer(), load=load_nothing)
        await recovery._assume(generation=app.consumer_generation_id)
    else:
        await recovery.on_recovery_completed(app.consumer_generation_id)
    assert feed.next_handled == feed.committed
    if make_app is ours:
        await app.lanes.close()


@told_to_both("faust-streaming/faust#606")
async def test_nothing_is_committed_past_an_event_in_flight(make_app: MakeApp) -> None:
    """Events 11 and 12 are done, 10 is not: after a crash, a commit of 13 would have lost it."""
    app, commits = make_app(), []

    async def commit(offsets: Any) -> bool:
        commits.append(dict(offsets))
        return True

    async def flush() -> None:
        """Nothing waits to be sent."""

    app.producer = SimpleNamespace(flush=flush)
    consumer = app.consumer
    consumer._commit, consumer.assignment = commit, lambda: {SOURCE}
    consumer._committed_offset[SOURCE] = 10
    consumer._acked[SOURCE] += [11, 12]
    await consumer.commit()
    assert commits == []


@told_to_both("robinhood/faust#192")
async def test_nothing_commits_by_itself(make_app: MakeApp) -> None:
    """Offsets are committed with what they caused, in one transaction, and by nobody else."""
    assert [task for task in make_app().consumer._get_tasks() if "commit" in str(task.fun.__name__)] == []


# -- Faust: what cannot be set --------------------------------------------------------------------------------------


@told_to_both("aio-libs/aiokafka#196")
@pytest.mark.parametrize(
    ("attribute", "wanted"),
    [("_isolation_level", "read_committed"), ("_fetch_max_wait_ms", SETTINGS.fetch_max_wait_ms)],
)
async def test_the_consumer_reads_what_is_committed_and_does_not_hold_its_fetches(
    make_app: MakeApp, attribute: str, wanted: object
) -> None:
    """A record that is taken back must not have been counted; and a partition that is free again must not wait 1.5 seconds."""
    app = make_app()
    made = app.consumer._thread._create_worker_consumer(app.transport)
    assert getattr(made, attribute) == wanted


@told_to_both("faust-streaming/faust: none found")
async def test_the_table_manager_starts_without_a_pause(make_app: MakeApp) -> None:
    """Faust waits a second for tables that might still be declared; ours are there when the app is."""
    manager, slept = make_app().tables, []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    async def nothing() -> None:
        """Channels and recovery are another matter."""

    manager.sleep, manager._update_channels = sleep, nothing
    manager._recovery = SimpleNamespace(start=nothing)
    await manager.on_start()
    assert slept == []


@told_to_both("robinhood/faust#167")
def test_the_worker_command_opens_no_web_server_for_an_app_that_wants_none(make_app: MakeApp) -> None:
    """It overrules the app's `web_enabled=False` by its own default, and binds all interfaces."""
    app = make_app()
    app.conf.web_enabled = True  # as faust.cli.worker does unless --without-web is said
    assert list(app.boot_strategy.web_server()) == []


@told_to_both("robinhood/faust#380")
def test_no_folder_is_made_where_the_worker_is_started(
    make_app: MakeApp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Faust makes its data folder in the current one, whether or not anything will be kept there; a container's may be read-only."""
    monkeypatch.chdir(tmp_path)
    make_app()._create_directories()
    assert list(tmp_path.iterdir()) == []


STUCK = """
import asyncio, contextlib, os, signal, sys, threading
from streams.lane import BatchAgent, BatchResult, LaneSettings, create_app, worker

worker.STOP_SECONDS = 0.2
app = create_app(LaneSettings("app", "nowhere:9092"), [BatchAgent("a", ("t",), lambda batch: BatchResult())])

async def start():
    os.kill(os.getpid(), signal.SIGTERM)

async def stop():
    threading.Thread(target=threading.Event().wait).start()
    while True:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()

app.start, app.stop = start, stop
worker.main(app)
"""


def test_a_worker_that_cannot_be_stopped_ends_all_the_same() -> None:
    """A thread that never ends would keep the process, and its supervisor waiting (robinhood/faust#484); so would a service that does not heed its cancellation."""
    done = subprocess.run([sys.executable, "-c", STUCK], cwd=ROOT, timeout=30, capture_output=True, check=False)
    assert done.returncode == EX_HUNG, done.stderr.decode()


# -- aiokafka: waiting for markers ------------------------------------------------------------------------------------


@pytest.fixture
def unheeded(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """aiokafka as it comes, whatever ran before in this process."""
    monkeypatch.setattr(sender, "BACKOFF_OVERRIDE", 0.02)
    logger = logging.getLogger(sender.__name__)
    logger.removeFilter(tells_more_than_marker_waits)
    yield
    logger.removeFilter(tells_more_than_marker_waits)


def refusal(error: type[Any]) -> Any:
    """A broker's answer to a record."""
    return SimpleNamespace(API_VERSION=7, topics=[("topic", [(0, error.errno, -1, -1, -1)])])


def sending() -> Any:
    """aiokafka's handler of answers to records, with one batch on its way."""
    client = SimpleNamespace(force_metadata_update=lambda: None)
    senders = SimpleNamespace(_txn_manager=object(), _retry_backoff=0.1, client=client)
    batch = SimpleNamespace(expired=lambda: False, failure=lambda exception: None)
    return sender.SendProduceReqHandler(senders, {TopicPartition("topic", 0): batch})


@pytest.mark.usefixtures("unheeded")
def test_a_transaction_waits_briefly_for_the_markers_of_the_one_before() -> None:
    """aiokafka's own 20 ms are most of the delay of back-to-back transactions (KAFKA-5477)."""
    senders = SimpleNamespace(_txn_manager=SimpleNamespace(txn_partitions=set()), _retry_backoff=0.1)
    handler = sender.AddPartitionsToTxnHandler(senders, [TopicPartition("topic", 0)])
    answer = SimpleNamespace(errors=[("topic", [(0, ConcurrentTransactions.errno)])])
    heed_markers()
    assert handler.handle_response(answer) == MARKER_WAIT_SECONDS


@pytest.mark.usefixtures("unheeded")
async def test_a_record_refused_on_account_of_markers_is_sent_again_soon_and_without_a_word(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Brokers that verify transactions say NotEnoughReplicas for it (KAFKA-15459); other refusals are told as ever."""
    producer = AIOKafkaProducer(bootstrap_servers="nowhere:9092", transactional_id="id", **heed_markers())
    assert sender.SendProduceReqHandler(producer._sender, {})._default_backoff == RETRY_MS / 1000
    handler = sending()
    handler.handle_response(refusal(NotEnoughReplicasError))
    assert len(handler._to_reenqueue) == 1
    assert caplog.messages == []
    handler.handle_response(refusal(RequestTimedOutError))
    assert "RequestTimedOutError" in caplog.text


async def test_headers_may_be_any_sequence() -> None:
    """aiokafka's compiled builder takes a list and nothing else."""
    transactor = Transactor(SETTINGS, Partitioner(), "agent", "events", 0)
    transactor._producer = AIOKafkaProducer(bootstrap_servers="nowhere:9092")
    [parcel] = transactor._packed([Output("out", None, b"value", (("name", b"content"),))], None, {}).values()
    assert parcel.records == 1


async def test_a_parcel_packs_what_aiokafka_would_and_at_less_cost(monkeypatch: pytest.MonkeyPatch) -> None:
    """Byte for byte, batch for batch; the method that costs is not called."""
    producer = AIOKafkaProducer(bootstrap_servers="nowhere:9092", max_batch_size=2_000)
    chance = random.Random(5)
    records: list[tuple[bytes | None, bytes | None, list[tuple[str, bytes]], int]] = [
        (b"key-%d" % n, chance.randbytes(chance.randrange(300)) or None, [("name", b"content")] * (n % 3), 1_000 + n)
        for n in range(40)
    ]
    theirs = [producer.create_batch()]
    for key, value, headers, timestamp in records:
        if theirs[-1].append(timestamp=timestamp, key=key, value=value, headers=headers) is None:
            theirs.append(producer.create_batch())
            assert theirs[-1].append(timestamp=timestamp, key=key, value=value, headers=headers)
    monkeypatch.delattr(BatchBuilder, "append")
    parcel = Parcel("topic", producer.create_batch, 2_000)
    for key, value, headers, timestamp in records:
        parcel.add(key, value, headers, timestamp)
    parcel.close()
    assert len(theirs) > 2
    assert [(batch.record_count(), bytes(batch._build())) for batch in parcel.batches] == [
        (batch.record_count(), bytes(batch._build())) for batch in theirs
    ]


# -- aiokafka: answers that never come -------------------------------------------------------------------------------


class Silent:
    """A producer whose broker was killed in the midst of a transaction."""

    partitions_for = create_batch = None

    async def begin_transaction(self) -> None:
        """The last thing that it does."""

    async def commit_transaction(self) -> None:
        await asyncio.Event().wait()

    async def send_offsets_to_transaction(self, offsets: Any, group: str) -> None:
        """They were taken."""


@pytest.mark.parametrize("heeds", [True, False])
async def test_a_commit_without_an_answer_ends_the_worker_and_says_where_it_hangs(
    heeds: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise its lane would hold up each rebalance of the group, with this worker and its partitions in it."""
    settings = replace(SETTINGS, request_timeout_ms=20, transaction_timeout_ms=30)
    transactor = Transactor(settings, Partitioner(), "agent", SOURCE.topic, 0)
    transactor._producer, over = Silent(), asyncio.Event()
    asyncio.get_running_loop().call_later(SOON_SECONDS + 1, over.set)  # or this test could not fail

    async def abort() -> None:
        while not heeds and not over.is_set():
            with contextlib.suppress(asyncio.CancelledError):
                await over.wait()

    monkeypatch.setattr(transactor, "_abort", abort)
    async with asyncio.timeout(SOON_SECONDS):
        with pytest.raises(
            LaneError, match=r"agent-.*: a commit has had no answer .*Silent\.commit_transaction, Event\.wait"
        ):
            await transactor.commit([], None, {}, 1)
    over.set()


# -- aiokafka: questions asked once -----------------------------------------------------------------------------------


class Client:
    """Finds the coordinator after some refusals, and has it answer for its partitions, some of them later than others."""

    def __init__(self, *refusals: Exception, answers: Sequence[Sequence[tuple[int, int, int]]] = ()) -> None:
        self._refusals, self._answers = list(refusals), list(answers)
        self.asked: list[Any] = []
        self._client = self

    async def coordinator_lookup(self, kind: Any, group: str) -> int:
        if self._refusals:
            raise self._refusals.pop(0)
        return 1

    async def ready(self, node: int, group: Any) -> bool:
        return True

    async def send(self, node: int, request: Any, group: Any) -> Any:
        self.asked.append(request._topics)
        partitions = [(number, offset, 0, "", code, {}) for number, offset, code in self._answers.pop(0)]
        return OffsetsResponse(0, [("events", partitions, {})], 0, {})


class Cluster:
    """An admin client of two brokers, which it asks in turn; the second hears late of topics that are made."""

    def __init__(self, late: int = 6) -> None:
        self._late = late
        self._asked = itertools.count()
        self._topics: dict[str, int] = {}

    async def start(self) -> None:
        """As a real one."""

    close = start

    def _known(self) -> dict[str, int]:
        asked = next(self._asked)
        return {} if asked % 2 and asked < self._late else self._topics

    async def list_topics(self) -> list[str]:
        return list(self._known())

    async def describe_topics(self, names: list[str]) -> list[dict[str, Any]]:
        known = self._known()
        return [
            {"topic": each, "error_code": 0 if each in known else 3, "partitions": [{}] * known.get(each, 0)}
            for each in names
        ]

    async def describe_cluster(self) -> dict[str, Any]:
        return {"brokers": [1, 2]}

    async def create_topics(self, topics: list[NewTopic]) -> Any:
        self._topics = {each.name: each.num_partitions for each in topics}
        return SimpleNamespace(topic_errors=[(each.name, 0, None) for each in topics])

    async def describe_configs(self, resources: Any) -> list[Any]:
        return []


async def test_a_coordinator_that_is_just_starting_is_asked_again() -> None:
    """Its refusal passes; one that does not pass is told at once."""
    client = Client(GroupCoordinatorNotAvailableError(), GroupCoordinatorNotAvailableError(), answers=[[(0, 7, 0)]])
    assert await stable_offsets(client, "group") == {TopicPartition("events", 0): 7}
    with pytest.raises(TopicAuthorizationFailedError):
        await stable_offsets(Client(TopicAuthorizationFailedError()), "group")


async def test_only_what_was_not_stable_is_asked_for_again() -> None:
    """In a busy group some transaction is always open: all at once would hardly ever be stable."""
    first = [(0, 7, 0), (1, -1, UNSTABLE_OFFSET_COMMIT), (2, -1, 0), (3, -1, UNSTABLE_OFFSET_COMMIT)]
    client = Client(answers=[first, [(1, -1, UNSTABLE_OFFSET_COMMIT), (3, 9, 0)], [(1, 8, 0)]])
    found = await stable_offsets(client, "group")
    assert found == {TopicPartition("events", number): offset for number, offset in {0: 7, 1: 8, 3: 9}.items()}
    assert client.asked == [None, {"events": [1, 3]}, {"events": [1]}]


async def test_what_is_not_stable_for_long_is_told_of_and_waited_for(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A takeover waits for it without an end: somebody has to learn why."""
    monkeypatch.setattr(stable_offsets_module, "TOLD_AFTER_SECONDS", 0.03)
    client = Client(answers=[*[[(0, -1, UNSTABLE_OFFSET_COMMIT)]] * 5, [(0, 7, 0)]])
    assert await stable_offsets(client, "group") == {TopicPartition("events", 0): 7}
    [line] = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert "the commits of group group" in line and "stays open" in line


async def test_who_looks_on_waits_for_nobody_and_is_never_ahead() -> None:
    """Neither for a worker that was stopped in the midst of a transaction, nor for a coordinator that is away."""
    first, second = [(0, 7, 0), (1, 3, 0)], [(0, -1, UNSTABLE_OFFSET_COMMIT), (1, 4, 0)]
    client = Client(answers=[first, second])
    known = KnownOffsets(client, "group")
    assert await known.look() == {TopicPartition("events", 0): 7, TopicPartition("events", 1): 3}
    assert await known.look() == {TopicPartition("events", 0): 7, TopicPartition("events", 1): 4}
    client._refusals.append(GroupCoordinatorNotAvailableError())
    assert await known.look() == {TopicPartition("events", 0): 7, TopicPartition("events", 1): 4}


@pytest.mark.parametrize("late", [4, 6, 9])
async def test_created_topics_are_waited_for_until_the_broker_knows_of_them(
    late: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The controller has made them; each broker hears of it a moment later, and each question goes to any of them."""
    cluster = Cluster(late)
    monkeypatch.setattr(topics, "AIOKafkaAdminClient", lambda **_: cluster)
    settings = Settings("nowhere:9092")
    async with asyncio.timeout(5):
        assert await topics.ensure_topics(settings, partitions=2) == list(topics.wanted_topics(settings))


def test_a_member_that_comes_back_into_its_generation_by_another_id_was_replaced_by_a_twin() -> None:
    """After the end of its session the group has gone on without it, and the generation has risen."""
    membership = Membership("one")
    for generation, member in [(3, "one-a"), (3, "one-a"), (-1, ""), (5, "one-b"), (5, ""), (5, "one-b")]:
        membership.refuse_twin(generation, member)
    with pytest.raises(LaneError, match="another worker bears the instance id 'one'"):
        membership.refuse_twin(5, "one-c")
    plain = Membership(None)
    for member in ("a", "b"):
        plain.refuse_twin(1, member)


# -- What is said -----------------------------------------------------------------------------------------------------


def test_nothing_of_a_message_is_written_to_the_log_at_any_level() -> None:
    """aiokafka tells keys and values at DEBUG; what is ours is told."""
    program = (
        "import logging; from streams.log_lines import log_to_stderr; log_to_stderr('DEBUG'); "
        "print(*[logging.getLogger(name).isEnabledFor(logging.DEBUG) for name in ('aiokafka.producer.producer', 'streams')])"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True"]
