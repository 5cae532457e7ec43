"""What a later start of a bootstrap finds in its state folder, and in the two systems, when it goes on."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from schemas.checkpoint import Checkpoint
from schemas.vocabulary import DYNAMICS, MARKETO, SYSTEMS, System
from streams.connectors.journal import Entry, Journal
from streams.instances.bootstrapping.store import Store
from streams.instances.bootstrapping.writing import Writing
from streams.settings import Security, Settings, SettingsError
from tests.instances.bootstrap_scene import Scene, scene_of

pytestmark = pytest.mark.kafka


def installation(kafka: str) -> Settings:
    """One that nobody else uses."""
    return Settings(kafka, f"test-{uuid.uuid4().hex[:8]}.", security=Security())


@pytest.fixture
async def scene(kafka: str, tmp_path: Path) -> AsyncIterator[Scene]:
    """Two systems with nobody in them."""
    async with scene_of(installation(kafka), tmp_path / "state") as scene:
        yield scene


async def _killed(*_: object) -> None:
    raise InterruptedError


def _interrupted(*_: object) -> None:
    raise InterruptedError


async def _broken_off(scene: Scene, monkeypatch: pytest.MonkeyPatch, **choices: bool) -> None:
    """A bootstrap that is killed when the rows are written and the checkpoints are not."""
    with monkeypatch.context() as patched:
        patched.setattr(Writing, "_write_gone", _killed)
        with pytest.raises(InterruptedError):
            await scene.bootstrap(**choices)


@pytest.mark.parametrize("is_being_written", [False, True])
async def test_people_of_one_instance_are_never_written_into_another(
    kafka: str, scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_being_written: bool
) -> None:
    scene.person(email="sandbox@example.com")
    if is_being_written:
        await _broken_off(scene, monkeypatch)
    else:
        assert await scene.bootstrap(plan=tmp_path / "plan.csv") == 0
    async with scene_of(installation(kafka), scene.state) as production:
        real = production.person(email="real@example.com")
        with pytest.raises(SettingsError, match=f"was read from Marketo {scene.marketo_here.url}.*--fresh.*--state"):
            await production.bootstrap()
        assert (await production.told()).messages == []
        assert not production.marketo.calls
        assert await production.bootstrap(fresh=True) == 0
        told = await production.told()
        assert [each.record.id for each in told.of(real)] == [real.id]
        assert {each.fields["email"] for system in SYSTEMS for each in told.changes[system]} == {"real@example.com"}


@pytest.mark.parametrize("place", ["marketo.url", "dynamics.url", "tenant", "prefix"])
async def test_each_part_of_where_it_was_read_counts(
    scene: Scene, kafka: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    scene.person(email="a@example.com")
    assert await scene.bootstrap(plan=tmp_path / "plan.csv") == 0
    async with scene_of(installation(kafka) if place == "prefix" else scene.settings, scene.state) as other:
        for system in SYSTEMS:
            if place != f"{system}.url":
                other.at[system] = scene.at[system]
        monkeypatch.setattr("tests.instances.bootstrap_scene.TENANT", "tenant-2" if place == "tenant" else "tenant-1")
        with pytest.raises(SettingsError, match="was read from"):
            await other.bootstrap()


async def test_what_an_earlier_release_read_from_nobody_knows_where_is_read_again(scene: Scene, tmp_path: Path) -> None:
    scene.person(email="a@example.com")
    assert await scene.bootstrap(plan=tmp_path / "plan.csv") == 0
    store = Store.at(scene.state)
    store.take_note("source", None)
    store.close()
    with pytest.raises(SettingsError, match=r"earlier release.*--fresh"):
        await scene.bootstrap()
    assert await scene.bootstrap(fresh=True) == 0


async def _checkpoint(scene: Scene, system: System, checkpoint: Checkpoint) -> None:
    """As a connector of this system leaves it."""
    journal = Journal(scene.settings, system)
    await journal.start()
    await journal.write(Entry(checkpoint=checkpoint))
    await journal.stop()


@pytest.mark.parametrize("again", [False, True])
async def test_a_connector_that_has_run_meanwhile_is_not_set_back(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, again: bool
) -> None:
    """Its versions go on above what it has told, and its place stays where it has read; the other one gets its own."""
    scene.person(email="a@example.com")
    scene.lead(emailaddress1="a@example.com")
    if again:
        assert await scene.bootstrap() == 0
    first = (await scene.told()).checkpoints[DYNAMICS]
    scene.dynamics.edit(scene.lead().id, "sam", {"jobtitle": "CEO"}, scene.now)
    await _broken_off(scene, monkeypatch, again=again)
    moved = Checkpoint(system=MARKETO, positions={"changes": "later", "ends": "later"}, version=99)
    await _checkpoint(scene, MARKETO, moved)
    assert await scene.bootstrap() == 0
    told = await scene.told()
    assert told.checkpoints[MARKETO] == moved
    assert told.checkpoints[DYNAMICS] not in (None, first)


async def test_killed_when_all_is_written_it_sets_no_connector_back_either(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene.person(email="a@example.com")
    with monkeypatch.context() as patched:
        patched.setattr(Store, "remove", _interrupted)
        with pytest.raises(InterruptedError):
            await scene.bootstrap()
    moved = {
        MARKETO: Checkpoint(system=MARKETO, positions={"changes": "later", "ends": "later"}, version=99),
        DYNAMICS: Checkpoint(system=DYNAMICS, positions={"leads": "later", "contacts": "later"}),
    }
    for system, checkpoint in moved.items():
        await _checkpoint(scene, system, checkpoint)
    assert await scene.bootstrap() == 0
    assert (await scene.told()).checkpoints == moved


async def test_a_qualified_lead_whose_contact_is_gone_is_nobodys(scene: Scene) -> None:
    """Nothing can be written to it: whoever is in Marketo with its address, or its key, is not linked to it."""
    persons = scene.person(email="q@example.com"), scene.person(email="j@example.com", jobTitle="CTO")
    jane = scene.lead(kind="contact", emailaddress1="j@example.com")
    leads = [scene.lead(emailaddress1=each) for each in ("q@example.com", "j@example.com", "alone@example.com")]
    for lead in leads:
        scene.dynamics.delete(scene.dynamics.qualify(lead.id, "sam", scene.now).id, "sam", scene.now)
    assert await scene.bootstrap() == 0
    told = await scene.told()
    assert [told.of(lead) for lead in leads] == [[], [], []]
    assert {told.known[DYNAMICS].get(lead.id).state for lead in leads} == {"closed"}  # type: ignore[union-attr]
    assert [each.kind for each in told.of(persons[0])] == ["created"]
    assert [each.kind for each in told.of(jane)] == ["linked", "created"]
    assert not [each for each in told.folded().commands if each.operation == "create"]


async def test_again_tells_that_a_lead_is_gone_that_was_qualified_and_has_no_contact(scene: Scene) -> None:
    gone, twice = scene.lead(emailaddress1="g@example.com"), scene.lead(emailaddress1="t@example.com")
    assert await scene.bootstrap() == 0
    scene.dynamics.delete(scene.dynamics.qualify(gone.id, "sam", scene.now).id, "sam", scene.now)
    contact = scene.dynamics.qualify(twice.id, "sam", scene.now)
    scene.dynamics.merge(contact.id, scene.lead(kind="contact").id, "sam", scene.now)
    assert await scene.bootstrap(again=True) == 0
    told = await scene.told()
    assert [each.kind for each in told.of(gone)] == ["created", "deleted"]
    assert [each.kind for each in told.of(twice)] == ["created"]
    assert told.known[DYNAMICS].get(gone.id).state == "closed"  # type: ignore[union-attr]
