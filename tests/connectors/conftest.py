"""Settings of an installation that nobody else uses."""

from tests.kafka.conftest import settings

__all__ = ["settings"]
