"""What is true of every history, whatever was killed: ids once, revisions one after the other, no more commands than causes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from streams.demo.audit.people import Course, People
from streams.demo.audit.sources import Sources
from streams.demo.oracle.facts import PersonFacts
from streams.demo.wire import COMMAND_TOPICS

BACKGROUND = ".background"


def ids(sources: Sources, people: People) -> Iterator[str]:
    """Each source message has one outcome in the event log; each command and each activity stands on its topic once.

    A source message that was sent twice stands there twice, under one id: the core knows the second for a repeat. A create
    that waits in the background lane may be put on the first one as well, as the same command.
    """
    for change_id in sorted((sources.sent | people.folded).keys()):
        sent, folded = sources.sent[change_id], people.folded[change_id]
        if sent != folded:
            yield f"change {change_id}: sent {sent} times, and {folded} times in the event log"
    for topic in COMMAND_TOPICS:
        yield from _once("command", topic, people.commands[topic])
    for topic in COMMAND_TOPICS:
        background = people.commands.get(topic + BACKGROUND, Counter[str]())
        for command_id in sorted(people.commands[topic].keys() & background.keys()):
            if people.commands[topic][command_id] + background[command_id] > 2:
                yield f"command {command_id}: more than once on a lane"
    yield from _once("activity", "activity-log", people.activities)


def _once(what: str, topic: str, counts: Counter[str]) -> Iterator[str]:
    for message_id, count in counts.items():
        if count > 1:
            yield f"{what} {message_id}: {count} times on {topic}"


def quiet(courses: Mapping[str, Course], people: Mapping[str, PersonFacts]) -> Iterator[str]:
    """At most one command per edit, plus one per record for whatever happened to the records. Rewritings count among the edits."""
    for key, course in courses.items():
        facts = people.get(key)
        if facts is None:
            continue
        edits = sum(len(each.edits) for each in facts.fields.values())
        allowed = edits + 2 * (course.events + course.activities) + 2
        if len(course.commands) > allowed:
            yield f"{key}: {len(course.commands)} commands; its {edits} edits and what else happened allow {allowed}"
