"""The README's first example, word for word, with a producer that no one here wrote."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
from pathlib import Path

import pytest

from streams.settings import Settings
from tests.kafka.workers import workers

README = Path(__file__).parents[2] / "README.md"


@pytest.mark.kafka
@pytest.mark.skipif(shutil.which("kcat") is None, reason="kcat is not installed")
async def test_five_messages_by_kcat_bring_a_create_and_then_an_update_of_that_field(settings: Settings) -> None:
    """The script of the README runs as it stands there; its last line is the update."""
    found = re.search(r"<!-- first example -->\n```sh\n(.*?)```\n<!-- end", README.read_text(), re.DOTALL)
    assert found is not None
    environment = {"LEADSYNC_BOOTSTRAP_SERVERS": settings.bootstrap_servers, "LEADSYNC_PREFIX": settings.prefix}
    async with workers(settings, "one"):
        process = await asyncio.create_subprocess_exec(
            "bash", "-euc", found[1], stdout=asyncio.subprocess.PIPE, env={"PATH": "/usr/bin:/bin", **environment}
        )
        async with asyncio.timeout(60):
            said, _ = await process.communicate()
    assert process.returncode == 0
    first, *_, last = [json.loads(line) for line in said.decode().splitlines()]
    assert first["operation"] == "create" and first["fields"]["emailaddress1"] == "ada@example.com"
    assert last["operation"] == "update" and last["fields"] == {"telephone1": "+44 20 7946 0000"}
