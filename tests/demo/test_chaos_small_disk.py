"""A program with little room on disk, as a strike on local stores starts a worker."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

BYTES = 4_096
WRITES = """
import sys
print("x" * 20_000, file=sys.stderr, flush=True)
try:
    open(sys.argv[1], "wb", buffering=0).write(b"x" * 4_096)
    open(sys.argv[2], "ab", buffering=0).write(b"x" * 4_096 + b"y")
    open(sys.argv[2], "ab", buffering=0).write(b"z")
except OSError as error:
    sys.exit(f"no room: {error.strerror}")
"""


def test_a_file_cannot_grow_beyond_the_limit_and_the_log_can(tmp_path: Path) -> None:
    """The write fails as on a full disk, and what the program says is heard to its end."""
    small, large, log = tmp_path / "small", tmp_path / "large", tmp_path / "log"
    command = [sys.executable, "-m", "streams.demo.chaos.small_disk", str(BYTES), sys.executable, "-c", WRITES]
    with log.open("wb") as said:
        ended = subprocess.run([*command, small, large], stderr=said, timeout=30, check=False)
    assert ended.returncode == 1
    assert small.stat().st_size == BYTES and large.stat().st_size == BYTES
    words = log.read_text(encoding="utf-8")
    assert words.startswith("x" * 20_000) and "no room: File too large" in words
