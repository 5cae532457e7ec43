"""YAML as a tree that knows where everything stands, and says no to what a policy has no use for.

Built from ruamel.yaml's node graph rather than from its loaded objects: there every duplicate key is still to be seen, a
scalar is the text that was typed, and nothing has been constructed. Values are YAML 1.2's: `yes` and `no` are words,
dates and numbers with leading zeros are text. Anchors, aliases, merge keys and tags are refused: they hide what holds.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, ScalarNode, SequenceNode
from ruamel.yaml.reader import ReaderError

from schemas.limits import POLICY_TEXT_BYTES_MAX
from streams.policy.mistakes import START, Place, Report, quoted

Scalar = str | int | float | bool | None

_INTEGER = re.compile(r"-?(0|[1-9][0-9]{0,18})")
_DECIMAL = re.compile(r"-?(0|[1-9][0-9]{0,18})\.[0-9]{1,18}")
_WORDS: Mapping[str, Scalar] = {"true": True, "false": False, "null": None, "~": None, "": None}
_TAG = "tag:yaml.org,2002:"


@dataclass(frozen=True)
class Leaf:
    place: Place
    value: Scalar


@dataclass(frozen=True)
class Items:
    place: Place
    items: tuple[Node, ...]


@dataclass(frozen=True)
class Entry:
    """A key and what stands under it."""

    place: Place
    node: Node


@dataclass(frozen=True)
class Section:
    place: Place
    entries: Mapping[str, Entry]


Node = Leaf | Items | Section


def shown(node: Node) -> str:
    """What was found, as a mistake says it."""
    if isinstance(node, Leaf):
        return f"found {quoted(node.value)}"
    return "found a list" if isinstance(node, Items) else "found a section of settings"


def read_yaml(text: str, report: Report) -> Section | None:
    """The file's settings; None, with the mistakes told, where it has no readable ones."""
    size_bytes = len(text.encode("utf-8", "surrogatepass"))
    if size_bytes > POLICY_TEXT_BYTES_MAX:
        report.mistake(START, f"found {size_bytes} bytes", f"at most {POLICY_TEXT_BYTES_MAX} bytes in one file")
        return None
    root = _composed(text, report)
    if isinstance(root, Section) or root is None:
        return root
    report.mistake(root.place, shown(root), "settings, each as `name: value`")
    return None


def _composed(text: str, report: Report) -> Node | None:
    try:
        root = YAML(typ="rt", pure=True).compose(text)
    except MarkedYAMLError as error:
        report.mistake(_place_of_error(error), f"not readable as YAML: {error.problem}", _context(error))
    except ReaderError as error:
        report.mistake(_place_at(text, error.position), "found a character that YAML does not allow", "printable text")
    except RecursionError:
        report.mistake(START, "found settings within settings without end", "settings, nested four deep at most")
    except (YAMLError, ValueError) as error:
        report.mistake(START, f"not readable as YAML: {error}", "settings, each as `name: value`")
    else:
        if root is not None:
            return _node(root, report)
        report.mistake(START, "found an empty file", "settings, each as `name: value`")
    return None


def _place_of_error(error: MarkedYAMLError) -> Place:
    mark = error.problem_mark or error.context_mark
    return START if mark is None else Place(mark.line + 1, mark.column + 1)


def _place_at(text: str, position: int) -> Place:
    before = text[:position]
    return Place(before.count("\n") + 1, position - (before.rfind("\n") + 1) + 1)


def _context(error: MarkedYAMLError) -> str:
    """YAML's own words for what it was reading, with the usual cause."""
    reading = f" ({error.context})" if error.context else ""
    return f"`name: value` lines, indented alike with spaces, text with special characters in quotes{reading}"


def _node(node: object, report: Report, key_place: Place | None = None) -> Node:
    assert isinstance(node, (ScalarNode, SequenceNode, MappingNode))
    place = Place(node.start_mark.line + 1, node.start_mark.column + 1)
    if key_place and node.start_mark.index == node.end_mark.index:
        place = key_place  # where nothing was typed, YAML's own mark is already at the next thing
    if node.anchor is not None:
        report.mistake(place, f"found an anchor or alias {quoted(node.anchor)}", "the value itself, written out")
        return Leaf(place, None)
    if not str(node.tag).startswith(_TAG):
        report.mistake(place, f"found the tag {quoted(str(node.tag))}", "values without tags")
        return Leaf(place, None)
    if isinstance(node, ScalarNode):
        return Leaf(place, _scalar(node))
    if isinstance(node, SequenceNode):
        return Items(place, tuple(_node(item, report) for item in node.value))
    return _section(node, place, report)


def _scalar(node: ScalarNode) -> Scalar:
    text = str(node.value)
    if node.style in ("'", '"', "|", ">"):
        return text
    if text.lower() in _WORDS:
        return _WORDS[text.lower()]
    if _INTEGER.fullmatch(text):
        return int(text)
    return float(text) if _DECIMAL.fullmatch(text) else text


def _section(node: MappingNode, place: Place, report: Report) -> Section:
    entries: dict[str, Entry] = {}
    for key, value in node.value:
        key_place = Place(key.start_mark.line + 1, key.start_mark.column + 1)
        name = key.value if isinstance(key, ScalarNode) else None
        if not isinstance(name, str) or str(key.tag) == f"{_TAG}merge":
            report.mistake(key_place, "found a key that is no plain name", "a name followed by a colon")
        elif name in entries:
            first = entries[name].place.line
            report.mistake(key_place, f"found {quoted(name)} a second time", f"each name once (line {first} has it)")
        else:
            entries[name] = Entry(key_place, _node(value, report, key_place))
    return Section(place, entries)
