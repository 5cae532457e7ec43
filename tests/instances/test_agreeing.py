"""Questions on the terminal: Ctrl-C ends them at once, also in the middle of asynchronous work."""

from __future__ import annotations

import signal
import subprocess
import sys

ASKS = """
from streams.cli import run
from streams.instances.agreeing import agreed

async def work():
    print(agreed("Do it?"))

run(work())
"""


def test_ctrl_c_at_a_question_is_a_no() -> None:
    """Nobody has to press Enter after it."""
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", ASKS], stdin=pipe, stdout=pipe, stderr=pipe) as process:
        assert process.stdout is not None and process.stderr is not None
        try:
            assert process.stderr.read(6) == b"Do it?"
            process.send_signal(signal.SIGINT)
            assert process.wait(10) == 0
            assert process.stdout.read().strip() == b"False"
        finally:
            process.kill()


def test_where_nobody_can_answer_the_answer_is_no() -> None:
    """And it is said what does without an answer."""
    done = subprocess.run(
        [sys.executable, "-c", ASKS], input="", capture_output=True, text=True, timeout=30, check=True
    )
    assert done.stdout.strip() == "False"
    assert done.stderr.endswith("\nwith --yes nothing is asked\n")
