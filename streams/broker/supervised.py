"""Our end of the pipe to `supervisor.py`: start and signal one child that can't outlive us."""

from __future__ import annotations

import fcntl
import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

SUPERVISOR = Path(__file__).with_name("supervisor.py")
LEAVE_SECONDS_MAX = 25.0  # above the supervisor's own limit for stopping its child


class Supervised:
    """Not for several threads at once, like the broker that owns it."""

    def __init__(
        self, folder: Path, log: Path, remove_folder_at_end: bool, environment: Mapping[str, str] | None = None
    ) -> None:
        """`environment`: variables for the child beside our own; what no process list may show goes there."""
        lock = _locked(folder)
        # -I: neither the user's environment nor the current folder can change what the supervisor imports.
        # A session of its own: Ctrl-C in the terminal reaches the owner alone, which then ends this in good order.
        self._process = subprocess.Popen(
            [sys.executable, "-I", SUPERVISOR, str(os.getpid()), log, str(folder) if remove_folder_at_end else ""],
            cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, pass_fds=[lock], start_new_session=True,
            env={**os.environ, **(environment or {})},
        )  # fmt: skip
        os.close(lock)  # the supervisor's copy holds it, until its child has ended
        self._received = b""
        self._ended: int | None = None
        self.pid: int | None = None

    def run(self, argv: Sequence[str], seconds_max: float = 10.0) -> None:
        """The child's end is reported by `wait` and `ended`; its output goes to the log."""
        self.pid, self._ended = None, None
        self._tell("run " + json.dumps(list(argv)))
        deadline = time.monotonic() + seconds_max
        while self.pid is None and time.monotonic() < deadline:
            self._listen(deadline - time.monotonic())
        if self.pid is None:
            raise RuntimeError(f"the supervisor did not start {argv[0]} within {seconds_max:.0f} s")

    def ended(self) -> int | None:
        """The exit status once the child is gone (negative: the signal), else None. Never blocks."""
        self._listen(0)
        return self._ended

    def wait(self, seconds_max: float) -> int | None:
        deadline = time.monotonic() + seconds_max
        while self._ended is None and (left := deadline - time.monotonic()) > 0:
            self._listen(left)
        return self._ended

    def terminate(self) -> None:
        self._tell("term")

    def kill(self) -> None:
        self._tell("kill")

    def close(self) -> None:
        """Ends child and supervisor, and what was to be removed is gone when this returns."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        try:
            self._process.wait(LEAVE_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()

    def _tell(self, line: str) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(line.encode() + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            self._supervisor_lost()

    def _listen(self, seconds_max: float) -> None:
        assert self._process.stdout is not None
        if self._process.stdout.closed or not select.select([self._process.stdout], [], [], max(seconds_max, 0))[0]:
            return
        received = os.read(self._process.stdout.fileno(), 65536)
        if not received:
            self._supervisor_lost()
        *lines, self._received = (self._received + received).split(b"\n")
        for line in lines:
            word, number = line.split()
            if word == b"started":
                self.pid = int(number)
            else:
                self._ended = int(number)

    def _supervisor_lost(self) -> None:
        """It was killed, and on Linux its child with it; elsewhere nobody else would end the child now."""
        if self._ended is None:
            if self.pid is not None:
                _kill_if_there(self.pid)
            self._ended = -9


def _locked(folder: Path) -> int:
    """Kafka itself takes its lock too late: a second one has by then cut into the log of the first."""
    lock = os.open(folder / "in-use.lock", os.O_CREAT | os.O_RDWR, 0o644)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        raise
    return lock


def _kill_if_there(pid: int) -> None:
    try:
        os.kill(pid, 9)
    except ProcessLookupError:
        return
