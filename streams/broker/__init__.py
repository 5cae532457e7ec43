"""A broker with nothing but Python on the machine: Apache Kafka itself, its Java from a wheel, its jars by coordinate.

    supervisor.py   the process between us and Java; read it first
    supervised.py   our end of the pipe to it
    server.py       LocalBroker: folder, ports, start, stop, kill, restart
    fencing.py      what a single broker's data need before one starts on them again, and how it stops
    settings.py     the broker's settings, one table shared with docker-compose.yml
    lock.py         which jars, with their hashes (kafka.lock.toml); jars.py fetches and verifies them
    java.py         which Java
    command.py      `leadsync broker`

Nothing of the extra `broker` is imported before a broker is started.
"""

from streams.broker.server import LocalBroker
from streams.broker.unavailable import BrokerUnavailable

__all__ = ["BrokerUnavailable", "LocalBroker"]
