"""After the initial sync a worker and both connectors run, and both systems end alike."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from schemas.vocabulary import SYSTEMS
from streams.codec import decode_person_change
from streams.demo.record import HeldRecord
from streams.settings import Settings
from tests.connectors.process import ConnectorProcess
from tests.instances.bootstrap_scene import Scene, scene_of
from tests.kafka.conftest import settings as settings
from tests.kafka.workers import workers
from tests.lane.broker import read_committed

pytestmark = pytest.mark.kafka

PAIRS = 30
ALONE = 5
ALIKE = {"email": "emailaddress1", "jobTitle": "jobtitle", "phone": "telephone1", "city": "address1_city"}

Pair = tuple[HeldRecord, HeldRecord]


async def test_whoever_was_in_both_systems_is_kept_alike_from_then_on(settings: Settings, tmp_path: Path) -> None:
    async with scene_of(settings, tmp_path / "state") as scene:
        pairs = [_pair(scene, number) for number in range(PAIRS)]
        for number in range(ALONE):
            scene.lead(emailaddress1=f"alone{number}@example.com")
        assert await scene.bootstrap() == 0
        scene.marketo.edit(pairs[0][0].id, "mia", {"city": "Lyon"}, scene.marketo.clock())
        scene.dynamics.edit(pairs[1][1].id, "sam", {"address1_city": "Nice"}, scene.dynamics.clock())
        connectors = [ConnectorProcess(system, settings, tmp_path, scene.environment) for system in SYSTEMS]
        async with workers(settings, "worker-1"):
            try:
                for each in connectors:
                    await each.start()

                async def is_alike() -> bool:
                    return all(map(_is_alike, pairs)) and len(scene.marketo.records) >= PAIRS + ALONE

                await connectors[0].until(is_alike, "alike")
                assert [await each.end() for each in connectors] == [0, 0], [each.log[-2000:] for each in connectors]
            finally:
                for each in connectors:
                    await each.end(signal.SIGKILL)
    assert (len(scene.marketo.records), len(scene.dynamics.records)) == (PAIRS + ALONE, PAIRS + ALONE)
    assert (pairs[0][1].values["address1_city"], pairs[1][0].values["city"]) == ("Lyon", "Nice")
    assert {pair[0].values["jobTitle"] for pair in pairs} == {f"M{number}" for number in range(PAIRS)}


async def test_what_a_row_showed_already_undoes_no_edit_when_the_feed_comes_to_it(
    settings: Settings, tmp_path: Path
) -> None:
    """A field that changed twice before it was read, and was edited in Dynamics while somebody looked at the plan."""
    async with scene_of(settings, tmp_path / "state") as scene:
        person, lead = _pair(scene, 0)
        now = scene.marketo.clock()
        for value, seconds_ago in (("Rome", 300.0), ("Oslo", 300.0), ("Bonn", 200.0), ("Paris", 200.0)):
            scene.marketo.edit(person.id, "mia", {"city": value}, now - seconds_ago)
        assert await scene.bootstrap(plan=tmp_path / "plan.csv") == 0
        scene.dynamics.edit(lead.id, "sam", {"address1_city": "Nice"}, scene.dynamics.clock())
        scene.marketo.edit(person.id, "mia", {"phone": "+331"}, scene.marketo.clock())
        assert await scene.bootstrap() == 0
        marketo, dynamics = (ConnectorProcess(system, settings, tmp_path, scene.environment) for system in SYSTEMS)
        async with workers(settings, "worker-1"):
            try:
                await dynamics.start()

                async def is_taken_in() -> bool:
                    log = await read_committed(settings.bootstrap_servers, settings.topic("person.changes"))
                    fields = [decode_person_change(each.value).fields or {} for each in log]
                    return any(each.get("city") == "Nice" for each in fields)

                await dynamics.until(is_taken_in, "taken in")
                await marketo.start()

                async def is_alike() -> bool:
                    return _is_alike((person, lead)) and lead.values["telephone1"] == "+331"

                await marketo.until(is_alike, "alike")
            finally:
                for each in (marketo, dynamics):
                    await each.end(signal.SIGKILL)
    assert (person.values["city"], lead.values["address1_city"]) == ("Nice", "Nice")


def _pair(scene: Scene, number: int) -> Pair:
    """Two records that have the address in common and differ in the job title; one of them has a phone number."""
    email = f"{number}@example.com"
    return (
        scene.person(email=email, jobTitle=f"M{number}", city="Paris"),
        scene.lead(emailaddress1=email, jobtitle=f"D{number}", telephone1=f"+44 20 {number:04}", address1_city="Paris"),
    )


def _is_alike(pair: Pair) -> bool:
    """Both hold a key, of one person, and the same values."""
    person, lead = pair
    if person.key is None or lead.key is None or person.key != lead.key:
        return False
    return all(person.values.get(name) == lead.values.get(column) for name, column in ALIKE.items())
