"""`leadsync connector marketo` and `leadsync connector dynamics`.

Settings are checked here, before the connector starts: one that could not run must not take over from the one that does.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, get_args

import click
from pydantic import SecretStr

from schemas.vocabulary import DYNAMICS, MARKETO, System
from streams.cli import broker_options, run, settings_of
from streams.connectors.options import PACES, Options, StartFrom
from streams.connectors.pacing import Pace
from streams.connectors.running import Build, run_connector
from streams.log_lines import log_to_stderr
from streams.settings import SettingsError


def connector_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """What both connectors take."""
    options = (
        broker_options,
        click.option("--host", envvar="LEADSYNC_HOST", default="127.0.0.1", show_default=True, help="Where ports are bound."),
        click.option("--port", envvar="LEADSYNC_PORT", default=6067, show_default=True, help="Health and metrics; 0: a free one."),
        click.option("--listen", envvar="LEADSYNC_LISTEN", help="host:port for calls from the system; nothing listens without."),
        click.option("--start-from", type=click.Choice(get_args(StartFrom)), help="Where a connector that never ran begins."),
        click.option("--busy-seconds", default=1.0, show_default=True, type=click.FloatRange(min=0.05), help="Between two readings of the feeds."),
        click.option("--idle-seconds", default=30.0, show_default=True, type=click.FloatRange(min=0.05), help="The same, while nothing comes."),
        click.option("--calls", type=click.IntRange(min=1), help="At most so many calls in the system's own window."),
        click.option("--concurrent", type=click.IntRange(min=1), help="At most so many calls at once."),
        click.option("--quota-pause-seconds-max", type=click.FloatRange(min=0.1), help="Ask again so long after the day's calls are used up; otherwise when they are reset."),
        click.option("--log-level", default="INFO", show_default=True, type=click.Choice(["DEBUG", "INFO", "WARNING", "ERROR"])),
    )  # fmt: skip
    for option in reversed(options):
        function = option(function)
    return function


@click.group()
def connector() -> None:
    """Stand between Kafka and one of the two systems. Its changes in, commands out; one process for each system."""


@connector.command()
@connector_options
def marketo(**given: Any) -> None:
    """The Marketo connector. Address and credentials: LEADSYNC_MARKETO_URL, …_CLIENT_ID, …_CLIENT_SECRET or …_CLIENT_SECRET_FILE.

    Sync Person calls (webhook and flow step) are taken at --listen, with LEADSYNC_MARKETO_WEBHOOK_SECRET or …_FILE.
    """
    from streams.connectors.marketo.activities import kinds_of
    from streams.connectors.marketo.connector import MarketoConnector
    from streams.connectors.settings import marketo_connection

    connection, kinds = marketo_connection(os.environ), kinds_of(os.environ)
    options = _options(MARKETO, given, connection.webhook_secret)
    _run(MARKETO, given, lambda *parts: MarketoConnector(connection, options, kinds, *parts))


@connector.command()
@connector_options
def dynamics(**given: Any) -> None:
    """The Dynamics connector. Address and credentials: LEADSYNC_DYNAMICS_URL, …_TENANT, …_CLIENT_ID, …_CLIENT_SECRET or …_CLIENT_SECRET_FILE.

    Wake-up calls of a Dataverse webhook are taken at --listen, with LEADSYNC_DYNAMICS_WEBHOOK_SECRET or …_FILE.
    """
    from streams.connectors.dynamics.connector import DynamicsConnector
    from streams.connectors.settings import dynamics_connection

    connection = dynamics_connection(os.environ)
    options = _options(DYNAMICS, given, connection.webhook_secret)
    _run(DYNAMICS, given, lambda *parts: DynamicsConnector(connection, options, *parts))


def _run(system: System, given: dict[str, Any], build: Build) -> None:
    log_to_stderr(given["log_level"])
    settings = settings_of(given["bootstrap_servers"], given["prefix"], host=given["host"], port=given["port"])
    raise SystemExit(run(run_connector(settings, system, build), settings))


def _options(system: System, given: dict[str, Any], secret: SecretStr | None) -> Options:
    pace = PACES[system]
    host, port = _listen(given["listen"])
    if port is not None and secret is None:
        raise SettingsError(
            f"--listen needs LEADSYNC_{system.upper()}_WEBHOOK_SECRET or …_FILE: calls must show what stands there"
        )
    return Options(
        Pace(given["calls"] or pace.calls, pace.window_seconds, given["concurrent"] or pace.concurrent),
        given["start_from"],
        given["busy_seconds"],
        max(given["idle_seconds"], given["busy_seconds"]),
        given["quota_pause_seconds_max"],
        host,
        port,
    )


def _listen(address: str | None) -> tuple[str, int | None]:
    if address is None:
        return "127.0.0.1", None
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65_535:
        raise SettingsError(
            f"--listen is {address!r}; it must be HOST:PORT, such as 127.0.0.1:8080 (port 0: a free one)"
        )
    return host, int(port)
