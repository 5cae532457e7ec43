"""The initial sync from end to end: two systems behind REST, a real broker, and what a worker makes of it."""

from __future__ import annotations

import asyncio
import csv
import json
import os
import signal
import sys
import time
import uuid
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from schemas.checkpoint import Checkpoint
from schemas.identity import key_of, person_key_of
from schemas.vocabulary import DYNAMICS, MARKETO, SYSTEMS
from streams.connectors.journal import Entry, Journal
from streams.connectors.known import read_standing
from streams.instances.bootstrapping.store import Store
from streams.instances.bootstrapping.writing import Writing
from streams.policies import apply_policy
from streams.policy import default_policy, default_policy_text, default_rule_texts
from streams.settings import Security, Settings, SettingsError
from tests.instances.bootstrap_scene import SINCE, Scene, scene_of

pytestmark = pytest.mark.kafka

ADA = "11111111-1111-5111-8111-111111111111"
PATIENCE_SECONDS = 60.0


@pytest.fixture
def settings(kafka: str) -> Settings:
    """An installation that nobody else uses."""
    return Settings(kafka, f"test-{uuid.uuid4().hex[:8]}.", security=Security())


@pytest.fixture
async def scene(settings: Settings, tmp_path: Path) -> AsyncIterator[Scene]:
    """Two systems with nobody in them."""
    async with scene_of(settings, tmp_path / "state") as scene:
        yield scene


def people(scene: Scene, count: int) -> None:
    """So many on either side; every other pair has an address in common."""
    for number in range(count):
        scene.person(email=f"{number}@example.com", jobTitle=f"M{number}")
        scene.lead(emailaddress1=f"{number if number % 2 else number + count}@example.com", jobtitle=f"D{number}")


async def test_everybody_is_one_person_and_nobody_is_made_twice(scene: Scene, tmp_path: Path) -> None:
    by_key = scene.person(key=key_of(ADA, 0), email="k@example.com"), scene.lead(key=key_of(ADA, 1))
    by_email = (
        scene.person(email="e@example.com", jobTitle="CTO"),
        scene.lead(emailaddress1="E@EXAMPLE.com", jobtitle="CIO"),
    )
    alone = scene.lead(emailaddress1="alone@example.com")
    out = scene.lead(emailaddress1="out@example.com", new_synctomkto=False)
    out_pair = scene.person(email="o@example.com"), scene.lead(emailaddress1="o@example.com", new_synctomkto=False)
    twice = [scene.person(email="info@example.com")] + [scene.lead(emailaddress1="info@example.com") for _ in range(2)]
    lead = scene.lead(emailaddress1="c@example.com")
    contact = scene.dynamics.qualify(lead.id, "sam", scene.now)
    of_contact = scene.person(email="c@example.com")

    assert await scene.bootstrap() == 0

    told = await scene.told()
    assert not [each for held in twice for each in told.of(held)]
    assert [each.kind for each in told.of(by_email[0])] == ["created", "linked"]
    assert [each.kind for each in told.of(by_email[1])] == ["linked", "created"]
    assert [each.kind for each in told.of(lead)] == ["converted"]
    assert [each.kind for each in told.of(contact)] == ["linked", "created"]
    for order in range(5):
        folded = told.folded(order)
        creates = [each for each in folded.commands if each.operation == "create"]
        assert [(each.system, each.person_key) for each in creates] == [(MARKETO, person_key_of(DYNAMICS, alone.id))]
        for key, pair in (
            (ADA, by_key),
            (person_key_of(MARKETO, by_email[0].id), by_email),
            (person_key_of(MARKETO, out_pair[0].id), out_pair),
            (person_key_of(MARKETO, of_contact.id), (of_contact, contact)),
        ):
            state = folded.person(key)
            assert state is not None
            assert state.marketo.link is not None
            assert state.dynamics.link is not None
            assert (state.marketo.link.id, state.dynamics.link.id) == (pair[0].id, pair[1].id)
            assert told.known[MARKETO].of_person(key).record.id == pair[0].id  # type: ignore[union-attr]
            assert told.known[DYNAMICS].of_person(key).record.id == pair[1].id  # type: ignore[union-attr]
        kept_out = folded.person(person_key_of(DYNAMICS, out.id))
        assert kept_out is not None
        assert kept_out.syncable is False
    assert told.known[DYNAMICS].get(lead.id).state == "closed"  # type: ignore[union-attr]
    assert told.known[DYNAMICS].get(contact.id).stream == lead.id  # type: ignore[union-attr]
    assert not (tmp_path / "state").exists()


