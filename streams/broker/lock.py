"""The lock file: which jars make the broker, each with its size and SHA-256.

The file is read with the standard library alone, so that its Kafka version is known without the extra `broker`
(a test holds docker-compose.yml to it). It is written by `python -m streams.broker.lock`, which resolves ROOTS with jgo;
to upgrade, change ROOTS, run that, and read the difference.
"""

from __future__ import annotations

import hashlib
import sys
import tempfile
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

LOCK_FILE = Path(__file__).with_name("kafka.lock.toml")

# Kafka 4 speaks slf4j 1.7 (a 2.x binding finds no logger). `simple` rather than `nop`: with nop, a broker that
# refuses its settings or its port dies without a word.
ROOTS = ("org.apache.kafka:kafka_2.13:4.3.0", "org.slf4j:slf4j-simple:1.7.36")

HEADER = "# The jars of `leadsync broker`. Written by `python -m streams.broker.lock`; don't edit.\n"


@dataclass(frozen=True)
class Jar:
    coordinate: str
    size_bytes: int
    sha256: str

    @property
    def group(self) -> str:
        return self.coordinate.split(":")[0]

    @property
    def artifact(self) -> str:
        return self.coordinate.split(":")[1]

    @property
    def version(self) -> str:
        return self.coordinate.split(":")[2]

    @property
    def filename(self) -> str:
        return f"{self.artifact}-{self.version}.jar"


def read_lock(path: Path = LOCK_FILE) -> tuple[Jar, ...]:
    entries = tomllib.loads(path.read_text(encoding="utf-8"))["jar"]
    return tuple(Jar(**entry) for entry in entries)


def kafka_version() -> str:
    return next(jar.version for jar in read_lock() if jar.artifact == "kafka_2.13")


def render(jars: Iterable[Jar]) -> str:
    """One table per jar, sorted, so that an upgrade reads as a short difference."""
    entries = (
        f'\n[[jar]]\ncoordinate = "{jar.coordinate}"\nsize_bytes = {jar.size_bytes}\nsha256 = "{jar.sha256}"\n'
        for jar in sorted(jars, key=lambda jar: jar.coordinate)
    )
    return HEADER + "".join(entries)


def resolve(roots: Iterable[str], store: Path) -> list[Jar]:
    """Ask jgo for all jars that `roots` need at run time; the hashes are of what was downloaded just now."""
    from jgo.maven import MavenContext

    from streams.broker.jars import repositories

    context = MavenContext(repo_cache=store, remote_repos=repositories())
    inputs, transitive = context.resolver.resolve([context.create_dependency(root) for root in roots])
    found = [*inputs, *(dependency for dependency in transitive if dependency.scope in ("compile", "runtime"))]
    return [_jar(dependency.artifact.resolve(), dependency) for dependency in found]


def _jar(path: Path, dependency: object) -> Jar:
    coordinate = ":".join(str(getattr(dependency, part)) for part in ("groupId", "artifactId", "version"))
    content = path.read_bytes()
    return Jar(coordinate, len(content), hashlib.sha256(content).hexdigest())


def main() -> None:
    with tempfile.TemporaryDirectory() as store:
        jars = resolve(ROOTS, Path(store))
    LOCK_FILE.write_text(render(jars), encoding="utf-8")
    sys.stderr.write(f"{LOCK_FILE.name}: {len(jars)} jars, {sum(jar.size_bytes for jar in jars) / 1e6:.0f} MB\n")


if __name__ == "__main__":
    main()
