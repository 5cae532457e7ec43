"""A program with little room on disk: no file of its own can grow beyond a limit. For any user, on any Unix.

    python -m streams.demo.chaos.small_disk BYTES PROGRAM ARGUMENT...

The limit is the process's own (RLIMIT_FSIZE), and a write beyond it fails as on a full disk. What the program says on standard
output and error goes through a pipe to another process, which has no limit: a log is longer than that.
"""

from __future__ import annotations

import os
import resource
import sys

CHUNK_BYTES = 65_536


def main(bytes_max: str, *command: str) -> None:
    """Becomes the program: whoever signals it, signals the program."""
    reading, writing = os.pipe()
    if os.fork() == 0:
        os.close(writing)
        while said := os.read(reading, CHUNK_BYTES):
            os.write(2, said)
        os._exit(0)
    os.close(reading)
    os.dup2(writing, 1)
    os.dup2(writing, 2)
    os.close(writing)
    # Python has set SIGXFSZ to be ignored, and what is ignored stays so in the program: it sees an error, not its end.
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(bytes_max), int(bytes_max)))
    os.execvp(command[0], command)


if __name__ == "__main__":
    main(*sys.argv[1:])
