"""The process between us and Java, tried with `sleep` in Java's place: whatever ends the owner ends the child."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from streams.broker.supervised import Supervised

SLEEP = ["sleep", "600"]

# Started as a process of its own, so that it can be killed like one.
OWNER = """
import os, sys, time
from pathlib import Path
from streams.broker.supervised import Supervised
supervised = Supervised(Path(sys.argv[1]), Path(sys.argv[1]) / "log", remove_folder_at_end=True)
supervised.run(["sleep", "600"])
if "fork" in sys.argv and os.fork() == 0:
    time.sleep(30)
    os._exit(0)
print(supervised.pid, flush=True)
time.sleep(600)
"""


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def eventually(condition: Callable[[], bool], seconds_max: float = 10) -> bool:
    deadline = time.monotonic() + seconds_max
    while not (met := condition()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return met


@pytest.mark.parametrize("how", ["alone", "fork"])
def test_kill_9_of_the_owner_ends_the_child_and_removes_the_folder(how: str, tmp_path: Path) -> None:
    """Also when a forked child of the owner lives on and holds the pipe to the supervisor open."""
    folder = tmp_path / "data"
    folder.mkdir()
    owner = subprocess.Popen([sys.executable, "-c", OWNER, folder, how], stdout=subprocess.PIPE, start_new_session=True)
    assert owner.stdout is not None
    pid = int(owner.stdout.readline())
    owner.kill()
    owner.wait()
    try:
        assert eventually(lambda: not is_alive(pid))
        assert eventually(lambda: not folder.exists())
    finally:
        if how == "fork":
            os.killpg(owner.pid, signal.SIGKILL)
        owner.stdout.close()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux kills a child with its parent")
def test_kill_9_of_the_supervisor_ends_the_child(tmp_path: Path) -> None:
    """Nobody is left to stop it in good order then, so the kernel does; the owner is told."""
    supervised = Supervised(tmp_path, tmp_path / "log", remove_folder_at_end=False)
    supervised.run(SLEEP)
    pid = supervised.pid
    assert pid is not None
    supervised._process.kill()
    assert supervised.wait(10) == -signal.SIGKILL
    assert eventually(lambda: not is_alive(pid))
    supervised.close()


def test_a_child_that_ends_by_itself_is_reported(tmp_path: Path) -> None:
    """With its exit status, and what it said in the log; the next one may be started then."""
    supervised = Supervised(tmp_path, tmp_path / "log", remove_folder_at_end=False)
    supervised.run(["sh", "-c", "echo why; exit 3"])
    assert supervised.wait(10) == 3
    assert (tmp_path / "log").read_text() == "why\n"
    supervised.run(SLEEP)
    assert supervised.ended() is None
    supervised.close()


def test_closing_removes_what_is_temporary_and_keeps_what_is_not(tmp_path: Path) -> None:
    """The folder is gone when `close` returns, and only where that was asked for."""
    for remove in (True, False):
        folder = tmp_path / str(remove)
        folder.mkdir()
        supervised = Supervised(folder, folder / "log", remove_folder_at_end=remove)
        supervised.run(SLEEP)
        pid = supervised.pid
        assert pid is not None
        supervised.close()
        assert not is_alive(pid)
        assert folder.exists() != remove


def test_ctrl_c_in_the_terminal_reaches_the_owner_alone(tmp_path: Path) -> None:
    """The supervisor leads a session of its own and outlives the signals meant for others; its child heeds SIGTERM."""
    supervised = Supervised(tmp_path, tmp_path / "log", remove_folder_at_end=False)
    supervised.run(SLEEP)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        supervised._process.send_signal(number)
    assert supervised.wait(0.5) is None
    supervised.terminate()
    assert supervised.wait(5) == -signal.SIGTERM
    supervised.close()
