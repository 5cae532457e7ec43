"""The broker's jars, from the user's cache or, once, from the Maven repositories that jgo is set up for.

A jar enters the cache only whole and with the hash of the lock file: it is fetched to a folder of its own, checked, and
renamed. Every start hashes the cache again (43 MB, about a tenth of a second), so a damaged file is noticed, named and
fetched anew instead of failing somewhere inside Java.
"""

from __future__ import annotations

import hashlib
import logging
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Any

from streams.broker.lock import Jar, kafka_version, read_lock
from streams.broker.progress import Progress, shown
from streams.broker.unavailable import INSTALL, BrokerUnavailable

_log = logging.getLogger(__name__)

FETCHES_AT_ONCE = 6
ATTEMPTS_MAX = 3
TIMEOUT_SECONDS = 10


def cache_dir() -> Path:
    """Where this platform keeps what can be fetched again."""
    if chosen := os.environ.get("XDG_CACHE_HOME"):
        return Path(chosen) / "leadsync" / "jars"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "leadsync" / "jars"
    return Path.home() / ".cache" / "leadsync" / "jars"


def repositories() -> dict[str, str]:
    """The repositories of jgo's own settings file (a mirror, say), else jgo's default, Maven Central."""
    from jgo.config import GlobalSettings
    from jgo.constants import MAVEN_CENTRAL_URL

    return dict(GlobalSettings.load().repositories) or {"central": MAVEN_CENTRAL_URL}


def ensure_jars(progress: Progress | bool | None = None, cache: Path | None = None) -> list[Path]:
    """The class path, every file on it just verified; fetches what is missing or damaged."""
    cache = cache or cache_dir()
    jars = read_lock()
    with ThreadPoolExecutor(FETCHES_AT_ONCE) as pool:
        whole = list(pool.map(lambda jar: is_whole(cache / jar.filename, jar), jars))
    missing = [jar for jar, found in zip(jars, whole, strict=True) if not found]
    if missing:
        _warn_of_damage(missing, cache)
        _fetch_all(missing, cache, progress)
    return [cache / jar.filename for jar in jars]


def is_whole(path: Path, jar: Jar) -> bool:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == jar.sha256
    except OSError:
        return False


def _warn_of_damage(missing: Sequence[Jar], cache: Path) -> None:
    for jar in missing:
        if (cache / jar.filename).exists():
            _log.warning("%s is damaged (not the locked SHA-256); fetching it again", cache / jar.filename)


def _fetch_all(missing: Sequence[Jar], cache: Path, progress: Progress | bool | None) -> None:
    try:
        context_of = _maven_contexts()
    except ImportError as error:
        raise BrokerUnavailable(
            f"the extra `broker` is not installed ({(error.name or 'jgo').partition('.')[0]} is missing)", INSTALL
        ) from error
    total_bytes = sum(jar.size_bytes for jar in missing)
    what = f"fetching Apache Kafka {kafka_version()} ({total_bytes / 1e6:.0f} MB, once)"
    try:
        cache.mkdir(parents=True, exist_ok=True)
        # Beside the cache, so that the rename is atomic; of its own, so that two processes never share a half file.
        with tempfile.TemporaryDirectory(prefix=".fetching-", dir=cache) as staging, shown(what, progress) as update:
            context = context_of(Path(staging), _summed(update, total_bytes))
            _in_parallel(lambda jar: _fetch(jar, context, cache), missing)
    except OSError as error:
        raise BrokerUnavailable(f"Kafka's jars are not in {cache} and can't be put there ({error})") from error


def _in_parallel(fetch: Callable[[Jar], None], jars: Sequence[Jar]) -> None:
    """The first failure drops what has not begun: without a connection, one time-out is enough."""
    with ThreadPoolExecutor(FETCHES_AT_ONCE) as pool:
        try:
            for done in [pool.submit(fetch, jar) for jar in jars]:
                done.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _maven_contexts() -> Callable[[Path, Callable[[int], None]], Any]:
    """Raises ImportError where the extra is missing, before anything is touched."""
    from jgo.maven import MavenContext, PythonResolver

    def context(store: Path, arrived: Callable[[int], None]) -> Any:
        @contextmanager
        def per_file(_filename: str, _size_bytes: int) -> Iterator[Callable[[int], None]]:
            yield arrived

        resolver = PythonResolver(progress_callback=per_file)
        return MavenContext(resolver, repo_cache=store, remote_repos=repositories(), timeout=TIMEOUT_SECONDS)

    return context


def _summed(update: Progress, total_bytes: int) -> Callable[[int], None]:
    lock, done_bytes = Lock(), 0

    def arrived(more_bytes: int) -> None:
        nonlocal done_bytes
        with lock:
            done_bytes += more_bytes
            update(done_bytes, total_bytes)

    return arrived


def _fetch(jar: Jar, context: Any, cache: Path) -> None:
    artifact = context.project(jar.group, jar.artifact).at_version(jar.version).artifact()
    path = _download(artifact, jar)
    if not is_whole(path, jar):
        raise BrokerUnavailable(f"{jar.coordinate} as downloaded has not the SHA-256 of the lock file")
    path.replace(cache / jar.filename)


def _download(artifact: Any, jar: Jar) -> Path:
    """jgo writes in place and gives up at once: clear what a broken attempt left, and try again."""
    for attempt in range(1, ATTEMPTS_MAX + 1):
        try:
            return Path(artifact.resolve())
        except (OSError, RuntimeError) as error:  # requests' exceptions are OSErrors; "not found" is a RuntimeError
            artifact.cached_path.unlink(missing_ok=True)
            if attempt == ATTEMPTS_MAX:
                raise BrokerUnavailable(
                    f"{jar.filename} is not cached in {cache_dir()} and can't be fetched ({_brief(error)})", INSTALL
                ) from error
    raise AssertionError("unreachable: the last attempt returns or raises")


def _brief(error: Exception) -> str:
    """The root of a chain of requests and urllib3 wrappers, which else fills a screen."""
    if isinstance(error, RuntimeError):
        return "not found in the repositories"
    return type(error).__name__
