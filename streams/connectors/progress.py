"""How far a connector has come on its command topics, where some commands wait longer than those behind them.

A group commits one offset of a partition: the first command that has no answer. Which of those behind it have none either is
said in the commit's metadata, so that the connector after this one carries those out again, and no others. An answer that is
out is never worked out anew: its command may be one that the system refused then and would take now, over a later edit.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import msgspec
from aiokafka import TopicPartition
from aiokafka.structs import OffsetAndMetadata

log = logging.getLogger(__name__)

METADATA_CHARACTERS_MAX = 4_000
"""Brokers take 4,096 (`offset.metadata.max.bytes`). What does not fit is given again to the connector after this one."""

_runs = msgspec.json.Decoder(tuple[int, ...])


class Place(NamedTuple):
    """Where a command stands."""

    partition: TopicPartition
    offset: int


class Progress:
    """`resume` each partition first; then `read` each place, and tell `note` of it, once as taken and once as done."""

    def __init__(self) -> None:
        self._next: dict[TopicPartition, int] = {}
        self._last_read: dict[TopicPartition, int] = {}  # in this life
        self._open: defaultdict[TopicPartition, set[int]] = defaultdict(set)
        self._former: defaultdict[TopicPartition, set[int]] = defaultdict(set)  # of `_open`, not read again yet

    def resume(self, partition: TopicPartition, committed: int, metadata: str) -> None:
        """Go on where a commit says that somebody was."""
        following, without_answer = read_commit(committed, metadata)
        self._next[partition] = following
        self._open[partition] = {*without_answer}
        self._former[partition] = {*without_answer}

    def read(self, place: Place) -> bool:
        """Note that a command was read, in their order; whether it is to be taken, having been neither answered nor taken before.

        One that stands where another has been read before is of another topic, which was made anew under that name.
        """
        partition, offset = place
        if offset <= self._last_read.get(partition, -1):
            log.warning("%s[%d] begins again at offset %d: it was made anew, and is read as such", *partition, offset)
            self._next[partition] = offset
            self._open[partition], self._former[partition] = set(), set()
        self._last_read[partition] = offset
        return offset in self._former[partition] or offset >= self._next.get(partition, 0)

    def after(
        self, taken: Iterable[Place] = (), done: Iterable[Place] = ()
    ) -> Mapping[TopicPartition, OffsetAndMetadata]:
        """What is to be committed once these are taken and those done, by partition."""
        following, without_answer = dict(self._next), {**self._open}
        touched: set[TopicPartition] = set()
        for partition, offset in taken:
            touched.add(partition)
            following[partition] = max(following.get(partition, 0), offset + 1)
            without_answer[partition] = without_answer.get(partition, set()) | {offset}
        for partition, offset in done:
            touched.add(partition)
            without_answer[partition] = without_answer.get(partition, set()) - {offset}
        return {each: commit_of(following[each], without_answer[each]) for each in touched}

    def note(self, taken: Collection[Place] = (), done: Collection[Place] = ()) -> None:
        """That is committed."""
        for partition, offset in taken:
            self._next[partition] = max(self._next.get(partition, 0), offset + 1)
            self._open[partition].add(offset)
            self._give_up_what_is_gone(partition, offset)
        for partition, offset in done:
            self._open[partition].discard(offset)

    def still_open(self, places: Iterable[Place]) -> tuple[Place, ...]:
        """Those of them that were taken and have no answer; none of a topic that was made anew since."""
        return tuple(place for place in places if place.offset in self._open.get(place.partition, ()))

    def _give_up_what_is_gone(self, partition: TopicPartition, offset: int) -> None:
        """What stood before a command that is read now, and was not read again itself, is no more."""
        former = self._former[partition]
        if not former:
            return
        gone = {each for each in former if each < offset}
        former -= {*gone, offset}
        if gone:
            log.error("%s[%d]: %d commands that had no answer are gone from the topic", *partition, len(gone))
            self._open[partition] -= gone


def commit_of(following: int, without_answer: Collection[int]) -> OffsetAndMetadata:
    """The first offset without an answer; as its metadata, the next one to read and, run by run, those without an answer.

    The metadata is a JSON array of numbers: how far the next offset is from the committed one; then, for each run, how many
    have an answer before it and how many in it have none.
    """
    if not without_answer:
        return OffsetAndMetadata(following, "")
    runs = list(_runs_of(sorted(without_answer)))
    committed = end = runs[0][0]
    said: list[int] = []
    for begin, length in runs:
        told = [*said, begin - end, length]
        if len(_metadata(following - committed, told)) > METADATA_CHARACTERS_MAX:
            following = begin
            break
        said, end = told, begin + length
    return OffsetAndMetadata(committed, _metadata(following - committed, said))


def _metadata(ahead: int, runs: Sequence[int]) -> str:
    return msgspec.json.encode([ahead, *runs]).decode()


def _runs_of(offsets: Sequence[int]) -> Iterator[tuple[int, int]]:
    begin = end = offsets[0]
    for offset in offsets:
        if offset > end:
            yield begin, end - begin
            begin = end = offset
        end += 1
    yield begin, end - begin


def read_commit(committed: int, metadata: str) -> tuple[int, list[int]]:
    """The next offset to read and those before it without an answer. What is no metadata of ours says nothing."""
    try:
        ahead, *runs = _runs.decode(metadata)
    except (msgspec.DecodeError, ValueError):
        return committed, []
    without_answer: list[int] = []
    end = committed
    for gap, length in zip(runs[::2], runs[1::2], strict=False):
        without_answer += range(end + gap, end + gap + length)
        end += gap + length
    return committed + ahead, without_answer
