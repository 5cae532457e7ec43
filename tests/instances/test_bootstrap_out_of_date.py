"""What a bootstrap has read is worth nothing once a connector has run since. Without a broker: what stands there is given."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import SecretStr

from schemas.checkpoint import Checkpoint
from schemas.vocabulary import DYNAMICS, MARKETO, System
from streams.connectors.known import KnownRecords
from streams.connectors.settings import DynamicsConnection, MarketoConnection
from streams.instances.bootstrapping import running
from streams.instances.bootstrapping.running import Bootstrap, Choices
from streams.instances.bootstrapping.store import Store
from streams.policy import default_policy
from streams.settings import Security, Settings, SettingsError
from tests.connectors.journal import FakeJournal

HERE: tuple[Any, Any] = (
    MarketoConnection("https://m.example", "https://m.example/identity", "leadsync", SecretStr("s")),
    DynamicsConnection("https://d.example", "https://d.example", "tenant", "leadsync", SecretStr("s")),
)


class Journal(FakeJournal):
    """Takes over from nobody."""

    def __init__(self, settings: Settings, system: System) -> None:
        super().__init__(system)

    async def start(self) -> None:
        pass

    async def stop(self) -> None:
        pass


class Steps:
    """Shows nothing."""

    @contextmanager
    def step(self, *_: Any) -> Iterator[Any]:
        yield lambda *_: None


STEPS: Any = Steps()


class Bench:
    """A state folder, and where the connectors stand. `reads` counts how often both systems were read."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self.reads, self.stands = folder, 0, dict.fromkeys((MARKETO, DYNAMICS), 0)
        monkeypatch.setattr(running, "read_standing", self._standing)
        monkeypatch.setattr(running, "Journal", Journal)
        monkeypatch.setattr(Bootstrap, "_read_marketo", self._read)
        monkeypatch.setattr(Bootstrap, "_read_dynamics", self._nothing)

    def start(self) -> Bootstrap:
        """The command, said once more."""
        settings = Settings("nowhere:1", "", security=Security())
        policies: Any = SimpleNamespace(digest_in_force="digest", in_force=default_policy())
        choices = Choices(self.folder, datetime(2026, 1, 1, tzinfo=UTC), again=True)
        self.store = Store.at(self.folder)
        return Bootstrap(settings, choices, self.store, policies)

    def a_connector_runs(self, system: System) -> None:
        """And has told something."""
        self.stands[system] += 1

    async def _standing(self, _settings: Settings, system: System) -> tuple[KnownRecords, Checkpoint]:
        position = {"changes": f"{self.stands[system]}"}
        return KnownRecords(system), Checkpoint(system=system, positions=position, version=self.stands[system])

    async def _read(self, *_: Any) -> None:
        self.reads += 1
        self.store.take_note("marketo.until", "2026-09-01T09:14:07Z")

    async def _nothing(self, *_: Any) -> None:
        pass


@pytest.fixture
async def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Bench]:
    """Both connectors have run before, and are stopped."""
    made = Bench(tmp_path / "state", monkeypatch)
    yield made
    made.store.close()


@pytest.mark.parametrize("system", [MARKETO, DYNAMICS])
async def test_what_was_read_before_a_connector_ran_is_read_again(
    bench: Bench, system: System, capsys: pytest.CaptureFixture[str]
) -> None:
    """Between a plan and its writing, say: its rows would pass for the newest, and the feed be told anew over edits made since."""
    await bench.start().read(*HERE, STEPS)
    bench.store.close()
    bench.a_connector_runs(system)
    await bench.start().read(*HERE, STEPS)
    assert bench.reads == 2 and "a connector has run since: everything is read again" in capsys.readouterr().err
    bench.store.close()
    await bench.start().read(*HERE, STEPS)
    assert bench.reads == 2


async def test_nothing_is_written_where_a_connector_ran_while_was_read(bench: Bench) -> None:
    """The line says what there is to do; done, it is written."""
    work = bench.start()
    await work.read(*HERE, STEPS)
    bench.a_connector_runs(MARKETO)
    with pytest.raises(SettingsError, match=r"a connector has run since.*stop both connectors"):
        await work.write(STEPS)
    bench.store.close()
    work = bench.start()
    await work.read(*HERE, STEPS)
    assert (await work.write(STEPS)).records == {MARKETO: 0, DYNAMICS: 0}
    assert bench.reads == 2
