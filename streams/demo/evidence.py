"""What a demo leaves where something differs: the messages about the people concerned, and what the oracle knows of them.

Each file is a recording, so `leadsync replay person.changes.jsonl` does it all again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from schemas.topics import TOPICS
from streams.demo.oracle.facts import PersonFacts
from streams.fixtures.recorder import Range
from streams.fixtures.writing import write_recording
from streams.settings import Settings

TOPICS_OF_PEOPLE = tuple(name for name in TOPICS if name not in ("policies", "checkpoints", "dead-letter"))
"""Keyed by a person or by a stream."""


async def keep_evidence(
    settings: Settings, people: Mapping[str, PersonFacts], differences: Sequence[str], folder: Path
) -> None:
    """Write it into the folder, which is made. A difference begins with the key of its person, if it is about one."""
    concerned = {key: people[key] for key in (each.partition(" ")[0] for each in differences) if key in people}
    if not concerned:
        return
    _write_oracle(concerned.values(), folder)
    streams = {
        record_id
        for facts in concerned.values()
        for record_id in (
            *(held.stream for held in facts.held.values()),
            *(edit.record_id for field in facts.fields.values() for edit in field.edits),
        )
    }
    keys = {key.encode() for key in (*concerned, *streams)}
    for name in TOPICS_OF_PEOPLE:
        with (folder / f"{name}.jsonl").open("wb") as out:
            await write_recording(settings, name, Range(settings.topic(name)), out, keys)


def _write_oracle(people: Iterable[PersonFacts], folder: Path) -> None:
    folder.mkdir()
    (folder / "oracle.txt").write_text("".join(f"{line}\n" for facts in people for line in _told(facts)), "utf-8")


def _told(facts: PersonFacts) -> Iterator[str]:
    """A person's records and every edit of theirs, with those in sight of which it was made."""
    yield f"{facts.key}: {', '.join(f'{held.record.type} {held.record.id}' for held in facts.held.values())}"
    for name, field in sorted(facts.fields.items()):
        for edit in field.edits:
            seen = f", saw {sorted(edit.seen)}" if edit.seen else ""
            by = "by the system" if edit.weak else "by a person"
            yield f"  {name} #{edit.number} {edit.system} {edit.record_id}: {edit.value!r} {by}{seen}"
