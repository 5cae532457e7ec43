"""The one way in which `leadsync broker` says no: a single line that ends with what the user can do instead."""

from __future__ import annotations

ANOTHER = "`docker compose up` starts one too, and --bootstrap-servers names a running one"
INSTALL = (
    "choose one: install it (in the clone, pip install -r requirements.lock or pip install '.[broker]', with a connection "
    "the first time), `docker compose up`, or name a running one with --bootstrap-servers"
)


class BrokerUnavailable(Exception):  # noqa: N818 -- it names a state of the machine, not a fault of the program
    """No broker can be had here; the message is one line, reason first and choices last."""

    def __init__(self, reason: str, choices: str = ANOTHER) -> None:
        """`choices`: INSTALL where something is not there that an installation brings."""
        self.reason = " ".join(reason.split())
        super().__init__(f"no broker: {self.reason}; {choices}")