async def test_the_filters_no_is_read_before_anything_goes_to_the_pair(scene: Scene) -> None:
    scene.person(email="o@example.com")
    scene.lead(emailaddress1="o@example.com", new_synctomkto=False)
    await scene.bootstrap()
    told = await scene.told()
    assert [told.folded(order).commands for order in range(6)] == [[]] * 6


async def test_the_connectors_go_on_where_the_reading_began(scene: Scene) -> None:
    people(scene, 3)
    await scene.bootstrap()
    told = await scene.told()
    marketo, dynamics = told.checkpoints[MARKETO], told.checkpoints[DYNAMICS]
    assert marketo is not None
    assert dynamics is not None
    assert set(marketo.positions) == {"changes", "ends", "read_at"}
    assert marketo.version == max(each.version for each in told.known[MARKETO])
    assert set(dynamics.positions) == {"leads", "leads.select", "contacts", "contacts.select"}
    assert "$deltatoken=" in dynamics.positions["leads"]


async def test_a_plan_writes_its_file_and_nothing_else(scene: Scene, tmp_path: Path) -> None:
    people(scene, 4)
    before = Counter(scene.marketo.calls), Counter(scene.dynamics.calls)
    assert await scene.bootstrap(plan=tmp_path / "plan.csv") == 0
    rows = list(csv.DictReader((tmp_path / "plan.csv").open()))
    assert Counter(row["action"] for row in rows) == {
        "link_by_email": 2,
        "stays_in_marketo": 2,
        "create_in_marketo": 2,
    }
    told = await scene.told()
    assert told.messages == []
    assert [len(told.known[system]) for system in SYSTEMS] == [0, 0]
    assert [told.checkpoints[system] for system in SYSTEMS] == [None, None]
    made = (scene.marketo.calls - before[0]) + (scene.dynamics.calls - before[1])
    writes = [each for each in made if not each.startswith("GET") and "token" not in each and "/bulk/" not in each]
    assert writes == []


async def test_what_was_planned_is_what_is_done(scene: Scene, tmp_path: Path) -> None:
    people(scene, 4)
    await scene.bootstrap(plan=tmp_path / "plan.jsonl")
    reads = sum(scene.marketo.calls.values())
    scene.person(email="late@example.com")
    assert await scene.bootstrap(since=None) == 0
    assert sum(scene.marketo.calls.values()) - reads <= 2, "a token and a description at the most"
    told = await scene.told()
    planned = [json.loads(line) for line in (tmp_path / "plan.jsonl").read_text().splitlines()]
    assert {each["marketo_id"] for each in planned if each["marketo_id"]} == {
        each.record.id for each in told.known[MARKETO]
    }


