"""A plan as a file, one line for each pair or record: CSV for a spreadsheet, JSON Lines or one JSON document for programs.

It appears under its name only when it is whole. In CSV, a cell that a spreadsheet would take for a formula gets an apostrophe: what
stands there was typed by anybody who ever filled in a form.
"""

from __future__ import annotations

import contextlib
import csv
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import chain, repeat
from pathlib import Path
from typing import TextIO

import msgspec

from streams.instances.bootstrapping.foreseen import Difference
from streams.instances.bootstrapping.plan import PlanLine
from streams.operating.display import said_in_full
from streams.settings import SettingsError

SUFFIXES = (".csv", ".jsonl", ".json")
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")

COLUMNS = (
    "action",
    "marketo_id",
    "dynamics_type",
    "dynamics_id",
    "email",
    "person_key",
    "kept_out",
    "in_conflict",
    "differences",
    "invalid",
    "ambiguous_by",
    "candidates",
)

Write = Callable[[PlanLine], None]


@contextmanager
def plan_file(path: Path) -> Iterator[Write]:
    """Where lines go. Raises SettingsError for a name without a known suffix, or a place that cannot be written."""
    check_file(path)
    unfinished = _unfinished(path)
    try:
        with _private(unfinished) as file, FORMS[path.suffix](file) as write:
            yield write
        unfinished.replace(path)
    except OSError as error:
        raise _not_written(path, error) from None
    finally:
        with contextlib.suppress(OSError):
            unfinished.unlink()


def check_file(path: Path) -> None:
    """Raises SettingsError for a name that does not say what the file shall be, and where none can be written."""
    if path.suffix not in SUFFIXES:
        raise SettingsError(f"--plan {path}: the name must end in one of {', '.join(SUFFIXES)}")
    try:
        _private(_unfinished(path)).close()
        _unfinished(path).unlink()
    except OSError as error:
        raise _not_written(path, error) from None


def _unfinished(path: Path) -> Path:
    return path.with_name(f"{path.name}.unfinished")


def _not_written(path: Path, error: OSError) -> SettingsError:
    return SettingsError(f"--plan {path} cannot be written: {error.strerror or error}")


def _private(path: Path) -> TextIO:
    """A plan names people: only its owner may read it."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    return os.fdopen(descriptor, "w", encoding="utf-8", newline="")


@contextmanager
def _csv(file: TextIO) -> Iterator[Write]:
    writer = csv.writer(file)
    writer.writerow(COLUMNS)

    def write(line: PlanLine) -> None:
        writer.writerow([_cell(line, column) for column in COLUMNS])

    yield write


@contextmanager
def _json_lines(file: TextIO) -> Iterator[Write]:
    def write(line: PlanLine) -> None:
        file.write(f"{_json(line)}\n")

    yield write


@contextmanager
def _json_document(file: TextIO) -> Iterator[Write]:
    marks = chain(("[\n",), repeat(",\n"))

    def write(line: PlanLine) -> None:
        file.write(next(marks) + _json(line))

    yield write
    file.write("\n]\n" if file.tell() else "[]\n")


FORMS: dict[str, Callable[[TextIO], contextlib.AbstractContextManager[Write]]] = {
    ".csv": _csv,
    ".jsonl": _json_lines,
    ".json": _json_document,
}


def _json(line: PlanLine) -> str:
    return msgspec.json.encode(line).decode()


def _cell(line: PlanLine, column: str) -> str:
    value = getattr(line, column)
    if column == "differences":
        text = "; ".join(map(told, line.differences))
    elif column == "invalid":
        text = "; ".join(f"to {each.to}, {each.code}: {each.message}" for each in line.invalid)
    elif column == "candidates":
        text = " ".join(line.candidates)
    elif isinstance(value, bool):
        text = "yes" if value else "no"
    else:
        text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text


def told(difference: Difference) -> str:
    """A difference in one line: `job_title: "CTO" in Marketo, "CIO" in Dynamics, marketo wins (authority)`."""
    result = f"{difference.winner} wins ({difference.why})" if difference.winner else "both stay"
    return f"{difference.field}: {said_in_full(difference.marketo)} in Marketo, {said_in_full(difference.dynamics)} in Dynamics, {result}"
