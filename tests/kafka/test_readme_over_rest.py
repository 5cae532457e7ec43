"""The README's second example, word for word: two simulated instances, set up, bootstrapped, and kept alike by two connectors."""

from __future__ import annotations

import asyncio
import contextlib
import csv
import os
import re
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest

from streams.settings import Settings
from tests.kafka.workers import workers
from tests.simulators.accounts import DYNAMICS_SECRET, MARKETO_SECRET, Dataverse, Marketo

README = Path(__file__).parents[2] / "README.md"
PATIENCE_SECONDS = 60.0


@contextlib.asynccontextmanager
async def running(folder: Path, name: str, *arguments: str, says: str, **environment: str) -> AsyncIterator[str]:
    """A `leadsync` process; yields what it said of its address."""
    log = folder / f"{name}.log"
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "streams", *arguments, stdout=output, stderr=output, env={**os.environ, **environment}
        )
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while (found := re.search(says, log.read_text())) is None:
                assert process.returncode is None, log.read_text()
                await asyncio.sleep(0.05)
        yield found[1]
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
            await asyncio.wait_for(process.wait(), PATIENCE_SECONDS)


@pytest.mark.kafka
async def test_two_instances_are_set_up_linked_and_kept_alike(settings: Settings, tmp_path: Path) -> None:
    """Who is in both is linked by e-mail, not made twice; afterwards an edit on either side reaches the other."""
    found = re.search(r"<!-- second example -->\n```sh\n(.*?)```\n<!-- end", README.read_text(), re.DOTALL)
    assert found is not None
    kafka = {"LEADSYNC_BOOTSTRAP_SERVERS": settings.bootstrap_servers, "LEADSYNC_PREFIX": settings.prefix}
    async with contextlib.AsyncExitStack() as stack:

        async def start(name: str, *arguments: str, says: str, more: Mapping[str, str]) -> str:
            return await stack.enter_async_context(running(tmp_path, name, *arguments, says=says, **more))

        address = r"(http://127\.0\.0\.1:[0-9]+)"
        marketo_url = await start(
            "m",
            "simulate",
            "marketo",
            "--port",
            "0",
            says=address,
            more={"LEADSYNC_MARKETO_CLIENT_SECRET": MARKETO_SECRET},
        )
        dynamics_url = await start(
            "d", "simulate", "dynamics", "--port", "0", "--tenant", "contoso", says=address,
            more={"LEADSYNC_DYNAMICS_CLIENT_SECRET": DYNAMICS_SECRET},
        )  # fmt: skip
        marketo, dynamics = Marketo(marketo_url), Dataverse(dynamics_url)
        person = await marketo.create(firstName="Ada", lastName="Lovelace", email="ada@example.com")
        lead = await dynamics.create(
            firstname="Ada", lastname="Lovelace", emailaddress1="ada@example.com", subject="Trial"
        )
        await stack.enter_async_context(workers(settings, "one"))
        urls = {"LEADSYNC_MARKETO_URL": marketo_url, "LEADSYNC_DYNAMICS_URL": dynamics_url}
        path = f"{Path(sys.executable).parent}:/usr/bin:/bin"
        script = await asyncio.create_subprocess_exec(
            "bash", "-euc", found[1], cwd=tmp_path, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
            env={"PATH": path, "HOME": str(tmp_path), **kafka, **urls},
        )  # fmt: skip
        said, _ = await asyncio.wait_for(script.communicate(), PATIENCE_SECONDS)
        assert script.returncode == 0, said.decode()
        [planned] = csv.DictReader((tmp_path / "plan.csv").open())
        assert (planned["marketo_id"], planned["dynamics_id"]) == (str(person), lead), planned
        assert "mail" in planned["action"]
        assert {file.name for file in (tmp_path / "rules").iterdir()} == {
            "dynamics.contact.yaml", "dynamics.lead.yaml", "marketo.person.yaml",
        }  # fmt: skip
        applied = re.search(r"in force before: (\w{64})\nin force now: +(\w{64})", said.decode())
        assert applied is not None and applied[1] != applied[2], said.decode()
        who = {
            **kafka, **urls, "LEADSYNC_MARKETO_CLIENT_ID": "leadsync", "LEADSYNC_MARKETO_CLIENT_SECRET": MARKETO_SECRET,
            "LEADSYNC_DYNAMICS_CLIENT_ID": "leadsync", "LEADSYNC_DYNAMICS_CLIENT_SECRET": DYNAMICS_SECRET,
            "LEADSYNC_DYNAMICS_TENANT": "contoso", "LEADSYNC_DYNAMICS_AUTHORITY": dynamics_url,
        }  # fmt: skip
        for system in ("marketo", "dynamics"):
            await start(
                system, "connector", system, "--port", "0", "--busy-seconds", "0.2", "--idle-seconds", "0.5",
                says=r"connector: (http://\S+)", more=who,
            )  # fmt: skip
        await dynamics.write(lead, jobtitle="Countess")
        await marketo.write(person, city="London")
        async with asyncio.timeout(PATIENCE_SECONDS):
            while (await marketo.read(person)).get("jobTitle") != "Countess":
                await asyncio.sleep(0.2)
            while (await dynamics.read(lead)).get("address1_city") != "London":
                await asyncio.sleep(0.2)
        assert len(await dynamics.all()) == 1 and len(await marketo.all_of("ada@example.com")) == 1
