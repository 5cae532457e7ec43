"""The workers of a demo: started again when they die, given up when they cannot start."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from streams.demo import fleet as module
from streams.demo.fleet import Fleet, WorkerFailed, worker_members
from streams.settings import Security, Settings

SETTINGS = Settings("127.0.0.1:1", "t.", security=Security())

READY = """
import http.server, sys
class Ready(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers()
server = http.server.HTTPServer(("127.0.0.1", 0), Ready)
print(f"worker: http://127.0.0.1:{server.server_port}/health/ready", file=sys.stderr, flush=True)
server.serve_forever()
"""
"""A worker as the fleet knows one: it says where its port is, and there that it is ready."""


def fleet(tmp_path: Path, program: str, count: int = 1) -> Fleet:
    script = tmp_path / "program.py"
    script.write_text(program, encoding="utf-8")
    return Fleet(worker_members(SETTINGS, count, tmp_path / "logs", (sys.executable, str(script))))


async def until_ready(workers: Fleet) -> None:
    async with asyncio.timeout(20):
        await workers.all_ready()


async def test_a_killed_worker_is_started_again(tmp_path: Path) -> None:
    """And counts as killed, not as one that ended by itself."""
    workers = fleet(tmp_path, READY, count=2)
    running = asyncio.create_task(workers.run())
    try:
        await until_ready(workers)
        workers.kill_one()
        async with asyncio.timeout(20):
            while workers.ready == 2:
                await asyncio.sleep(0.02)
        await until_ready(workers)
        assert (workers.kills, workers.restarts) == (1, 0)
    finally:
        await workers.stop()
        await running


async def test_a_worker_that_cannot_start_is_told_with_its_last_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three times in a row are enough."""
    monkeypatch.setattr(module, "PAUSE_SECONDS", 0.01)
    workers = fleet(tmp_path, "raise SystemExit('no policy for you')")
    try:
        with pytest.raises(ExceptionGroup) as failed:
            await asyncio.wait_for(workers.run(), 30)
    finally:
        await workers.stop()
    [failure] = failed.value.exceptions
    assert isinstance(failure, WorkerFailed)
    assert "ended 3 times" in str(failure) and "no policy for you" in str(failure) and "worker.log" in str(failure)
