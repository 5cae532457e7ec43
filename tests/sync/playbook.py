"""A person whose streams a test plays by hand: what a system shows goes in, commands and activities come out."""

from __future__ import annotations

from typing import Any

from schemas.identity import dynamics_id_of, key_of, person_key_of
from schemas.vocabulary import OURSELVES, System
from streams.intake import link_to, resolve_change, resolve_result
from streams.policy import default_policy
from streams.sync.messages import Activity, ApplyCommand, ApplyResult, Record, Row, SourceChange
from streams.sync.outcome import Outcome
from streams.sync.person import PersonState, decode_person, encode_person
from streams.sync.policy import Policy
from streams.sync.step import step

MARKETO_ID = "775"
LEAD_ID = "6f0e2a51-8c3d-4b7e-9a10-52d1c0f4e775"
CONTACT_ID = "c1b7d904-33aa-4e0f-8d25-7be60a91f775"
COMPLETE = {"lastname": "Lovelace", "subject": "Engines"}  # what a stock lead must have


class Playbook:
    """One person. Versions rise by themselves; `out` holds the commands of the last step, `log` all activities."""

    def __init__(self, policy: Policy | None = None) -> None:
        self.policy = policy or default_policy()
        self.person_key = person_key_of("marketo", MARKETO_ID)
        self.state: PersonState | None = None
        self.out: list[ApplyCommand] = []
        self.log: list[Activity] = []
        self.outcome: Outcome | None = None
        self.lead_id = LEAD_ID
        self._count = 0
        self._versions: dict[str, int] = {}

    # -- what the systems show -------------------------------------------------------------------------------------

    def marketo(self, *, kind: Any = "updated", id: str = MARKETO_ID, who: str | None = "mia", **more: Any) -> Playbook:
        """An entry of Marketo's feed; fields in Marketo's names."""
        members, fields = _split(more)
        return self._shown(Record("marketo", "person", id), kind, fields, who=who, **members)

    def dynamics(
        self, *, kind: Any = "updated", id: str | None = None, who: str | None = "sam", **more: Any
    ) -> Playbook:
        """A row of the Dynamics lead; fields in Dynamics' names."""
        members, fields = _split(more)
        return self._shown(
            Record("dynamics", "lead", id or self.lead_id), kind, fields, who=who, scope="row", **members
        )

    def contact(self, *, id: str = CONTACT_ID, who: str | None = "sam", **more: Any) -> Playbook:
        """A row of the contact that came of the lead."""
        members, fields = _split(more)
        return self._shown(Record("dynamics", "contact", id), "updated", fields, who=who, scope="row", **members)

    def happens(self, kind: Any, record: Record, **members: Any) -> Playbook:
        """Any other change of a record."""
        if kind not in ("linked", "requested"):
            members.setdefault("version", self._next(record))
        return self._fold(SourceChange(change_id=self._id(), kind=kind, record=record, **members))

    def deleted(self, system: System) -> Playbook:
        """The linked record is deleted."""
        return self.happens("deleted", self.record(system))

    def let_go(self, record: Record) -> Playbook:
        """The record's stream says that it is another person's from now on."""
        change = SourceChange(
            change_id=self._id(),
            kind="linked",
            record=record,
            version=self._next(record),
            person_key=person_key_of(record.system, "another"),
        )
        return self._step(resolve_change(record.id, change, link_to(self.person_key), self.policy).changes[0])

    def sync_person(self, **members: Any) -> Playbook:
        """Sync Person to Microsoft."""
        return self.happens("requested", Record("marketo", "person", MARKETO_ID), action="sync_person", **members)

    def lands(self, command: ApplyCommand, *, id: str = MARKETO_ID, **more: Any) -> Playbook:
        """The stream shows that the command is on its record; members or other values as told. `id`: of a new Marketo person."""
        assert command.fields is not None and command.system
        record = command.record or Record("marketo", "person", id)
        members, fields = _split(more)
        members.setdefault("who", OURSELVES)
        shown = {**command.fields, **fields}
        return self._shown(
            record,
            "created" if command.operation == "create" else "updated",
            shown,
            revision=command.revision,
            creation=command.creation,
            scope="partial" if command.system == "marketo" else "row",
            **members,
        )

    def answers(self, command: ApplyCommand, answer: Any, **members: Any) -> Playbook:
        """The applier answers."""
        result = ApplyResult(
            result_id=self._id(),
            command_id=command.command_id,
            person_key=command.person_key,
            system=command.system,
            answer=answer,
            **members,
        )
        return self._step(resolve_result(result, self.policy))

    def row(self, version: int | None = None, **more: Any) -> Row:
        """A row of the lead, for a result to bring."""
        members, fields = _split(more)
        record = Record("dynamics", "lead", self.lead_id)
        return Row(record=record, version=self._next(record) if version is None else version, fields=fields, **members)

    # -- what stands ---------------------------------------------------------------------------------------------

    def record(self, system: System) -> Record:
        """The linked record."""
        link = self.known.system(system).link
        assert link is not None
        return Record(system, link.type, link.id)

    @property
    def known(self) -> PersonState:
        """The state."""
        assert self.state is not None
        return self.state

    def command(self) -> ApplyCommand:
        """The one command of the last step."""
        assert len(self.out) == 1, self.out
        return self.out[0]

    def to(self, system: System) -> ApplyCommand:
        """The one command of the last step to this system."""
        found = [command for command in self.out if command.system == system]
        assert len(found) == 1, self.out
        return found[0]

    def kinds(self) -> list[str]:
        """The kinds of all activities, in their order."""
        return [activity.kind for activity in self.log]

    def of_kind(self, kind: str) -> list[Activity]:
        """All activities of a kind."""
        return [activity for activity in self.log if activity.kind == kind]

    def linked_lead(self, **fields: Any) -> Playbook:
        """A Marketo person and a Dynamics lead, linked, both keyed, everything at rest."""
        self.marketo(kind="created", firstName="Ada", lastName="Lovelace", **fields)
        self.sync_person()
        create = self.command()
        assert create.record is not None and create.record.id == dynamics_id_of(key_of(self.person_key, 1))
        self.lead_id = create.record.id
        self.lands(create)
        self.lands(self.command())
        assert self.out == [] and self.known.moving == {}, self.known.moving
        return self

    def qualified(self) -> Playbook:
        """The lead becomes a contact whose first row shows what the lead held."""
        self.happens("converted", self.record("dynamics"), contact=Record("dynamics", "contact", CONTACT_ID))
        for command in list(self.out):
            self.lands(command)
        return self

    # -- the inside ---------------------------------------------------------------------------------------------

    def _shown(self, record: Record, kind: Any, fields: dict[str, Any], **members: Any) -> Playbook:
        version = members.pop("version", None)
        version = self._next(record) if version is None else version
        return self._fold(
            SourceChange(
                kind=kind, record=record, version=version, fields=fields, **{"change_id": self._id(), **members}
            )
        )

    def _fold(self, change: SourceChange) -> Playbook:
        self.out = []
        stream = self.lead_id if change.record.type == "contact" else change.record.id
        for each in resolve_change(stream, change, link_to(self.person_key), self.policy).changes:
            self._step(each)
        return self

    def _step(self, change: Any) -> Playbook:
        before = None if self.state is None else encode_person(self.state)
        self.outcome = step(self.state, change, self.policy)
        assert before == (None if self.state is None else encode_person(self.state)), "step changed what it was given"
        self.state = None if self.outcome.state is None else decode_person(encode_person(self.outcome.state))
        self.out = list(self.outcome.commands)
        self.log += self.outcome.activities
        return self

    def _id(self) -> str:
        self._count += 1
        return f"change-{self._count}"

    def _next(self, record: Record) -> int:
        self._versions[record.id] = self._versions.get(record.id, 0) + 1
        return self._versions[record.id]


MEMBERS = {"version", "revision", "person_key", "creation", "time", "who", "scope", "change_id"}


def _split(more: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    return {k: v for k, v in more.items() if k in MEMBERS}, {k: v for k, v in more.items() if k not in MEMBERS}
