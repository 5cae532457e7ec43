"""The command line: `leadsync COMMAND`. Each command's own module holds what it does; here they are only gathered."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
from collections.abc import Callable, Coroutine, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import click
from aiokafka.errors import KafkaConnectionError, KafkaError

from streams.log_lines import log_to_stderr
from streams.settings import STORES, Settings, SettingsError, StoreKind, security_from

COMMANDS = {
    "bench": "streams.bench.command:bench",
    "broker": "streams.broker.command:broker",
    "bootstrap": "streams.instances.bootstrap_command:bootstrap",
    "check": "streams.policy.command:check",
    "connector": "streams.connectors.command:connector",
    "dead-letters": "streams.operating.command:dead_letters",
    "demo": "streams.demo.command:demo",
    "doctor": "streams.instances.command:doctor",
    "errors": "streams.operating.command:errors",
    "person": "streams.operating.command:person",
    "policy": "streams.operating.command:policy",
    "record": "streams.fixtures.command:record",
    "replay": "streams.fixtures.command:replay",
    "rules": "streams.instances.command:rules",
    "setup": "streams.instances.command:setup",
    "simulate": "streams.simulators.command:simulate",
    "sync-person": "streams.operating.command:sync_person",
    "topics": "streams.operating.command:topics",
    "worker": "streams.cli:worker",
}
"""Command -> where it is. Imported when it is called, so that no command waits for what another one needs."""

EX_USAGE = 2
EX_INTERRUPTED = 130
DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
SESSION_MILLISECONDS_MIN, SESSION_MILLISECONDS_MAX = 1_000, 1_800_000
"""The least that `leadsync broker` takes, and the most that any broker takes unless it is told otherwise."""


class Commands(click.Group):
    """Looks commands up in a table of where they are. Ctrl-C ends each with the status that a shell expects of it.

    What is there to be ended so, a worker, a connector, a broker or a simulator, takes the signal itself and exits 0.
    """

    def __init__(self, *arguments: Any, places: Mapping[str, str], **more: Any) -> None:
        super().__init__(*arguments, **more)
        self._places = places

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise SystemExit(EX_INTERRUPTED) from None

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(self._places)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        place = self._places.get(cmd_name)
        if place is None:
            return None
        module, _, name = place.partition(":")
        command = getattr(import_module(module), name)
        assert isinstance(command, click.Command)
        return command


class BrokerUnreachableError(SettingsError):
    """Nobody answers at the address that was given."""


def broker_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """`--bootstrap-servers` and `--prefix`, which every command that talks to a broker takes."""
    options = (
        click.option(
            "--bootstrap-servers",
            envvar="LEADSYNC_BOOTSTRAP_SERVERS",
            help="host:port of the broker, several with commas; or LEADSYNC_BOOTSTRAP_SERVERS.",
        ),
        click.option("--prefix", envvar="LEADSYNC_PREFIX", default="", help="Begins every topic's name."),
    )
    for option in options:
        function = option(function)
    return function


def settings_of(bootstrap_servers: str | None, prefix: str = "", **more: Any) -> Settings:
    """Settings from options and environment. Raises SettingsError where no broker is named."""
    if not bootstrap_servers:
        raise SettingsError(
            "no broker is named: --bootstrap-servers HOST:PORT or LEADSYNC_BOOTSTRAP_SERVERS; "
            "`leadsync broker` starts one"
        )
    return Settings(bootstrap_servers, prefix, security=security_from(os.environ), **more)


class LastWord(logging.Handler):
    """What aiokafka said last. Why an address does not answer stands in its log only, which Python would print beside our line."""

    said = ""

    def emit(self, record: logging.LogRecord) -> None:
        self.said = record.getMessage()


def run(work: Coroutine[Any, Any, Any], settings: Settings | None = None) -> Any:
    """Run to the end; a broker that cannot be reached is said in one line."""
    from streams.lane.loops import new_event_loop

    last_word, aiokafka = LastWord(), logging.getLogger("aiokafka")
    aiokafka.addHandler(last_word)
    try:
        with asyncio.Runner(loop_factory=new_event_loop) as runner:
            return runner.run(work)
    except KafkaConnectionError as error:
        where = settings.bootstrap_servers if settings else "the broker"
        raise BrokerUnreachableError(f"{where} cannot be reached: {last_word.said or error}") from None
    finally:
        aiokafka.removeHandler(last_word)


@click.command()
@broker_options
@click.option("--host", envvar="LEADSYNC_HOST", default="127.0.0.1", show_default=True, help="Where the port is bound.")
@click.option(
    "--port", envvar="LEADSYNC_PORT", default=6066, show_default=True, help="Health and metrics; 0: a free one."
)
@click.option("--instance-id", envvar="LEADSYNC_INSTANCE_ID", help="Makes the member static; distinct for each worker.")
@click.option(
    "--session-timeout-ms",
    type=click.IntRange(SESSION_MILLISECONDS_MIN, SESSION_MILLISECONDS_MAX),
    default=10_000,
    show_default=True,
    help="How long a silent worker keeps its partitions; most brokers take 6000 at least.",
)
@click.option(
    "--store",
    envvar="LEADSYNC_STORE",
    type=click.Choice(STORES),
    default="memory",
    show_default=True,
    help="Where tables are kept: read whole from Kafka at each start, or on disk as well; or LEADSYNC_STORE.",
)
@click.option(
    "--data-folder",
    envvar="LEADSYNC_DATA_FOLDER",
    type=click.Path(path_type=Path),
    help="For --store rocksdb: a folder of this worker's own; or LEADSYNC_DATA_FOLDER.",
)
@click.option(
    "--policy", type=click.Path(path_type=Path), help="Applies where none is in force; must not differ from it."
)
@click.option("--create-topics", is_flag=True, help="Create missing topics first, as `leadsync topics` does.")
@click.option(
    "--log-level", default="INFO", show_default=True, type=click.Choice(["DEBUG", "INFO", "WARNING", "ERROR"])
)
def worker(
    bootstrap_servers: str | None,
    prefix: str,
    host: str,
    port: int,
    instance_id: str | None,
    session_timeout_ms: int,
    store: StoreKind,
    data_folder: Path | None,
    policy: Path | None,
    create_topics: bool,
    log_level: str,
) -> None:
    """Run one worker: merge what comes, send what is due. One of a group; stops on SIGTERM with nothing half done."""
    from streams.worker import run_worker

    log_to_stderr(log_level)
    settings = settings_of(
        bootstrap_servers,
        prefix,
        host=host,
        port=port,
        instance_id=instance_id,
        session_timeout_ms=session_timeout_ms,
        store=store,
        data_folder=data_folder,
    )
    raise SystemExit(run(run_worker(settings, policy, create_topics=create_topics), settings))


@click.group(cls=Commands, places=COMMANDS, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="leadsync")
def cli() -> None:
    """Keeps the person records of Marketo and Dynamics 365 alike, both ways, on Kafka."""


def main() -> None:
    """The entry point: whatever a user can mend is one clear line, and exit status 2."""
    try:
        cli(prog_name="leadsync")
    except KafkaError as error:
        click.echo(f"leadsync: the broker answered: {type(error).__name__}: {error}", err=True)
        raise SystemExit(EX_USAGE) from None
    except Exception as error:
        if isinstance(error, OSError) and error.errno in DISK_FULL:
            click.echo(f"leadsync: {error.filename or 'the output'} cannot be written: {error.strerror}", err=True)
        elif isinstance(error, _mendable()):
            click.echo(f"leadsync: {error}", err=True)
        else:
            raise
        raise SystemExit(EX_USAGE) from None


def _mendable() -> tuple[type[Exception], ...]:
    """What a user can mend. Imported once something has failed: Faust takes a second, and Ctrl-C would meet it there."""
    from streams.broker.unavailable import BrokerUnavailable
    from streams.lane import LaneError
    from streams.policy import PolicyError, PolicyUnreadableError
    from streams.topics import TopicsError

    return (SettingsError, TopicsError, PolicyError, PolicyUnreadableError, LaneError, BrokerUnavailable)
