"""The producers of a demo under chaos: out of order between records, never within one, and everything at least once."""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict
from typing import Any

from streams.demo.chaos.disorder import DisorderlySender, Habits
from streams.demo.record import Published
from streams.settings import Security, Settings
from streams.sync.messages import Record, SourceChange

SETTINGS = Settings("127.0.0.1:1", "t.", security=Security())
STREAMS, CHANGES = 20, 10


class Broker:
    """Takes what the producer is given, at once."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, int]] = []

    async def send(self, topic: str, value: bytes, key: bytes, headers: Any) -> Any:
        name, _, number = dict(headers)["ce_id"].decode().rpartition("/")
        self.taken.append((name, int(number)))
        return asyncio.get_running_loop().create_future()


async def sent_by(habits: Habits, monkeypatch: Any) -> tuple[DisorderlySender, list[tuple[str, int]]]:
    """What reaches the broker of so many changes of so many records, told in turn."""
    monkeypatch.setattr("streams.demo.wire.AIOKafkaProducer", lambda **_: broker)
    broker = Broker()
    sender = DisorderlySender(SETTINGS, random.Random(1), habits)
    for number in range(CHANGES):
        for stream in map(str, range(STREAMS)):
            record = Record("marketo", "person", stream)
            change = SourceChange(change_id=f"{stream}/{number}", kind="deleted", record=record, version=number)
            await sender.changes([("marketo", Published(stream, change))])
    async with asyncio.timeout(10):
        while sender.unanswered > sender.sent:
            await sender.pass_on()
            await asyncio.sleep(0)
    return sender, broker.taken


def first_times(taken: list[tuple[str, int]]) -> dict[str, list[int]]:
    """Of each record, its changes in the order in which they came for the first time."""
    found: defaultdict[str, list[int]] = defaultdict(list)
    for stream, number in taken:
        if number not in found[stream]:
            found[stream].append(number)
    return found


async def test_a_record_s_changes_keep_their_order_and_none_is_lost(monkeypatch: Any) -> None:
    """However much is held back and mixed up."""
    habits = Habits(held_back=0.5, held_back_seconds=(0.0, 0.02), repeated=0.3, repeated_seconds=(0.0, 0.05))
    sender, taken = await sent_by(habits, monkeypatch)
    assert first_times(taken) == {str(stream): list(range(CHANGES)) for stream in range(STREAMS)}
    assert len(taken) == STREAMS * CHANGES + sender.repeated
    assert sender.repeated > 0 and sender.reordered > 0


async def test_what_waits_counts_as_not_taken_yet(monkeypatch: Any) -> None:
    """Else a demo would take it for quiet."""
    monkeypatch.setattr("streams.demo.wire.AIOKafkaProducer", lambda **_: Broker())
    sender = DisorderlySender(SETTINGS, random.Random(1), Habits(held_back=1.0, held_back_seconds=(60.0, 60.0)))
    change = SourceChange(change_id="1/0", kind="deleted", record=Record("marketo", "person", "1"), version=1)
    await sender.changes([("marketo", Published("1", change))])
    await sender.pass_on()
    assert sender.unanswered == 1 and sender.sent == 0
