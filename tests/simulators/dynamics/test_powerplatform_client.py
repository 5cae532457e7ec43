"""Microsoft's own Python client, unchanged, against the simulator.

It insists on HTTPS, so the organisation is served with a certificate of this test's own authority, which the client's HTTP
library is told to trust in the usual way.
"""

from __future__ import annotations

import asyncio
import random
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import trustme
from aiohttp import web
from azure.core.credentials import AccessToken
from PowerPlatform.Dataverse.client import DataverseClient
from PowerPlatform.Dataverse.core.errors import HttpError
from PowerPlatform.Dataverse.models.filters import col
from PowerPlatform.Dataverse.models.upsert import UpsertItem

from streams.demo.stock import stock_saving
from streams.policy import default_policy
from streams.simulators.dynamics.app import build_dynamics_app
from streams.simulators.dynamics.instance import DynamicsInstance
from streams.simulators.faults import Faults
from tests.simulators.dynamics.organisation import CREDENTIALS, LEAD_ID

READY_SECONDS = 10.0
STOP_SECONDS = 5.0


class FromTokenEndpoint:
    """A TokenCredential: client id and secret for a token, as azure-identity would do it."""

    def __init__(self, address: str) -> None:
        self._address = address

    def get_token(self, *scopes: str, **more: Any) -> AccessToken:
        """A token for this scope."""
        form = {
            "grant_type": "client_credentials",
            "client_id": CREDENTIALS.client_id,
            "client_secret": CREDENTIALS.client_secret,
            "scope": scopes[0],
        }
        answer = requests.post(
            f"{self._address}/{CREDENTIALS.tenant_id}/oauth2/v2.0/token", data=form, timeout=10
        ).json()
        return AccessToken(answer["access_token"], int(time.time()) + answer["expires_in"])


class Served:
    """The application over TLS, in a thread of its own: the client blocks."""

    def __init__(self, app: web.Application, tls: ssl.SSLContext) -> None:
        self.address = ""
        self._app, self._tls = app, tls
        self._ready, self._loop = threading.Event(), asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """Serve; `address` is known afterwards."""
        self._thread.start()
        assert self._ready.wait(READY_SECONDS)

    def stop(self) -> None:
        """No more."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(STOP_SECONDS)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        runner = web.AppRunner(self._app, access_log=None, shutdown_timeout=0.1)
        self._loop.run_until_complete(runner.setup())
        self._loop.run_until_complete(web.TCPSite(runner, "127.0.0.1", 0, ssl_context=self._tls).start())
        self.address = f"https://localhost:{runner.addresses[0][1]}"
        self._ready.set()
        self._loop.run_forever()
        self._loop.run_until_complete(runner.cleanup())
        self._loop.close()


@pytest.fixture
def instance() -> DynamicsInstance:
    """As shipped, without our columns; with an alternate key that an admin has added."""
    policy = default_policy()
    saving = stock_saving(policy)["dynamics"]
    return DynamicsInstance(policy, random.Random(1), saving, alternate_keys={"lead": (("new_marketoid",),)})


@pytest.fixture
def client(instance: DynamicsInstance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[DataverseClient]:
    """Microsoft's client of this organisation."""
    authority, tls = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(tls)
    authority.cert_pem.write_to_path(str(tmp_path / "authority.pem"))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "authority.pem"))
    served = Served(build_dynamics_app(instance, Faults(), credentials=CREDENTIALS), tls)
    served.start()
    try:
        with DataverseClient(served.address, FromTokenEndpoint(served.address)) as found:
            yield found
    finally:
        served.stop()


def test_it_makes_reads_changes_and_deletes_a_lead(client: DataverseClient, instance: DynamicsInstance) -> None:
    """One by one."""
    lead_id = client.records.create("lead", {"lastname": "Lovelace", "subject": "Trial", "jobtitle": "CTO"})
    found = client.records.retrieve("lead", lead_id, select=["lastname", "jobtitle"])
    assert (found["lastname"], found["jobtitle"]) == ("Lovelace", "CTO")
    client.records.update("lead", lead_id, {"jobtitle": "CEO"})
    assert instance.records[lead_id].values["jobtitle"] == "CEO"
    client.records.delete("lead", lead_id)
    assert lead_id not in instance.records
    assert client.records.retrieve("lead", lead_id) is None


def test_it_makes_changes_and_deletes_several_at_once(client: DataverseClient, instance: DynamicsInstance) -> None:
    """CreateMultiple, UpdateMultiple, BulkDelete."""
    ids = client.records.create("contact", [{"lastname": "A"}, {"lastname": "B"}, {"lastname": "C"}])
    assert set(ids) == set(instance.records)
    client.records.update("contact", ids, {"jobtitle": "CTO"})
    client.records.update("contact", ids[:2], [{"fax": "1"}, {"fax": "2"}])
    assert [instance.records[i].values.get("fax") for i in ids] == ["1", "2", None]
    assert {instance.records[i].values["jobtitle"] for i in ids} == {"CTO"}
    assert client.records.delete("contact", ids[:2])
    assert list(instance.records) == ids[2:]


def test_it_reads_a_query_page_by_page(client: DataverseClient) -> None:
    """Filtered, ordered, with no more rows in a page than it asked for."""
    client.records.create("lead", [{"lastname": f"L{n:02}", "numberofemployees": n} for n in range(25)])
    pages = list(
        client.records.list_pages(
            "lead", select=["lastname"], filter="numberofemployees ge 5", orderby=["lastname desc"], page_size=8
        )
    )
    assert [len(page) for page in pages] == [8, 8, 4]
    assert [row["lastname"] for page in pages for row in page] == [f"L{n:02}" for n in range(24, 4, -1)]


