"""`leadsync simulate`: a simulated system with its REST API, alone, for as long as it is left running."""

from __future__ import annotations

import click

from streams.cli import Commands

SYSTEMS = {
    "dynamics": "streams.simulators.dynamics.command:dynamics",
    "marketo": "streams.simulators.marketo.command:marketo",
}
"""System -> where its command is. Imported when it is called."""


@click.group(cls=Commands, places=SYSTEMS)
def simulate() -> None:
    """Run a simulated Marketo or Dynamics with its REST API. To try leadsync or another client on."""
