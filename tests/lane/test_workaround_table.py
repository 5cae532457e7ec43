"""streams/workarounds.md against the code: what it names exists, and what we override or put into foreign modules is named."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from streams.broker.lock import kafka_version
from streams.lane.versions import TESTED

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "streams" / "workarounds.md").read_text(encoding="utf-8")
TELLING = ("tests/lane/test_workarounds.py", "tests/lane/test_workarounds_on_kafka.py", "tests/broker/test_fencing.py")
FOREIGN = ("faust", "mode", "aiokafka")
PUBLIC = ("_replace", "_asdict", "_exit")
PLACE = re.compile(r"`((?:streams|tests)/[\w/]+\.py):([\w.]+)`")
LINK = re.compile(r"\[([\w/.-]*)#(\d+)\]\(https://github\.com/([\w.-]+/[\w.-]+)/(?:issues|pull)/(\d+)\)")


def rows() -> list[list[str]]:
    """The rows of all tables, without their heads."""
    lines = [line for line in PAGE.splitlines() if line.startswith("| ")]
    return [
        [cell.strip() for cell in line.strip("|").split(" | ")]
        for line in lines
        if not line.startswith(("| what", "| ---"))
    ]


ROWS = rows()
each_row = pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0][:60])


@cache
def parsed(path: str) -> ast.Module:
    return ast.parse((ROOT / path).read_text(encoding="utf-8"))


def exists(path: str, name: str) -> bool:
    """Whether a module has this function, class or method."""
    body: list[ast.stmt] = parsed(path).body if (ROOT / path).exists() else []
    for part in name.split("."):
        found = [node for node in body if getattr(node, "name", None) == part]
        if not found:
            return False
        body = getattr(found[0], "body", [])
    return True


@each_row
def test_a_row_says_what_since_where_and_by_what_it_is_held(row: list[str]) -> None:
    """Four cells, none of them empty, and the last two name places that exist."""
    assert len(row) == 4 and all(row)
    for cell in row[2:]:
        places = PLACE.findall(cell)
        assert places, f"name a place as `path.py:name` in {cell!r}"
        missing = [f"{path}:{name}" for path, name in places if not exists(path, name)]
        assert not missing, f"{missing} is no more: mend the row, or strike it out if the workaround went too"
    assert all(path.startswith("streams/") for path, _ in PLACE.findall(row[2]))
    assert all(path.startswith("tests/") for path, _ in PLACE.findall(row[3]))


@each_row
def test_a_row_names_its_thread_or_says_that_there_is_none(row: list[str]) -> None:
    """By a link whose text and address agree; a bare number belongs to the repository named before it."""
    links = LINK.findall(row[1])
    assert links or row[1] in ("none found", "by design (KIP-98)"), f"{row[1]!r}: a link, or `none found`"
    named = ""
    for repository, number, address, number_there in links:
        named = repository or named
        assert (named, number) == (address, number_there)


def test_every_test_of_a_workaround_stands_in_a_row() -> None:
    """Who reads the test finds the reason, and the other way round."""
    tests = {
        f"{path}:{node.name}"
        for path in TELLING
        for node in parsed(path).body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")
    }
    named = {":".join(place) for place in PLACE.findall(PAGE)}
    assert not tests - named, "give them a row in streams/workarounds.md"


def modules() -> Iterator[Path]:
    return (path for path in sorted((ROOT / "streams").rglob("*.py")) if "__pycache__" not in path.parts)


def foreign_names(module: ast.Module) -> set[str]:
    """Names that a module has from Faust, mode or aiokafka."""
    found = set()
    for node in ast.walk(module):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in FOREIGN:
            found |= {alias.asname or alias.name for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names if alias.name.split(".")[0] in FOREIGN}
    return found


def root_of(node: ast.expr) -> str:
    """`driver` of `driver.Consumer`, `Request` of `Request[Struct]`."""
    while isinstance(node, ast.Attribute | ast.Subscript):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


def overrides(module: ast.Module) -> Iterator[str]:
    """Classes that are made of foreign ones, and foreign attributes that are set."""
    names = foreign_names(module)
    for node in ast.walk(module):
        if isinstance(node, ast.ClassDef) and any(root_of(base) in names for base in node.bases):
            yield node.name
        elif isinstance(node, ast.Assign):
            for target in node.targets:
                if isinstance(target, ast.Attribute) and root_of(target) in names:
                    yield ast.unparse(target)


def test_whatever_we_override_or_put_into_a_foreign_module_is_named() -> None:
    """A new release may do without it, or break it: whoever upgrades begins with this page."""
    found = {name: path for path in modules() for name in overrides(ast.parse(path.read_text(encoding="utf-8")))}
    strangers = {
        f"{path.relative_to(ROOT)}: {name}" for name, path in found.items() if not re.search(rf"\b{name}\b", PAGE)
    }
    assert len(found) > 10
    assert not strangers, "name them in streams/workarounds.md"


def reaches_in(module: ast.Module) -> set[str]:
    """Private attributes of others."""
    return {
        ast.unparse(node)
        for node in ast.walk(module)
        if isinstance(node, ast.Attribute)
        and re.match(r"_[a-z]", node.attr)
        and node.attr not in PUBLIC
        and not (isinstance(node.value, ast.Name) and node.value.id in ("self", "cls"))
    }


def test_whoever_reaches_into_foreign_objects_has_a_row() -> None:
    """What has no public name is gone without notice one day."""
    here = {path for row in ROWS for path, _ in PLACE.findall(row[2])}
    reaching = [path.relative_to(ROOT) for path in modules() if path.parent.name == "lane" or _is_of_kafka(path)]
    found = {str(path): inside for path in reaching if (inside := reaches_in(parsed(str(path))))}
    assert len(found) > 5
    assert found.keys() <= here, "name the place in streams/workarounds.md"


def _is_of_kafka(path: Path) -> bool:
    return bool(foreign_names(parsed(str(path.relative_to(ROOT)))))


def test_the_page_says_with_which_versions() -> None:
    """They are pinned; a row that was true of another one may be true no more."""
    for name, version in [*TESTED.items(), ("Apache Kafka", kafka_version())]:
        assert f"{name} {version}" in " ".join(PAGE.split())
