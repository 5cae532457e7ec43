"""What `leadsync simulate marketo` and `leadsync simulate dynamics` are both told, and how a secret is read."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from math import inf
from pathlib import Path
from typing import Any

import click

from schemas.vocabulary import SYSTEMS
from streams.connectors.settings import secret, secret_in
from streams.simulators.faults import SHARES_OF, FaultPlan


def serving_options(port: int) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """`--host`, `--port`, `--seed`, `--fault` and `--latency`."""
    options = (
        click.option("--host", default="127.0.0.1", show_default=True, help="Where to listen."),
        click.option(
            "--port", default=port, show_default=True, type=click.IntRange(0, 65_535), help="0: any free one."
        ),
        click.option("--seed", default=1, show_default=True, help="When faults strike."),
        click.option(
            "--fault",
            "faults",
            multiple=True,
            metavar="NAME=SHARE",
            callback=_of_this_system,
            help="Strikes this share of calls; repeatable. An unknown name is answered with the known ones.",
        ),
        click.option(
            "--latency",
            type=(float, float),
            default=(0.0, 0.0),
            metavar="MIN MAX",
            callback=_possible,
            help="Delay every call, in seconds.",
        ),
    )

    def decorated(function: Callable[..., Any]) -> Callable[..., Any]:
        for option in reversed(options):
            function = option(function)
        return function

    return decorated


def _of_this_system(context: click.Context, _parameter: click.Parameter, faults: tuple[str, ...]) -> tuple[str, ...]:
    """One of the other system would never strike."""
    system = next(each for each in SYSTEMS if each == context.info_name)
    for name in (text.partition("=")[0] for text in faults):
        if name not in SHARES_OF[system]:
            raise click.BadParameter(
                f"{system} has no fault {name!r} that strikes a share of calls: there are {', '.join(sorted(SHARES_OF[system]))}"
            )
    return faults


def _possible(
    _context: click.Context, _parameter: click.Parameter, latency: tuple[float, float]
) -> tuple[float, float]:
    if not 0.0 <= latency[0] <= latency[1] < inf:
        raise click.BadParameter(f"{latency[0]} {latency[1]} are no seconds with 0 <= MIN <= MAX")
    return latency


def plan_of(faults: Iterable[str], latency: tuple[float, float]) -> FaultPlan:
    """The plan that the options say. Raises click.BadParameter."""
    shares = {"latency": 1.0} if latency[1] > 0.0 else {}
    for text in faults:
        name, _, share = text.partition("=")
        try:
            shares[name] = float(share)
        except ValueError:
            raise click.BadParameter(f"{text!r} is not NAME=SHARE", param_hint="--fault") from None
    try:
        return FaultPlan(shares, latency)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--fault") from None


def secret_of(variable: str, file: Path | None) -> str | None:
    """A secret: the content of the file, else of the environment variable, else of the file that `<variable>_FILE` names.

    None where there is none. Raises SettingsError for a file that can't be read.
    """
    found = secret(os.environ, variable) if file is None else secret_in(file, "the file of the secret")
    return None if found is None else found.get_secret_value()
