"""How people are read out of Marketo: windows, jobs, files, and pages where there is no bulk extract."""

from __future__ import annotations

import hashlib
import random
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from schemas.vocabulary import MARKETO
from streams.connectors.marketo.bulk import LeadExport
from streams.connectors.marketo.client import MarketoClient
from streams.connectors.pacing import MARKETO_PACE, Pacer
from streams.connectors.rest import OutcomeUnknown, Refused
from streams.connectors.settings import MarketoConnection
from streams.demo.stock import stock_saving
from streams.instances.bootstrapping.marketo_reading import MarketoReading, shown_before
from streams.instances.bootstrapping.marketo_rows import WINDOW_DAYS, people_in_file, windows
from streams.instances.bootstrapping.store import ReadRecord, Store
from streams.policy import default_policy
from streams.settings import SettingsError
from streams.simulators.faults import Faults
from streams.simulators.marketo.app import Limits, MarketoCredentials, build_marketo_app
from streams.simulators.marketo.instance import MarketoInstance
from streams.simulators.serving import serving

COLUMNS = ("firstName", "email", "doNotCall")
NOW = datetime(2026, 9, 1, tzinfo=UTC)


@given(st.integers(1_400_000_000, 1_800_000_000), st.integers(0, 400 * 86_400))
def test_windows_leave_no_gap_and_none_is_too_long(began: int, seconds: int) -> None:
    since = datetime.fromtimestamp(began, UTC)
    until = since + timedelta(seconds=seconds)
    found = list(windows(since, until))
    times = [(datetime.fromisoformat(each.start), datetime.fromisoformat(each.end)) for each in found]
    assert all(start < end <= start + timedelta(days=WINDOW_DAYS) for start, end in times)
    assert [end for _, end in times[:-1]] == [start for start, _ in times[1:]]
    assert not seconds or (times[0][0], times[-1][1]) == (since, until)


@pytest.mark.parametrize(
    ("updated_at", "before"),
    [
        ("2026-08-31T23:49:59Z", None),
        ("2026-08-31T23:50:00Z", "2026-08-31T23:50:01Z"),
        ("2026-08-31T23:58:59Z", "2026-08-31T23:59:00Z"),
        ("2026-08-31T23:59:00Z", "2026-08-31T23:59:00Z"),
        ("2026-09-01T00:00:09.700Z", "2026-09-01T00:00:09Z"),
        (None, None),
    ],
)
def test_a_row_shows_what_happened_up_to_its_own_time(updated_at: str | None, before: str | None) -> None:
    """In that very second too, once it was surely over; and nothing need be known of who is older than the feed's place."""
    assert shown_before(updated_at, NOW) == before


def read(text: str) -> list[ReadRecord]:
    """The people of a file."""
    return list(people_in_file(text.splitlines(keepends=True), COLUMNS))


def test_a_cell_is_a_text_or_nothing_and_may_hold_anything() -> None:
    (person,) = read('id,email,firstName,doNotCall\n7,a@example.com,"A ""d"", \n\u00e4",null\n')
    assert (person.id, person.email) == ("7", "a@example.com")
    assert person.fields == {"firstName": 'A "d", \n\u00e4', "email": "a@example.com", "doNotCall": None}


def test_our_two_fields_stand_beside_the_others() -> None:
    key = "11111111-1111-5111-8111-111111111111#2"
    (person,) = read(f"id,leadsyncKey,leadsyncRevision\n7,{key},9\n")
    assert (person.key, person.revision, person.creation) == (key, 9, 2)
    assert "leadsyncKey" not in person.fields
    (person,) = read("id,leadsyncKey,leadsyncRevision\n7,somebody's own text,null\n")
    assert (person.key, person.revision) == (None, None)


@pytest.mark.parametrize("text", ["<html>\n", "id,email\n7\n", "id,email\n7,a,b\n", "id,email\nnull,a@example.com\n"])
def test_a_file_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="extract"):
        read(text)


class FakeExport(LeadExport):
    """Marketo's bulk extract, with what goes wrong taken from a list: one entry for each call of `status`."""

    def __init__(self, *statuses: Any, content: bytes = b"id,email\n7,a@example.com\n") -> None:
        self.statuses, self.content, self.created = list(statuses), content, 0

    async def create(self, fields: Any, filters: Any) -> str:
        self.created += 1
        return f"job-{self.created}"

    async def status(self, export_id: str) -> dict[str, Any]:
        found = self.statuses.pop(0) if self.statuses else "Completed"
        if isinstance(found, Exception):
            raise found
        return {"exportId": export_id, "status": found, "fileChecksum": f"sha256:{self.checksum}"}

    async def enqueue(self, export_id: str) -> dict[str, Any]:
        return {"exportId": export_id, "status": "Queued"}

    async def file(self, export_id: str) -> bytes:
        return self.content

    @property
    def checksum(self) -> str:
        return hashlib.sha256(self.content).hexdigest()


class BreaksOffOnce(FakeExport):
    """The first file comes over in part only."""

    breaks = True

    async def file(self, export_id: str) -> bytes:
        broken, self.breaks = self.breaks, False
        return self.content[:-5] if broken else self.content


