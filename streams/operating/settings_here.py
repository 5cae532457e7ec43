"""The broker of a command: from its own options, else from its group's, else from the environment.

So that `leadsync errors --prefix eu- retry --all` and `leadsync errors retry --all --prefix eu-` mean the same.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import click
from click.core import ParameterSource

from streams.cli import broker_options, settings_of
from streams.settings import Settings


def on_broker(function: Callable[..., None]) -> Callable[..., None]:
    """Takes the broker's options; the command itself asks `settings_here` for what they come to."""

    @wraps(function)
    def command(*args: Any, bootstrap_servers: str | None, prefix: str, **kwargs: Any) -> None:
        function(*args, **kwargs)

    return broker_options(command)


def settings_here() -> Settings:
    """Settings of the command that runs. Raises SettingsError where no broker is named."""
    return settings_of(asked("bootstrap_servers"), asked("prefix") or "")


def asked(name: str) -> Any:
    """An option of the command that runs, or of its group: what was said nearest to it, else the command's own default."""
    here = click.get_current_context()
    context: click.Context | None = here
    while context is not None:
        if context.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            return context.params[name]
        context = context.parent
    return here.params.get(name)
