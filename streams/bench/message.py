"""What is written to the subjects: a system's word as a message on its topic, and messages that nobody can read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import cycle
from typing import Literal, NamedTuple

from schemas.vocabulary import System
from streams import cloudevents
from streams.codec import encode
from streams.sync.messages import ApplyResult, SourceChange

SOURCE = cloudevents.source_of("bench")
SOURCE_CHANGE = cloudevents.type_of("source-change/1")
APPLY_RESULT = cloudevents.type_of("apply-result/1")

Sort = Literal["change", "answer", "bad"]


class Shown(NamedTuple):
    """One change in a record's stream."""

    system: System
    stream: str
    change: SourceChange


class Message(NamedTuple):
    """What goes to Kafka; `topic` by its name in the topic table."""

    topic: str
    key: bytes
    value: bytes | None
    headers: list[tuple[str, bytes]]
    sort: Sort


def message_of(word: Shown | ApplyResult) -> Message:
    """A change, or an answer to a command, as its producer writes it."""
    if isinstance(word, Shown):
        change = word.change
        headers = cloudevents.headers(change.change_id, SOURCE_CHANGE, SOURCE, change.time)
        return Message(f"{word.system}.changes", word.stream.encode(), encode(change), list(headers), "change")
    headers = cloudevents.headers(word.result_id, APPLY_RESULT, SOURCE, word.time)
    return Message(f"{word.system}.results", word.person_key.encode(), encode(word), list(headers), "answer")


SPOILS: tuple[Callable[[bytes], bytes | None], ...] = (
    lambda body: body[: len(body) // 2],  # cut off
    lambda body: body.replace(b'"source-change/1"', b'"source-change/99"'),
    lambda body: body.replace(b'"record":{', b'"recorded":{'),  # what it is about is missing
    lambda body: body.replace(b'"version":', b'"version":-'),
    lambda body: b"\xff\xfe" + body,
    lambda body: b"[" + body + b"]",
    lambda _: None,
)
"""What can have happened to the body of a change; none of the outcomes can be read."""


def with_bad(messages: Iterable[Message], share: float) -> Iterator[Message]:
    """These, and between them so many spoilt copies of changes among them that they are this share of all; one at least."""
    good, spoils = list(messages), cycle(SPOILS)
    changes = [place for place, message in enumerate(good) if message.sort == "change"]
    count = max(1, round(len(good) * share / (1 - share))) if share and changes else 0
    spoilt = {changes[number * len(changes) // count] for number in range(count)}
    for place, message in enumerate(good):
        yield message
        if place in spoilt:
            yield message._replace(value=next(spoils)(message.value or b""), sort="bad")
