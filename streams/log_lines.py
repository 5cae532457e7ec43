"""What a process says on standard error, and what it must not: at DEBUG, aiokafka writes out every message it sends."""

from __future__ import annotations

import logging
import sys

FORM = "%(asctime)s %(levelname)s %(name)s: %(message)s"


def log_to_stderr(level: str) -> None:
    """From this level on, as the root logger's: left to a handler, every debug call would still build its record."""
    logging.basicConfig(level=level, format=FORM, stream=sys.stderr)
    if logging.getLogger().level < logging.INFO:
        logging.getLogger("aiokafka").setLevel(logging.INFO)
