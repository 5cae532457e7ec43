"""Good messages: people who are created, edited, asked for, converted, merged and deleted, and what appliers answer.

Nobody waits for a command here: what a command would have done is guessed, rightly for the most part, so that the same messages
can be sent to a worker on a broker and to its functions in process. A record that is gone comes back as another one a few times,
then its person rests for good: so many records there are, and no more.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import Any, NamedTuple

from schemas.identity import command_id_of, dynamics_id_of, key_of, person_key_of
from schemas.vocabulary import System
from streams.sync.policy import Policy

LIVES_MAX = 3
HOURS = "2026-{:02}-{:02}T{:02}:{:02}:{:02}Z"
TEXTS = (
    "Ada",
    "Grace",
    "Lovelace",
    "Hopper",
    "ada@abc.org",
    "grace@navy.mil",
    "+44 20 7946 0000",
    "Zoë",
    "true",
    "12",
    "",
    "Web",
)
PEOPLE_WHO = ("mia", "sam", "leadsync", None)

Json = dict[str, Any]


class Told(NamedTuple):
    """A good message: its topic, its key, and what it says."""

    topic: str
    key: str
    message: Json


@dataclass
class Human:
    """One human and their records. `last`: the change that caused the last command, as far as one can guess."""

    number: int
    lives: int = 0
    marketo: str | None = None
    dynamics: str | None = None
    contact: str | None = None
    versions: dict[System, int] = field(default_factory=lambda: {"marketo": 0, "dynamics": 0})
    revisions: dict[System, int] = field(default_factory=lambda: {"marketo": 0, "dynamics": 0})
    last: str = ""

    @property
    def person_key(self) -> str:
        return person_key_of("marketo", f"{self.number}-0")


class Life:
    """So many people; `next` gives the next thing that befalls one of them."""

    def __init__(self, people: int, random: Random, policy: Policy) -> None:
        self._random = random
        self._people = [Human(number) for number in range(people)]
        self._columns = {kind: sorted(policy.inbound[kind]) for kind in ("person", "lead", "contact")}
        self._count = 0

    def next(self) -> Told:
        """Something happens to somebody."""
        while True:
            human = self._random.choice(self._people)
            told = self._random.choice(_ACTS)(self, human)
            if told is not None:
                return told

    def _marketo_is_created(self, human: Human) -> Told | None:
        if human.marketo is not None or human.lives >= LIVES_MAX:
            return None
        human.marketo = f"{human.number}-{human.lives}"
        human.lives += 1
        return self._shown(human, "marketo", "created")

    def _marketo_is_edited(self, human: Human) -> Told | None:
        return None if human.marketo is None else self._shown(human, "marketo", "updated")

    def _dynamics_is_edited(self, human: Human) -> Told | None:
        return None if human.dynamics is None else self._shown(human, "dynamics", "updated", scope="row")

    def _is_asked_for(self, human: Human) -> Told | None:
        if human.marketo is None:
            return None
        view = {"fields": self._fields("person")} if self._random.random() < 0.5 else {}
        action = "sync_person" if self._random.random() < 0.8 else "retry"
        campaign = self._random.choice(("trigger", "batch"))
        human.last = f"fz-{self._count + 1}"
        return self._change(human, "marketo", "requested", action=action, campaign=campaign, **view)

    def _dynamics_is_created(self, human: Human) -> Told | None:
        if human.dynamics is not None or human.marketo is None:
            return None
        human.dynamics = dynamics_id_of(key_of(human.person_key, 1))
        human.revisions["dynamics"] += 1
        shown = {"creation": 1, "person_key": human.person_key, "revision": human.revisions["dynamics"]}
        return self._shown(human, "dynamics", "created", scope="row", **shown)

    def _is_converted(self, human: Human) -> Told | None:
        if human.dynamics is None or human.contact is not None:
            return None
        human.contact = f"c-{human.dynamics}"
        contact = {"system": "dynamics", "type": "contact", "id": human.contact}
        return self._change(human, "dynamics", "converted", version=self._version(human, "dynamics"), contact=contact)

    def _is_deleted(self, human: Human) -> Told | None:
        system: System = self._random.choice(("marketo", "dynamics"))
        if self._random.random() < 0.8 or getattr(human, system) is None:
            return None
        told = self._change(human, system, "deleted", version=self._version(human, system))
        self._is_gone(human, system)
        return told

    def _is_merged(self, human: Human) -> Told | None:
        if self._random.random() < 0.8 or human.marketo is None:
            return None
        winner = self._random.choice(self._people)
        record = {"system": "marketo", "type": "person", "id": f"{winner.number}-0"}
        version = self._version(human, "marketo")
        told = self._change(
            human, "marketo", "merged", version=version, winner=record, winner_person_key=winner.person_key
        )
        self._is_gone(human, "marketo")
        return told

    def _is_linked(self, human: Human) -> Told | None:
        if human.dynamics is None:
            return None
        return self._change(human, "dynamics", "linked", person_key=human.person_key)

    def _is_answered(self, human: Human) -> Told | None:
        system: System = self._random.choice(("marketo", "dynamics"))
        record = self._record(human, system)
        revision = max(1, human.revisions[system] + self._random.choice((0, 1)))
        message: Json = {
            "contract": "apply-result/1",
            "result_id": self._id(),
            "command_id": command_id_of(human.person_key, system, revision, human.last),
            "person_key": human.person_key,
            "system": system,
            "answer": self._random.choice(("created", "linked", "refused", "conflict", "superseded", "gone")),
            "time": self._time(),
        }
        if message["answer"] == "refused":
            message |= {"code": "0x80044331", "field": "lastname", "message": "too long"}
        if record is not None:
            message["record"] = record
            if message["answer"] in ("conflict", "linked"):
                row = {"record": record, "version": human.versions[system], "fields": self._fields(record["type"])}
                message["row"] = row
        return Told(f"{system}.results", human.person_key, message)

    def _shown(self, human: Human, system: System, kind: str, **members: Any) -> Told:
        """What a feed shows of a record; now and then it shows that our command landed."""
        if "revision" not in members and self._random.random() < 0.3:
            human.revisions[system] += self._random.choice((0, 1))
            members["revision"] = human.revisions[system]
        record = self._record(human, system)
        assert record is not None
        members["fields"] = self._fields(record["type"])
        return self._change(human, system, kind, version=self._version(human, system), **members)

    def _change(self, human: Human, system: System, kind: str, **members: Any) -> Told:
        record = self._record(human, system)
        assert record is not None
        stream = human.dynamics if system == "dynamics" else human.marketo
        if kind == "converted":
            record = {"system": "dynamics", "type": "lead", "id": human.dynamics}
        message = {"contract": "source-change/1", "change_id": self._id(), "kind": kind, "record": record, **members}
        if human.lives > 1 or system == "dynamics":
            message.setdefault("person_key", human.person_key)
        if self._random.random() < 0.7:
            message["time"] = self._time()
        if (who := self._random.choice(PEOPLE_WHO)) is not None:
            message["who"] = who
        if kind in ("created", "updated", "deleted"):
            human.last = message["change_id"]
        return Told(f"{system}.changes", str(stream), message)

    def _record(self, human: Human, system: System) -> Json | None:
        if system == "marketo":
            return None if human.marketo is None else {"system": system, "type": "person", "id": human.marketo}
        if human.dynamics is None:
            return None
        kind = "lead" if human.contact is None else "contact"
        return {"system": system, "type": kind, "id": human.contact or human.dynamics}

    def _is_gone(self, human: Human, system: System) -> None:
        if system == "marketo":
            human.marketo = None
        else:
            human.dynamics = human.contact = None

    def _fields(self, kind: str) -> Json:
        columns, random = self._columns[kind], self._random
        return {random.choice(columns): random.choice(TEXTS) for _ in range(random.randint(1, 6))}

    def _version(self, human: Human, system: System) -> int:
        human.versions[system] += 1
        return human.versions[system]

    def _id(self) -> str:
        self._count += 1
        return f"fz-{self._count}"

    def _time(self) -> str:
        random = self._random
        return HOURS.format(
            random.randint(1, 12), random.randint(1, 28), random.randint(0, 23), random.randint(0, 59), 7
        )


_ACTS = (
    Life._marketo_is_created,
    *[Life._marketo_is_edited] * 6,
    *[Life._dynamics_is_edited] * 6,
    *[Life._is_asked_for] * 2,
    Life._dynamics_is_created,
    Life._is_converted,
    Life._is_deleted,
    Life._is_merged,
    Life._is_linked,
    *[Life._is_answered] * 4,
)
