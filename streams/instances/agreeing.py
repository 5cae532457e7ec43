"""A question on the terminal, in the middle of asynchronous work."""

from __future__ import annotations

import signal

import click

from streams.operating.display import note


def agreed(question: str) -> bool:
    """Whether the answer is yes. Where nobody can answer it is no; Ctrl-C is a no as well.

    asyncio would keep Ctrl-C for the work's next pause, which comes only after the answer.
    """
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return click.confirm(question, err=True)
    except click.Abort:
        click.echo(err=True)
        note("with --yes nothing is asked")
        return False
    finally:
        signal.signal(signal.SIGINT, before)
