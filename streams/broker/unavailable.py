"""The one way in which `leadsync broker` says no: a single line that ends with what the user can do instead."""

from __future__ import annotations

CHOICES = (
    "choose one: install it (pip install 'leadsync[broker]', with a connection the first time), "
    "`docker compose up`, or name a running one with --bootstrap-servers"
)


class BrokerUnavailable(Exception):  # noqa: N818 -- it names a state of the machine, not a fault of the program
    """No broker can be had here; the message is one line, reason first and choices last."""

    def __init__(self, reason: str) -> None:
        self.reason = " ".join(reason.split())
        super().__init__(f"no broker: {self.reason}; {CHOICES}")
