"""What a command answers when it cannot do what it was asked: one clear line, and exit status 1.

Status 2 stays for what is wrong with the command line, the settings or the broker, as `streams.cli.main` gives it.
"""

from __future__ import annotations

from typing import IO, Any

import click


class Refused(click.ClickException):
    """The message says what was found and, where there is something, what to do."""

    def show(self, file: IO[Any] | None = None) -> None:
        click.echo(f"leadsync: {self.format_message()}", file=file, err=True)
