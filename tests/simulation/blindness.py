"""Streams without our fields, as simple producers write them: no revision, no number of a creation, nobody's name."""

from __future__ import annotations

from msgspec.structs import replace

from streams.demo.record import Published
from streams.sync.messages import ApplyResult


def without_our_fields(published: Published) -> Published:
    """The change as such a producer tells it; the person it stands for is told of all the same."""
    return Published(published.stream, replace(published.change, revision=None, creation=None, who=None))


def answered_blindly(result: ApplyResult) -> ApplyResult:
    """The answer of an applier to which the record does not show our fields."""
    row = result.row
    return result if row is None else replace(result, row=replace(row, revision=None, creation=None, who=None))
