"""Activities as sentences, and results as lines."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import get_args

import pytest
from rich.console import Console

import schemas
from schemas.activity import ActivityKind
from streams.codec import decode_activity
from streams.operating import display
from streams.operating.display import print_rows, said, said_in_full, visible
from streams.operating.telling import RULES, SENTENCES, told
from streams.sync.messages import Rule, Value

EXAMPLES = sorted((Path(schemas.__file__).parent / "examples" / "activity" / "v1").glob("*.json"))


def test_every_kind_of_activity_has_its_sentence() -> None:
    """A kind, or a rule, that is added must be told too."""
    assert SENTENCES.keys() == set(get_args(ActivityKind))
    assert RULES.keys() == set(get_args(Rule))


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_the_examples_can_be_told(example: Path) -> None:
    """A sentence says something and leaves no hole where a member was not set."""
    sentence = told(decode_activity(example.read_bytes()))
    assert len(sentence) > 10
    assert "None" not in sentence


def test_a_collision_names_both_values_and_why_one_won() -> None:
    """Who said what, and the winner's reason, in one sentence."""
    [example] = [path for path in EXAMPLES if path.stem == "collision-on-a-lead-won-by-marketo"]
    activity = decode_activity(example.read_bytes())
    assert activity.marketo is not None and activity.dynamics is not None
    sentence = told(activity)
    assert said(activity.marketo.value) in sentence and said(activity.dynamics.value) in sentence
    assert sentence.endswith("marketo won: it has authority")


@pytest.mark.parametrize(
    ("value", "expected"),
    [("7", '"7"'), (7, "7"), (None, "empty"), (True, "true"), (("a", "b"), '["a", "b"]'), ("Ω\x1b", '"Ω\\u001b"')],
)
def test_values_are_told_apart(value: object, expected: str) -> None:
    """Text that looks like a number, and what is empty, cannot be mistaken."""
    assert said(value) == expected  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("J" * 30_000, f'"{"J" * 59}… (30,000 characters)'),
        (("option",) * 500, '["option", "option", "option", "option", "option", "option",… (500 values)'),
        ("J" * 58, f'"{"J" * 58}"'),
    ],
    ids=["text", "multi-select", "just short enough"],
)
def test_of_a_long_value_the_beginning_is_said(value: Value, expected: str) -> None:
    """A text area would fill forty screens; how long it is, is said. The plan's file has the whole."""
    assert said(value) == expected
    assert said_in_full(value) == json.dumps(value)


ROW = ("55e0e23f-a989-5cb8-a723-04bee7569999", "1003", "a message of several words " * 3)


@pytest.mark.parametrize(("width", "heading"), [(63, ["person", ROW[0]]), (80, ["person", "code", "message"])])
def test_keys_and_codes_are_never_broken(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], width: int, heading: list[str]
) -> None:
    """Only prose is wrapped; where the terminal is too narrow for that, each row is a block of lines."""
    screen = Console(width=width, force_terminal=True, color_system=None, file=sys.stdout)
    monkeypatch.setattr(display, "console", lambda: screen)
    print_rows(("person", "code", "message"), [ROW, ROW], prose=("message",))
    shown = capsys.readouterr().out
    assert shown.splitlines()[0].split() == heading
    assert shown.split().count(ROW[0]) == shown.split().count(ROW[1]) == 2


def test_nothing_that_a_terminal_obeys_is_left() -> None:
    """Control characters, line breaks and direction marks are written out; a row stays one row."""
    assert visible("a\tb\n\x1b[2J\u202e") == r"a\tb\n\x1b[2J\u202e"
