"""The rules of the house, each with what to do instead."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CORE = ROOT / "streams" / "sync"
CORE_MAY_IMPORT = {
    "__future__",
    "collections",
    "typing",
    "datetime",
    "re",
    "json",
    "math",
    "operator",
    "decimal",
    "msgspec",
    "schemas",
}
SHELL_ONLY = ("faust", "mode", "aiokafka", "asyncio", "logging", "os", "time", "random", "uuid", "socket")
VAGUE_NAMES = {"utils", "helpers", "manager", "process", "data", "common", "misc"}
LINES_MAX = 320
HOSTS = re.compile(
    r"pypi\.org|files\.pythonhosted|repo1?\.maven|npmjs\.(org|com)|proxy\.golang|/work/|/root/|/tmp/lsvenv"
)


def modules(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*.py")) if "__pycache__" not in path.parts)


def imported(path: Path) -> set[str]:
    """The modules that a file imports, with their packages."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


@pytest.mark.parametrize("path", list(modules(CORE)), ids=lambda path: path.name)
def test_the_core_is_pure(path: Path) -> None:
    """It decides; the shell acts. What it needs of the world comes in as an argument."""
    roots = {name.split(".")[0] for name in imported(path)}
    strangers = roots - CORE_MAY_IMPORT - {"streams"}
    assert not strangers, f"{path.name} imports {strangers}: pass what it needs as an argument instead"
    outside = {name for name in imported(path) if name.startswith("streams.") and not name.startswith("streams.sync")}
    assert not outside, f"{path.name} imports {outside}: the core imports nothing of the shell"
    assert not re.search(r"datetime\.now|\.today\(|\bopen\(|\bprint\(", path.read_text())


@pytest.mark.parametrize("path", list(modules(ROOT / "schemas")), ids=lambda path: path.name)
def test_the_contracts_import_nothing_of_ours(path: Path) -> None:
    """Other teams may take `schemas` as it is."""
    ours = {name for name in imported(path) if name.split(".")[0] in ("streams", "tests")}
    assert not ours, f"{path.name} imports {ours}: the contracts come first, move what is shared into schemas"


def test_modules_are_short_and_say_what_they_are() -> None:
    """A module that cannot be read at one sitting has more than one subject."""
    for path in [*modules(ROOT / "schemas"), *modules(ROOT / "streams")]:
        lines = path.read_text().count("\n")
        assert lines <= LINES_MAX, f"{path.relative_to(ROOT)} has {lines} lines: give its second subject a module"
        assert path.stem not in VAGUE_NAMES, f"{path.relative_to(ROOT)}: name it after what it holds"
        assert ast.get_docstring(ast.parse(path.read_text())) or not path.read_text().strip(), (
            f"{path} has no docstring"
        )


def test_nothing_names_a_machine_or_a_registry() -> None:
    """The project installs anywhere, by package name, with whatever index the user has set up."""
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False).stdout.split()
    named = [
        name
        for name in tracked
        if name != "tests/test_house_rules.py" and HOSTS.search((ROOT / name).read_text(errors="replace"))
    ]
    assert not named, f"{named} name a machine's path or a registry's host"


def test_imports_run_one_way() -> None:
    """schemas, then the core, then what the agents stand on, then the app, then the commands."""
    for path in modules(ROOT / "streams" / "lane"):
        above = {name for name in imported(path) if name.startswith("streams.") and not name.startswith("streams.lane")}
        assert not above, f"{path.name} imports {above}: the lane knows nothing of persons"
    below = [ROOT / "streams" / f"{name}.py" for name in ("intake", "codec", "policies", "tally", "topics", "metrics")]
    for path in (*below, *modules(ROOT / "streams" / "agents")):
        above = imported(path) & {"streams.app", "streams.worker", "streams.cli"}
        assert not above, f"{path.name} imports {above}: what is above it"
