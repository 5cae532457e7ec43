"""What must hold on the broker whatever was killed: nothing lost, nothing twice, every state what a fold of the log gives.

The event log is the yardstick. Every readable source message stands in `person.changes` exactly once; folding
`person.changes` again gives exactly the commands and activities that are on their topics, and exactly the states that are
in the changelog of `people`.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from streams.codec import decode_activity, decode_apply_command, decode_person_change, encode
from streams.operating.reading import Reader
from streams.policy import default_policy
from streams.settings import Settings
from streams.sync.person import PersonState, encode_person
from streams.sync.step import step
from streams.topics import changelog_topic

COMMAND_TOPICS = (
    "marketo.commands",
    "dynamics.commands",
    "marketo.commands.background",
    "dynamics.commands.background",
)


@dataclass
class Audit:
    """What stands on the broker (`found`) and what the event log says must stand there (`right`)."""

    change_ids: Counter[str] = field(default_factory=Counter)
    found: Counter[bytes] = field(default_factory=Counter)
    right: Counter[bytes] = field(default_factory=Counter)
    states_found: dict[str, bytes] = field(default_factory=dict)
    states_right: dict[str, bytes] = field(default_factory=dict)
    rejections: int = 0

    def check(self, sent: set[str]) -> None:
        """Fail with what is missing, twice or wrong. `sent`: the ids of all good source messages."""
        twice = [change_id for change_id, count in self.change_ids.items() if count > 1]
        assert not twice, f"{len(twice)} changes stand twice in person.changes, {twice[:3]}"
        missing = sent - self.change_ids.keys()
        assert not missing, f"{len(missing)} of {len(sent)} changes are lost, {sorted(missing)[:3]}"
        invented = self.found - self.right
        lost = self.right - self.found
        assert not invented, f"{sum(invented.values())} outputs too many, {list(invented)[:2]}"
        assert not lost, f"{sum(lost.values())} outputs lost, {list(lost)[:2]}"
        assert self.states_found == self.states_right, "the table differs from a fold of the log"


async def audit(settings: Settings) -> Audit:
    """Read everything committed and fold the event log again."""
    result, people, policy = Audit(), dict[str, PersonState | None](), default_policy()
    async with Reader(settings) as reader:
        async for record in reader.records(settings.topic("person.changes")):
            change = decode_person_change(record.value)
            result.change_ids[change.change_id] += 1
            outcome = step(people.get(change.person_key), change, policy)
            people[change.person_key] = outcome.state
            result.right.update(map(encode, (*outcome.commands, *outcome.activities)))
        for name in COMMAND_TOPICS:
            async for record in reader.records(settings.topic(name)):
                result.found[encode(decode_apply_command(record.value))] += 1
        async for record in reader.records(settings.topic("activity-log")):
            result.found[encode(decode_activity(record.value))] += 1
        async for record in reader.records(changelog_topic(settings, "people")):
            result.states_found[record.key.decode()] = record.value
        async for _ in reader.records(settings.topic("dead-letter")):
            result.rejections += 1
    result.states_right = {key: encode_person(state) for key, state in people.items() if state is not None}
    return result