class NoBulk(FakeExport):
    """A subscription without bulk extract."""

    async def create(self, fields: Any, filters: Any) -> str:
        raise Refused("1035", "Unsupported filter type for target subscription")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """An empty store."""
    store = Store.at(tmp_path / "state")
    yield store
    store.close()


@pytest.fixture
async def client(instance: MarketoInstance) -> AsyncIterator[MarketoClient]:
    """A client of a simulated Marketo."""
    limits = Limits(export_queue_seconds=0.0, export_work_seconds=0.0)
    app = build_marketo_app(instance, Faults(), credentials=MarketoCredentials("leadsync", "s"), limits=limits)
    async with serving(app) as address:
        connection = MarketoConnection(address, f"{address}/identity", "leadsync", SecretStr("s"))
        client = MarketoClient(connection, Pacer(MARKETO_PACE), rng=random.Random(1))
        yield client
        await client.close()


@pytest.fixture
def instance() -> MarketoInstance:
    """A Marketo with 400 people, made over 40 days."""
    policy = default_policy()
    instance = MarketoInstance(
        policy, random.Random(1), stock_saving(policy)[MARKETO], with_our_fields=True, clock=NOW.timestamp
    )
    began = NOW.timestamp() - 40 * 86_400
    for number in range(400):
        instance.create("mia", {"email": f"{number}@example.com"}, began + number * 8_640)
    return instance


def reading(client: MarketoClient, store: Store, export: LeadExport | None = None, **more: Any) -> MarketoReading:
    """Everybody since 50 days ago, or since a given time."""
    since = NOW - timedelta(days=50)
    return MarketoReading(
        client, store, COLUMNS, **{"since": since, "now": lambda: NOW, "poll_seconds": 0.0, "export": export, **more}
    )


async def test_everybody_is_read_in_as_many_jobs_as_there_are_windows(
    client: MarketoClient, store: Store, instance: MarketoInstance
) -> None:
    await reading(client, store).read()
    assert store.count(MARKETO) == 400
    assert instance.calls["POST /bulk/v1/leads/export/create.json"] == 2
    assert store.get(MARKETO, "1000001").email == "0@example.com"


async def test_where_there_is_no_bulk_extract_the_log_of_creations_names_everybody(
    client: MarketoClient, store: Store
) -> None:
    await reading(client, store, NoBulk()).read()
    assert store.count(MARKETO) == 400
    assert store.get(MARKETO, "1000400").fields["email"] == "399@example.com"


async def test_a_job_that_waits_fails_or_is_not_answered_for_is_no_end(client: MarketoClient, store: Store) -> None:
    export = FakeExport(
        "Created",
        "Queued",
        Refused("1029", "Too many jobs in queue"),
        OutcomeUnknown("dropped"),
        "Processing",
        "Failed",
    )
    await reading(client, store, export, since=NOW - timedelta(days=1)).read()
    assert (store.count(MARKETO), export.created) == (1, 2)


async def test_a_job_that_always_fails_is(client: MarketoClient, store: Store) -> None:
    with pytest.raises(SettingsError, match="failed 3 times"):
        await reading(client, store, FakeExport(*["Failed"] * 9), since=NOW - timedelta(days=1)).read()


async def test_a_file_that_broke_off_is_fetched_again(client: MarketoClient, store: Store) -> None:
    await reading(client, store, BreaksOffOnce(), since=NOW - timedelta(days=1)).read()
    assert store.get(MARKETO, "7").email == "a@example.com"


async def test_a_job_of_an_earlier_start_is_gone_on_with_and_one_that_is_forgotten_made_anew(
    client: MarketoClient, store: Store
) -> None:
    note = f"job.{next(windows(NOW - timedelta(days=1), NOW)).start}"
    store.take_note(note, "job-9")
    export = FakeExport("Processing")
    await reading(client, store, export, since=NOW - timedelta(days=1)).read()
    assert export.created == 0
    store.forget()
    store.take_note(note, "job-9")
    export = FakeExport(Refused("1013", "Object not found"))
    await reading(client, store, export, since=NOW - timedelta(days=1)).read()
    assert export.created == 1


async def test_what_was_read_is_not_read_twice(client: MarketoClient, store: Store, instance: MarketoInstance) -> None:
    await reading(client, store).read()
    calls = instance.calls.total()
    await reading(client, store).read()
    assert instance.calls.total() == calls


async def test_the_place_in_the_feed_is_noted_before_anything_is_read(client: MarketoClient, store: Store) -> None:
    class Watching(FakeExport):
        async def create(self, fields: Any, filters: Any) -> str:
            assert store.note("marketo.token")
            return await super().create(fields, filters)

    await reading(client, store, Watching(), since=NOW - timedelta(days=1)).read()


def test_a_state_folder_that_must_stay_is_left_empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mount, or the folder that one stands in."""
    monkeypatch.chdir(tmp_path)
    Store.at(Path()).remove()
    assert not [*tmp_path.iterdir()]
