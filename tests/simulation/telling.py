"""A world's story in words: what happened, line by line, with short names for long ids."""

from __future__ import annotations

import re
from collections import Counter

from streams.sync.messages import Activity, ApplyCommand, ApplyResult, PersonChange

ID = re.compile(
    r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b"  # a person key, a lead or a contact
    r"|\b1000\d{3}\b"  # a Marketo person
)

MARKETO_ID_CHARACTERS_MAX = 10
REQUEST = frozenset({"action", "sync_as", "campaign"})


def told_command(command: ApplyCommand) -> str:
    """A command in a line."""
    where = "" if command.record is None else f" {command.record.type} {command.record.id}"
    expected = "" if command.expected is None else f" expecting {dict(command.expected)}"
    return f"{command.operation} r{command.revision} {command.system}{where} {dict(command.fields or {})}{expected}"


def told_result(result: ApplyResult) -> str:
    """An answer in a few words."""
    detail = {"gone": result.gone, "refused": f"{result.code} {result.field}"}.get(result.answer, "")
    return f"{result.answer} {detail}".strip()


def told_change(change: PersonChange) -> str:
    """A change in a line; of a row, what is not empty."""
    fields = {
        name: value for name, value in (change.fields or {}).items() if value is not None or change.scope != "row"
    }
    return f"{told_heading(change)} {fields or ''}".rstrip()


def told_heading(change: PersonChange) -> str:
    """What it is, of whom, and what it says of our fields."""
    words = [change.person_key, change.system, change.kind]
    words += [f"{change.record.type} {change.record.id}"] if change.record is not None else []
    for name in (
        "version",
        "revision",
        "creation",
        "who",
        "answer",
        "code",
        "syncable",
        "action",
        "sync_as",
        "campaign",
    ):
        value = getattr(change, name)
        words += (
            [f"{name}={value}"]
            if value not in (None, True) and (change.kind == "requested" or name not in REQUEST)
            else []
        )
    words += [f"gone={change.gone}"] if change.answer == "gone" else []
    return " ".join(words)


def told_activity(activity: Activity) -> str:
    """An entry of somebody's log in a line."""
    what = activity.field or activity.message or ""
    sides = [f"{each.value!r}" for each in (activity.marketo, activity.dynamics) if each is not None]
    against = " against ".join(sides) + (f", {activity.winner} wins" if activity.winner else "")
    return f"{activity.kind} {what} {against}".strip()


class ShortNames:
    """Names that a reader can keep apart, given in the order in which the ids come up."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        self._counts: Counter[str] = Counter()

    def shortened(self, line: str) -> str:
        """The line with each id replaced."""
        return ID.sub(lambda found: self._name(found[0]), line)

    def _name(self, id: str) -> str:
        name = self._names.get(id)
        if name is None:
            kind = "M" if len(id) < MARKETO_ID_CHARACTERS_MAX else "P" if id[14] == "5" else "D"
            self._counts[kind] += 1
            name = self._names[id] = f"{kind}{self._counts[kind]}"
        return name
