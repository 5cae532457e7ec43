"""A single-node Apache Kafka on this machine: its folder, its ports, its life.

data/                given by the user, else temporary and removed at the end, whatever the end is
    server.properties    written anew at each start, for the ports of that start
    logs/                Kafka's own: topics and metadata
    broker.log           what Java said; quoted when a start fails
    tmp/                 Java's temporary folder (unpacked compressors), so that nothing is left elsewhere
"""

from __future__ import annotations

import os
import random
import socket
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from streams.broker.fencing import fence
from streams.broker.jars import ensure_jars
from streams.broker.java import find_java
from streams.broker.probe import answers
from streams.broker.progress import Progress
from streams.broker.settings import CLUSTER_ID, HOST, Ports, as_properties, broker_settings, controller_settings
from streams.broker.supervised import Supervised
from streams.broker.unavailable import BrokerUnavailable

START_SECONDS_MAX = 120.0  # two, on a machine with nothing else to do
FORMAT_SECONDS_MAX = 60.0
STOP_SECONDS_MAX = 15.0
POLL_SECONDS = 0.05
START_ATTEMPTS_MAX = 3

# Below the ports that systems hand out to outgoing connections: a client that keeps knocking on the port of a killed
# broker could else be given that very port, be connected to itself, and keep the broker from coming back.
PORTS = range(20_000, 32_000)


