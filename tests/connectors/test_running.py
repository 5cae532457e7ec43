"""How a connector process ends: one line for what it may expect, a traceback only for what nobody foresaw."""

from __future__ import annotations

import gc
import logging
import socket
from collections.abc import Coroutine, Mapping
from dataclasses import replace
from typing import Any

import pytest
from click.testing import CliRunner

from schemas.checkpoint import Checkpoint
from schemas.vocabulary import DYNAMICS, MARKETO, System
from streams.cli import cli
from streams.connectors.journal import Entry, Journal, Rejected, TakenOver
from streams.connectors.running import run_connector
from streams.settings import Settings, SettingsError
from streams.topics import ensure_topics
from tests.kafka.workers import workers


class Failing:
    """A connector whose feed fails."""

    def __init__(self, error: Exception | None) -> None:
        self.error = error
        self.is_stopped = False

    async def start(self) -> None:
        pass

    def loops(self) -> Mapping[str, Coroutine[Any, Any, None]]:
        return {"feed": self._feed()}

    async def _feed(self) -> None:
        if self.error is not None:
            raise self.error

    def waiting_for(self) -> str | None:
        return None

    async def stop(self) -> None:
        self.is_stopped = True


@pytest.mark.kafka
async def test_what_ends_a_connector_is_one_line(settings: Settings, caplog: pytest.LogCaptureFixture) -> None:
    """Where another one has taken over, that is; of a mistake of ours the traceback is worth having."""
    settings = replace(settings, port=0)
    async with workers(settings, "one"):
        pass
    for error, has_traceback in (
        (TakenOver("another connector for marketo has started"), False),
        (KeyError("x"), True),
    ):
        caplog.clear()
        failing = Failing(error)
        with caplog.at_level(logging.CRITICAL):
            assert await run_connector(settings, MARKETO, lambda *_, failing=failing: failing) == 1
        [record] = [each for each in caplog.records if each.levelno == logging.CRITICAL]
        assert record.getMessage() == f"feed ended: {type(error).__name__}: {error}"
        assert bool(record.exc_info) is has_traceback
        assert failing.is_stopped


class Overtaken(Failing):
    """A connector that another one takes over from, and that writes all the same."""

    def __init__(self, journal: Journal) -> None:
        super().__init__(None)
        self._journal, self._successor = journal, Journal(journal.settings, MARKETO)

    async def start(self) -> None:
        await self._successor.start()

    async def _feed(self) -> None:
        rejected = tuple(Rejected(str(number).encode(), b"{}") for number in range(20))
        await self._journal.write(Entry(rejected=rejected, checkpoint=Checkpoint(system=MARKETO, positions={})))

    async def stop(self) -> None:
        await self._successor.stop()


@pytest.mark.kafka
async def test_the_messages_of_one_that_is_taken_over_say_nothing(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    """aiokafka hands its fault to every message that was on its way, and asyncio would tell each with a traceback."""
    async with workers(settings, "one"):
        pass
    gc.collect()  # what others have left says its words now
    caplog.clear()
    with caplog.at_level(logging.ERROR):
        assert await run_connector(replace(settings, port=0), MARKETO, lambda journal, *_: Overtaken(journal)) == 1
        gc.collect()
    ours, *more = [each for each in caplog.records if not each.name.startswith("aiokafka")]
    assert ours.getMessage().startswith("feed ended: TakenOver: another connector for marketo has started")
    assert not more


@pytest.mark.kafka
async def test_one_that_cannot_have_its_port_takes_nothing_over(settings: Settings) -> None:
    """The connector that runs goes on writing."""
    await ensure_topics(settings)
    running = Journal(settings, MARKETO)
    await running.start()
    try:
        with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(SettingsError, match="already in use"):
            await run_connector(replace(settings, port=taken.getsockname()[1]), MARKETO, lambda *_: Failing(None))
        await running.write(Entry(checkpoint=Checkpoint(system=MARKETO, positions={})))
    finally:
        await running.stop()


@pytest.mark.parametrize(
    ("system", "variable", "value", "told"),
    [
        (MARKETO, "WEBHOOK_SECRET", "", "--listen needs LEADSYNC_MARKETO_WEBHOOK_SECRET"),
        (DYNAMICS, "WEBHOOK_SECRET", "", "--listen needs LEADSYNC_DYNAMICS_WEBHOOK_SECRET"),
        (MARKETO, "CA_FILE", "nowhere.pem", "the certificates in nowhere.pem cannot be used"),
        (DYNAMICS, "CA_FILE", "nowhere.pem", "the certificates in nowhere.pem cannot be used"),
        (MARKETO, "ACTIVITIES", "broken", "LEADSYNC_MARKETO_ACTIVITIES names broken"),
    ],
)
def test_one_with_wrong_settings_takes_nothing_over(system: System, variable: str, value: str, told: str) -> None:
    """It says so before it asks for the broker, where it would end the connector that runs."""
    given = {
        "URL": "https://a.example.com",
        "TENANT": "t",
        "CLIENT_ID": "c",
        "CLIENT_SECRET": "s",
        "WEBHOOK_SECRET": "w",
    }
    environment = {f"LEADSYNC_{system.upper()}_{name}": each for name, each in {**given, variable: value}.items()}
    arguments = ["connector", system, "--bootstrap-servers", "127.0.0.1:1", "--listen", "127.0.0.1:0"]
    result = CliRunner().invoke(cli, arguments, env=environment)
    assert isinstance(result.exception, SettingsError) and told in str(result.exception)