def test_it_turns_words_into_options_by_the_metadata(client: DataverseClient, instance: DynamicsInstance) -> None:
    """It reads every option set of the table for that."""
    lead_id = client.records.create("lead", {"lastname": "L", "leadqualitycode": "Hot", "industrycode": "Consulting"})
    values = instance.records[lead_id].values
    assert (values["leadqualitycode"], values["industrycode"]) == (1, 7)


def test_it_upserts_by_an_alternate_key(client: DataverseClient) -> None:
    """One at a time and several at once."""
    client.records.upsert("lead", [UpsertItem({"new_marketoid": "1"}, {"lastname": "A"})])
    client.records.upsert("lead", [UpsertItem({"new_marketoid": n}, {"lastname": f"B{n}"}) for n in ("1", "2")])
    rows = client.records.list("lead", select=["lastname", "new_marketoid"], orderby=["lastname"])
    assert [(row["new_marketoid"], row["lastname"]) for row in rows] == [("1", "B1"), ("2", "B2")]


def test_it_understands_what_is_refused(client: DataverseClient) -> None:
    """Status, code and Microsoft's own words."""
    with pytest.raises(HttpError) as refused:
        client.records.create("lead", {"lastname": "x" * 51})
    assert refused.value.status_code == 400 and refused.value.details["service_error_code"] == "0x80044331"
    with pytest.raises(HttpError) as absent:
        client.records.update("lead", LEAD_ID, {"jobtitle": "CTO"})
    assert absent.value.status_code == 404


def test_it_sends_batches_with_change_sets(client: DataverseClient, instance: DynamicsInstance) -> None:
    """References to what an earlier operation made, and a change set that is rolled back."""
    kept = client.records.create("lead", {"lastname": "Kept"})
    batch = client.batch.new()
    with batch.changeset() as together:
        made = together.records.create("lead", {"lastname": "Made"})
        together.records.update("lead", made, {"jobtitle": "CTO"})
    batch.records.retrieve("lead", kept, select=["lastname"])
    result = batch.execute()
    assert [response.status_code for response in result.responses] == [204, 204, 200]
    assert result.responses[2].data["lastname"] == "Kept"
    assert sorted(str(held.values.get("jobtitle")) for held in instance.records.values()) == ["CTO", "None"]
    batch = client.batch.new()
    with batch.changeset() as together:
        together.records.create("lead", {"lastname": "Lost"})
        together.records.create("lead", {"lastname": "x" * 51})
    failed = batch.execute(continue_on_error=True)
    assert [response.error_code for response in failed.responses] == ["0x80044331"] and len(instance.records) == 2


def test_it_lists_columns_and_makes_one(client: DataverseClient, instance: DynamicsInstance) -> None:
    """And uses it at once, and removes it."""
    names = {column["LogicalName"] for column in client.tables.list_columns("lead", select=["LogicalName"])}
    assert {"lastname", "ownerid", "new_synctomkto"} <= names
    client.tables.add_columns("lead", {"new_Shoe": "string"})
    lead_id = client.records.create("lead", {"lastname": "L", "new_shoe": "44"})
    assert instance.records[lead_id].values["new_shoe"] == "44"
    client.tables.remove_columns("lead", "new_Shoe")
    assert "new_shoe" not in instance.schema.tables["lead"].columns


def test_it_reads_with_annotations(client: DataverseClient) -> None:
    """The names behind ids and numbers."""
    lead_id = client.records.create("lead", {"lastname": "L"})
    found = client.records.retrieve("lead", lead_id, include_annotations="*")
    assert found["_ownerid_value@OData.Community.Display.V1.FormattedValue"] == "sync-user"


def test_it_queries_in_its_other_ways(client: DataverseClient) -> None:
    """Its builder, FetchXML over several pages, SQL."""
    client.records.create("lead", [{"lastname": f"L{n}", "numberofemployees": n} for n in range(5)])
    built = client.query.builder("lead").select("lastname").where(col("numberofemployees") > 2).order_by("lastname")
    assert [row["lastname"] for row in built.execute()] == ["L3", "L4"]
    fetch = "<fetch count='2'><entity name='lead'><attribute name='lastname'/><order attribute='lastname'/></entity></fetch>"
    assert [row["lastname"] for row in client.query.fetchxml(fetch).execute()] == [f"L{n}" for n in range(5)]
    rows = client.query.sql("SELECT TOP 2 lastname FROM lead WHERE numberofemployees > 1 ORDER BY lastname DESC")
    assert [row["lastname"] for row in rows] == ["L4", "L3"]


def test_it_knows_tables_columns_keys_and_relationships(client: DataverseClient) -> None:
    """As the metadata tells them."""
    assert client.tables.get("lead").entity_set_name == "leads"
    assert {"lead", "contact"} <= {table["LogicalName"] for table in client.tables.list()}
    assert client.tables.get_column("lead", "jobtitle", typed=True)["MaxLength"] == 100
    assert {key.schema_name for key in client.tables.get_alternate_keys("lead")} == {"new_marketoid_key"}
    assert "ownerid" in {each["ReferencingAttribute"] for each in client.tables.list_table_relationships("lead")}
