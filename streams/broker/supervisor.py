"""Stands between us and Java, so that the broker never outlives the process that wanted it.

A process killed with -9 can clean up nothing, so another one must: this program, started by `supervised.py`, runs the
commands that arrive on its standard input, and when that input ends - closed on purpose, or because its owner is no more -
it stops what it runs, removes the folder it was told to remove, and leaves. One path for both ends. The end of input
alone would not do: a forked child of the owner holds the pipe open too, so the parent's id is watched as well.
Java, in turn, is killed by the kernel (Linux only) when this program is.

On standard input, a line each:   run [argv]   term   kill
On standard output, a line each:  started PID   exited CODE

Runs as a script, by path, with nothing but the standard library: it must be up within milliseconds.
"""

from __future__ import annotations

import ctypes
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

TICK_SECONDS = 0.2
STOP_SECONDS_MAX = 15.0
PR_SET_PDEATHSIG = 1

# In a locale without UTF-8, Java can't open a path with an umlaut; and what it prints is read by `server.py`.
ENVIRONMENT = {**os.environ, "LC_ALL": "C.UTF-8"}


class Supervisor:
    def __init__(self, owner_pid: int, log: Path) -> None:
        self.owner_pid = owner_pid
        self.log = log
        self.child: subprocess.Popen[bytes] | None = None
        self.pending = b""

    def serve(self) -> None:
        """Until the owner is gone: obey, and report the child's end within one tick."""
        while os.getppid() == self.owner_pid:
            readable, _, _ = select.select([0], [], [], TICK_SECONDS)
            if readable:
                received = os.read(0, 65536)
                if not received:
                    return
                self._obey(received)
            self._report_end()

    def stop(self) -> None:
        """First SIGTERM, so that Kafka closes its logs and the next start needs no recovery; then SIGKILL."""
        if self.child is None:
            return
        self.child.terminate()
        try:
            self.child.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()

    def _obey(self, received: bytes) -> None:
        *lines, self.pending = (self.pending + received).split(b"\n")
        for line in lines:
            word, _, rest = line.decode().partition(" ")
            if word == "run":
                self._run(json.loads(rest))
            elif self.child is not None:
                self.child.send_signal({"term": signal.SIGTERM, "kill": signal.SIGKILL}[word])

    def _run(self, argv: list[str]) -> None:
        with self.log.open("ab") as log:
            self.child = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=ENVIRONMENT, preexec_fn=dies_with_parent()
            )
        say(f"started {self.child.pid}")

    def _report_end(self) -> None:
        if self.child is not None and self.child.poll() is not None:
            say(f"exited {self.child.returncode}")
            self.child = None


def say(line: str) -> None:
    """An owner that died between two lines is found out by the next turn of the loop."""
    try:
        os.write(1, line.encode() + b"\n")
    except BrokenPipeError:
        return


def dies_with_parent() -> Callable[[], None] | None:
    """The library is loaded before the fork: between fork and exec nothing may allocate or import."""
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None).prctl

    def ask_kernel() -> None:
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)

    return ask_kernel


def remove(folder: Path) -> None:
    """Twice if need be: what Java was writing while it was killed may turn up in a folder that was just emptied."""
    for _ in range(5):
        shutil.rmtree(folder, ignore_errors=True)
        if not folder.exists():
            return
        time.sleep(TICK_SECONDS)


def main(owner_pid: str, log: str, folder_to_remove: str) -> None:
    # The owner decides when to end (by closing the pipe), not a signal meant for a whole terminal or process group.
    # Handled, not ignored: what is ignored stays so in the child, and Java then heeds no SIGTERM.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda _number, _frame: None)
    supervisor = Supervisor(int(owner_pid), Path(log))
    try:
        supervisor.serve()
    finally:
        supervisor.stop()
        if folder_to_remove:
            remove(Path(folder_to_remove))


if __name__ == "__main__":
    main(*sys.argv[1:])