async def test_whoever_says_no_writes_nothing(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    people(scene, 1)
    monkeypatch.setattr("click.confirm", lambda *_, **__: False)
    assert await scene.bootstrap(yes=False) == 1
    assert (await scene.told()).messages == []


async def test_fresh_reads_again_and_so_does_another_policy(
    scene: Scene, settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    people(scene, 2)
    plan = tmp_path / "plan.json"
    for number, more in enumerate(({}, {"fresh": True}, {})):
        if number == 2:
            await apply_policy(settings, f"{default_policy_text()}\n# changed\n", default_rule_texts())
        assert await scene.bootstrap(plan=plan, **more) == 0
        scene.person(email=f"late{number}@example.com")
        assert sum(each["marketo_id"] is not None for each in json.loads(plan.read_text())) == 2 + number
    assert "the policy in force has changed" in capsys.readouterr().err


async def test_a_summary_for_programs_stands_alone_on_standard_output(
    scene: Scene, capsys: pytest.CaptureFixture[str]
) -> None:
    people(scene, 4)
    assert await scene.bootstrap(in_json=True) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["planned"]["actions"]["link_by_email"] == 2
    assert told["planned"]["fields"]["job_title"] == {"marketo": 2, "dynamics": 0, "nobody": 0, "completed": 0}
    assert told["written"] == {"records": {"marketo": 4, "dynamics": 4}, "links": {"marketo": 2, "dynamics": 2}}


@pytest.mark.parametrize(
    ("name", "said"), [("plan.xlsx", "must end in"), ("nowhere/plan.csv", "cannot be written: No such file")]
)
async def test_a_plan_that_cannot_be_written_is_refused_before_anything_is_read(
    scene: Scene, tmp_path: Path, name: str, said: str
) -> None:
    with pytest.raises(SettingsError, match=said):
        await scene.bootstrap(plan=tmp_path / name)
    assert not scene.marketo.calls


async def test_a_connector_that_has_run_is_not_begun_anew_by_accident(scene: Scene, settings: Settings) -> None:
    journal = Journal(settings, MARKETO)
    await journal.start()
    await journal.write(
        Entry(checkpoint=Checkpoint(system=MARKETO, positions={"changes": "x", "ends": "x"}, version=7))
    )
    await journal.stop()
    with pytest.raises(SettingsError, match="--again"):
        await scene.bootstrap()
    assert not scene.state.exists()
    scene.person()
    assert await scene.bootstrap(again=True) == 0
    assert [each.version for each in (await scene.told()).changes[MARKETO]] == [8]


async def test_again_tells_what_is_new_and_who_is_gone(scene: Scene) -> None:
    kept, gone = scene.person(email="k@example.com"), scene.person(email="g@example.com")
    lead, lost = scene.lead(emailaddress1="k@example.com"), scene.lead(emailaddress1="l@example.com")
    await scene.bootstrap()
    first = await scene.told()
    scene.marketo.delete(gone.id, "mia", scene.now)
    scene.dynamics.delete(lost.id, "sam", scene.now)
    scene.dynamics.edit(lead.id, "sam", {"jobtitle": "CEO"}, scene.now)
    assert await scene.bootstrap(again=True) == 0
    second = await scene.told()
    new = {system: second.changes[system][:] for system in SYSTEMS}
    for system in SYSTEMS:
        for each in first.changes[system]:
            new[system].remove(each)
    assert sorted((each.kind, each.record.id) for each in new[MARKETO]) == sorted(
        [("updated", kept.id), ("linked", kept.id), ("deleted", gone.id)]
    )
    assert sorted((each.kind, each.record.id) for each in new[DYNAMICS]) == sorted(
        [("updated", lead.id), ("linked", lead.id), ("deleted", lost.id)]
    )
    folded = second.folded()
    state = folded.person(person_key_of(MARKETO, kept.id))
    assert state is not None
    assert state.dynamics.link is not None
    assert state.dynamics.link.id == lead.id


async def test_again_tells_of_merges_and_conversions_of_records_that_were_known(scene: Scene) -> None:
    loser, winner, lead = (scene.lead(emailaddress1=f"{name}@example.com") for name in ("l", "w", "q"))
    await scene.bootstrap()
    scene.dynamics.merge(loser.id, winner.id, "sam", scene.now)
    contact = scene.dynamics.qualify(lead.id, "sam", scene.now)
    assert await scene.bootstrap(again=True) == 0
    told = await scene.told()
    assert [each.kind for each in told.of(loser)] == ["created", "merged"]
    assert told.of(loser)[1].winner_person_key == person_key_of(DYNAMICS, winner.id)
    assert [each.kind for each in (*told.of(lead), *told.of(contact))] == ["created", "converted", "created"]
    assert {told.known[DYNAMICS].get(each.id).state for each in (loser, lead)} == {"closed"}  # type: ignore[union-attr]
    state = told.folded().person(person_key_of(DYNAMICS, lead.id))
    assert state is not None
    assert (state.record_type, state.dynamics.link.id) == ("contact", contact.id)  # type: ignore[union-attr]


async def test_a_record_that_was_merged_away_before_is_told_to_nobody(scene: Scene) -> None:
    loser, winner = scene.lead(), scene.lead()
    scene.dynamics.merge(loser.id, winner.id, "sam", scene.now)
    await scene.bootstrap()
    told = await scene.told()
    assert told.of(loser) == []
    assert told.known[DYNAMICS].get(loser.id).state == "closed"  # type: ignore[union-attr]


async def test_a_reading_that_breaks_off_goes_on_where_it_was(scene: Scene, tmp_path: Path) -> None:
    people(scene, 3)
    real, calls = scene.dynamics.clock, 0

    def broken() -> float:
        nonlocal calls
        calls += 1
        if calls > 6:
            raise RuntimeError("the organisation is down")
        return real()

    scene.dynamics.clock = broken  # type: ignore[method-assign]
    with suppress(Exception):
        async with asyncio.timeout(20):
            await scene.bootstrap(plan=tmp_path / "plan.json")
    scene.dynamics.clock = real  # type: ignore[method-assign]
    created = scene.marketo.calls["POST /bulk/v1/leads/export/create.json"]
    assert await scene.bootstrap(plan=tmp_path / "plan.json") == 0
    assert scene.marketo.calls["POST /bulk/v1/leads/export/create.json"] == created == 1
    assert len(json.loads((tmp_path / "plan.json").read_text())) == 5


async def _written(scene: Scene, store: Store, stop_after: int | None = None) -> None:
    """Write what was read, and break off after so many records."""
    journals = {system: Journal(scene.settings, system) for system in SYSTEMS}
    standing: dict[Any, Checkpoint | None] = {}
    done = 0

    def so_far(system: Any, records: int) -> None:
        nonlocal done
        done += 10
        if stop_after is not None and done > stop_after:
            raise InterruptedError

    for system, journal in journals.items():
        await journal.start()
        journal.known, standing[system] = await read_standing(scene.settings, system)
    try:
        await Writing(store, default_policy(), journals, standing, so_far, entry_records_max=10).write()
    finally:
        for journal in journals.values():
            await journal.stop()


def _message(each: Any) -> tuple[str, bytes, bytes]:
    return each.topic, each.key, each.value


@pytest.mark.parametrize("stop_after", [0, 20, 60, 90])
async def test_a_writing_that_breaks_off_goes_on_and_tells_nothing_twice(
    scene: Scene, tmp_path: Path, stop_after: int
) -> None:
    people(scene, 40)
    await scene.bootstrap(plan=tmp_path / "plan.json")
    store = Store.at(scene.state)
    with suppress(InterruptedError):
        await _written(scene, store, stop_after)
    await _written(scene, store)
    store.close()
    told = await scene.told()
    ids = [each.change_id for system in SYSTEMS for each in told.changes[system]]
    assert len(ids) == len(set(ids)) == 80 + 40
    assert told.checkpoints[MARKETO] is not None
    assert told.checkpoints[DYNAMICS] is not None


async def test_killed_at_any_time_and_started_again_it_ends_the_same(scene: Scene, tmp_path: Path) -> None:
    people(scene, 1_000)
    kills = 0
    for seconds in (0.6, 0.8, 1.0, 1.2, 1.5, 1.8, 2.2, 2.6, 3.0, 3.4, PATIENCE_SECONDS):
        process = await _process(scene, tmp_path / "log")
        with suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), seconds)
        if process.returncode == 0:
            break
        assert process.returncode is None, (tmp_path / "log").read_text()
        process.send_signal(signal.SIGKILL)
        await process.wait()
        kills += 1
        if "the connectors may start now" in (tmp_path / "log").read_text():
            break  # struck when all was done, before it had ended
    else:
        raise AssertionError(f"it never ended: {(tmp_path / 'log').read_text()}")
    assert kills >= 2
    told = await scene.told()
    ids = [each.change_id for system in SYSTEMS for each in told.changes[system]]
    assert len(ids) == len(set(ids)) == 2_000 + 1_000
    operations = told.folded().operations()
    assert operations["marketo", "create"] == 500
    assert operations["dynamics", "create"] == 0