class LocalBroker:
    """Blocking; from async code use `asyncio.to_thread`. Raises BrokerUnavailable where no broker can be had."""

    def __init__(
        self,
        data_dir: Path | None = None,
        java: Path | None = None,
        port: int | None = None,
        progress: Progress | bool | None = True,
    ) -> None:
        self._java = java
        self._port = port
        self._progress = progress
        self._kept = data_dir
        self._supervised: Supervised | None = None
        self._ports: Ports | None = None
        self._folder = Path()
        self._java_command: list[str] = []

    @property
    def bootstrap_servers(self) -> str:
        if self._ports is None:
            raise RuntimeError("the broker was not started")
        return f"{HOST}:{self._ports.client}"

    @property
    def pid(self) -> int | None:
        """The process id of Java, for tests that stop or kill it themselves."""
        return self._supervised.pid if self._supervised else None

    @property
    def running(self) -> bool:
        return self._supervised is not None and self.pid is not None and self._supervised.ended() is None

    @property
    def data_dir(self) -> Path:
        return self._folder

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _value: BaseException | None, _tb: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Returns when the broker has answered a request."""
        if self._supervised is not None:
            raise RuntimeError("the broker was started before; stop it first, or use restart")
        if self._port is not None and not is_free(self._port):
            raise BrokerUnavailable(f"port {self._port} is taken, and --port names another")
        java = find_java(self._java)
        jars = ensure_jars(self._progress)
        self._prepare_folder()
        self._java_command = _java_command(java, jars, self._folder)
        try:
            self._start_on_free_ports()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """In good order, by SIGTERM; a temporary folder is gone afterwards. Harmless when nothing runs."""
        if self._supervised is not None:
            self._supervised.close()
            self._supervised = None

    def kill(self) -> None:
        """`kill -9`, and back when it is dead. Data and ports stay, for `restart`."""
        supervised = self._required()
        if self.running:
            supervised.kill()
            supervised.wait(STOP_SECONDS_MAX)

    def restart(self) -> None:
        """On the same data and the same port; stops the broker in good order first if it still runs."""
        supervised = self._required()
        if self.running:
            supervised.terminate()
            if supervised.wait(STOP_SECONDS_MAX) is None:
                self.kill()
        self._run_until_it_answers()

    def last_words(self) -> str:
        """The deepest cause in what Java printed last: stack traces end there, and the first lines only wrap it."""
        lines = (self._folder / "broker.log").read_text(encoding="utf-8", errors="replace").splitlines()[-200:]
        telling = [line for line in lines if line.startswith(("Caused by:", "Exception in")) or " ERROR " in line]
        return (telling or lines or ["no word from Java"])[-1][:300]

    def _required(self) -> Supervised:
        if self._supervised is None:
            raise RuntimeError("the broker was not started")
        return self._supervised

    def _prepare_folder(self) -> None:
        """Supervised from the first moment, so that even a death while formatting leaves nothing behind."""
        try:
            if self._kept is None:
                self._folder = Path(tempfile.mkdtemp(prefix="leadsync-broker-"))
            else:
                self._folder = self._kept.absolute()
            (self._folder / "tmp").mkdir(parents=True, exist_ok=True)
            log = self._folder / "broker.log"
            self._supervised = Supervised(self._folder, log, remove_folder_at_end=self._kept is None)
        except BlockingIOError as error:
            raise BrokerUnavailable(f"another broker runs on the data in {self._folder}") from error
        except OSError as error:
            raise BrokerUnavailable(f"its data can't be kept there ({error})") from error

    def _start_on_free_ports(self) -> None:
        """Between finding a port free and Java taking it, another process may: then try others."""
        for attempt in range(1, START_ATTEMPTS_MAX + 1):
            self._ports = Ports(self._port or free_port(), free_port())
            try:
                self._run_until_it_answers()
                return
            except BrokerUnavailable as error:
                lost_race = "Address already in use" in error.reason
                if attempt == START_ATTEMPTS_MAX or self._port or not lost_race:
                    raise

    def _run_until_it_answers(self) -> None:
        """Writes the settings for the ports of this start; formats a new folder, or ends the session of the life before."""
        assert self._ports is not None
        properties = self._folder / "server.properties"
        properties.write_text(as_properties(broker_settings(self._ports)), encoding="utf-8")
        if not (self._folder / "logs" / "meta.properties").exists():
            self._format(properties)
        else:
            self._fence(self._ports)
        self._required().run([*self._java_command, "kafka.Kafka", str(properties)])
        self._wait_for_answer(self._ports.client)

    def _format(self, properties: Path) -> None:
        command = ["kafka.tools.StorageTool", "format", "--ignore-formatted", "-t", CLUSTER_ID, "-c", str(properties)]
        self._required().run([*self._java_command, *command])
        if self._required().wait(FORMAT_SECONDS_MAX) != 0:
            raise BrokerUnavailable(f"Kafka could not format {self._folder} ({self.last_words()})")

    def _fence(self, ports: Ports) -> None:
        properties = self._folder / "controller.properties"
        properties.write_text(as_properties(controller_settings(ports)), encoding="utf-8")
        fence(self._required(), self._java_command, properties, self._folder / "broker.log")

    def _wait_for_answer(self, port: int) -> None:
        supervised = self._required()
        deadline = time.monotonic() + START_SECONDS_MAX
        while not answers(HOST, port):
            if supervised.ended() is not None:
                raise BrokerUnavailable(f"Kafka ended while starting ({self.last_words()})")
            if time.monotonic() > deadline:
                supervised.kill()
                raise BrokerUnavailable(f"Kafka did not answer within {START_SECONDS_MAX:.0f} s ({self.last_words()})")
            time.sleep(POLL_SECONDS)


def free_port() -> int:
    """Random, so that two brokers starting at once seldom pick the same."""
    for _ in range(100):
        if is_free(port := random.choice(PORTS)):
            return port
    raise BrokerUnavailable(f"no free port between {PORTS.start} and {PORTS.stop}")


def is_free(port: int) -> bool:
    """Nobody listens there; connections of a former broker that still linger are no hindrance, to Kafka neither."""
    with socket.socket() as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((HOST, port))
        except OSError:
            return False
    return True


def _java_command(java: Path, jars: list[Path], folder: Path) -> list[str]:
    """Small and quick to start: one machine, one user. The heap is ample for tests and the demo."""
    return [
        str(java), "-Xms256m", "-Xmx512m", "-XX:+UseSerialGC", f"-Djava.io.tmpdir={folder / 'tmp'}",
        "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-cp", os.pathsep.join(map(str, jars)),
    ]  # fmt: skip
