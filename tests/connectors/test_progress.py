"""How far a connector has come: whoever comes after it is given every command without an answer, and none with one."""

from __future__ import annotations

import logging
import random

import pytest
from aiokafka import TopicPartition
from hypothesis import given
from hypothesis import strategies as st

from streams.connectors import progress as progress_module
from streams.connectors.progress import Place, Progress, commit_of, read_commit

HERE = TopicPartition("dynamics.commands", 0)
OFFSETS_MAX = 60


def places(*offsets: int) -> tuple[Place, ...]:
    return tuple(Place(HERE, offset) for offset in offsets)


class Life:
    """One connector, from its start on; `committed` is what the broker holds of it."""

    def __init__(self, former: Life | None = None) -> None:
        self.progress = Progress()
        self.committed = (0, "") if former is None else former.committed
        self.progress.resume(HERE, *self.committed)
        self.position = self.committed[0]

    def read(self, offset: int) -> bool:
        """Whether a command that stands there is given; taken, if it is."""
        assert offset >= self.position
        self.position = offset + 1
        if not self.progress.read(Place(HERE, offset)):
            return False
        self._write(taken=places(offset))
        return True

    def answer(self, offset: int) -> None:
        self._write(done=places(offset))

    def _write(self, taken: tuple[Place, ...] = (), done: tuple[Place, ...] = ()) -> None:
        self.committed = self.progress.after(taken, done)[HERE]
        self.progress.note(taken, done)


@given(st.integers(0, 2**32), st.sampled_from([10, 30, 4_000]))
def test_each_command_is_given_until_it_has_its_answer(seed: int, characters_max: int) -> None:
    """Over lives that end anywhere. Where a commit can say little, some are given again; none is ever passed over."""
    source, before = random.Random(seed), progress_module.METADATA_CHARACTERS_MAX
    progress_module.METADATA_CHARACTERS_MAX = characters_max
    try:
        there = sorted(source.sample(range(OFFSETS_MAX), 40))  # markers take offsets too
        answered: set[int] = set()
        life, at_hand = Life(), set[int]()
        while answered < {*there}:
            if source.random() < 0.05:
                life, at_hand = Life(life), set()
            unread = [offset for offset in there if offset >= life.position]
            if unread and source.random() < 0.6:
                if life.read(unread[0]):
                    at_hand.add(unread[0])
                    assert characters_max < 4_000 or unread[0] not in answered
                else:
                    assert unread[0] in answered
            elif at_hand:
                done = source.choice(sorted(at_hand))
                at_hand.remove(done)
                life.answer(done)
                answered.add(done)
        if life.position > there[-1] and characters_max == 4_000:
            assert life.committed == (there[-1] + 1, "")
    finally:
        progress_module.METADATA_CHARACTERS_MAX = before


@given(st.sets(st.integers(0, 3_000), min_size=1, max_size=700), st.integers(0, 50))
def test_a_commit_reads_back_as_written(without_answer: set[int], more: int) -> None:
    """As many as a connector can have at hand find room."""
    following = max(without_answer) + 1 + more
    offset, metadata = commit_of(following, without_answer)
    assert offset == min(without_answer) and len(metadata) <= 4_096
    assert read_commit(offset, metadata) == (following, sorted(without_answer))


@pytest.mark.parametrize("metadata", ["", "[]", "faust", '["a"]', "{}", "[1.5]", "\x00"])
def test_metadata_of_somebody_else_says_nothing(metadata: str) -> None:
    """A commit of a connector before this way, or of a tool that moved the group."""
    assert read_commit(7, metadata) == (7, [])


def test_what_is_gone_from_the_topic_holds_nobody_back(caplog: pytest.LogCaptureFixture) -> None:
    """Commands are kept for days; one that waited for longer than that is told of once, and the commit goes on."""
    life = Life()
    for offset in range(4):
        life.read(offset)
    life.answer(2)
    after = Life(life)
    assert after.committed[0] == 0
    with caplog.at_level(logging.ERROR):
        assert after.read(3)
    assert "2 commands that had no answer are gone" in caplog.text
    after.answer(3)
    assert after.committed == (4, "")


def test_a_topic_that_is_made_anew_is_read_from_its_beginning(caplog: pytest.LogCaptureFixture) -> None:
    """Its commands stand at the offsets of others that have their answers; what was left of those is answered all the same."""
    life = Life()
    for offset in range(5):
        life.read(offset)
    for offset in range(4):
        life.answer(offset)
    life.position = 0
    assert [life.read(offset) for offset in range(3)] == [True] * 3 and "was made anew" in caplog.text
    life.answer(4)
    life.answer(1)
    assert life.committed[0] == 0
    after = Life(life)
    assert [after.read(offset) for offset in range(4)] == [True, False, True, True]