async def _process(scene: Scene, log: Path) -> asyncio.subprocess.Process:
    """`leadsync bootstrap --yes`, as a user starts it."""
    with log.open("ab") as errors:
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "streams", "bootstrap", "--yes", "--match", "email", "--state", str(scene.state)),
            *("--bootstrap-servers", scene.settings.bootstrap_servers, "--prefix", scene.settings.prefix),
            *("--since", SINCE.strftime("%Y-%m-%d"), "--poll-seconds", "0.05"),
            env={**os.environ, **scene.environment},
            stdout=asyncio.subprocess.DEVNULL,
            stderr=errors,
        )


async def test_two_thousand_on_either_side_take_seconds(scene: Scene) -> None:
    people(scene, 2_000)
    began = time.monotonic()
    assert await scene.bootstrap() == 0
    assert time.monotonic() - began < 60.0
    told = await scene.told()
    assert sum(len(told.changes[system]) for system in SYSTEMS) == 4_000 + 2_000


@pytest.mark.parametrize(
    "faults", [{"dropped_before": 0.2, "dropped_after": 0.2, "timeout_604_after": 0.2, "token_602": 0.2}]
)
async def test_it_gets_through_faults(settings: Settings, tmp_path: Path, faults: dict[str, float]) -> None:
    async with scene_of(settings, tmp_path / "state", faults) as scene:
        people(scene, 5)
        assert await scene.bootstrap() == 0
        assert len((await scene.told()).known[MARKETO]) == 5
