"""The settings of an installation of its own, as for the other tests on Kafka."""

from tests.kafka.conftest import settings

__all__ = ["settings"]
