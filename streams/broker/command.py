"""`leadsync broker`: a broker until Ctrl-C. Its address goes to standard output, one line, once it answers; all else to standard error."""

from __future__ import annotations

import signal
import threading
from pathlib import Path

import click

from streams.broker.server import LocalBroker
from streams.broker.unavailable import BrokerUnavailable

WATCH_SECONDS = 0.5


@click.command()
@click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    help="Keep the data here (default: a temporary folder, removed at the end).",
)
@click.option(
    "--java",
    type=click.Path(path_type=Path),
    help="A Java of 17 or newer, or its home (default: LEADSYNC_JAVA, else the one of the extra `broker`).",
)
@click.option("--port", type=click.IntRange(1, 65535), help="The port for clients (default: a free one).")
def broker(data: Path | None, java: Path | None, port: int | None) -> None:
    """Run an Apache Kafka on this machine, without Docker. A single node, until Ctrl-C or SIGTERM."""
    try:
        with LocalBroker(data_dir=data, java=java, port=port) as local:
            _run_until_told(local)
    except BrokerUnavailable as error:
        raise click.ClickException(str(error)) from error


def _run_until_told(local: LocalBroker) -> None:
    """Until now a signal simply ended us, and the supervisor cleaned up; from here on we stop in good order."""
    told = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda _number, _frame: told.set())
    click.echo(f"ready: --bootstrap-servers {local.bootstrap_servers}")
    click.echo(f"data in {local.data_dir}; Ctrl-C to stop", err=True)
    while not told.wait(WATCH_SECONDS):
        if not local.running:
            raise click.ClickException(f"Kafka ended by itself: {local.last_words()}")
