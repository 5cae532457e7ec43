"""People who do what only a simulation needs often: twins typed in on both sides, pairs linked long after both were there."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from schemas.vocabulary import DYNAMICS, MARKETO, System
from streams.demo.record import HeldRecord
from streams.demo.users import Crowd


class WildCrowd(Crowd):
    """The demo's people, and some more habits."""

    def action(self, name: str) -> Callable[[Crowd, float], str | None]:
        """What people do under this name."""
        return WILD_ACTIONS.get(name) or super().action(name)


def type_in_a_twin(crowd: Crowd, now: float) -> str | None:
    """Somebody who is in one system is typed in in the other, with the same e-mail address."""
    alone = _alone(crowd, crowd.random.choice((MARKETO, DYNAMICS)))
    if alone is None:
        return None
    if alone.record.system == MARKETO:
        twin = crowd.new_in_dynamics(crowd.random.choice(("lead", "contact")), now)
        crowd.dynamics.edit(twin.id, twin.who, {"emailaddress1": alone.values.get("email")}, now)
    else:
        twin = crowd.new_in_marketo(now)
        crowd.marketo.edit(twin.id, twin.who, {"email": alone.values.get("emailaddress1")}, now)
    return f"{alone.id} is typed in in {twin.record.system} too, as {twin.id}"


def link_two(crowd: Crowd, now: float) -> str | None:
    """Somebody says of two records, each alone in its system, with no key of ours yet, that they are one person."""
    person, lead = _alone(crowd, MARKETO), _alone(crowd, DYNAMICS)
    if person is None or lead is None or person.key is not None or _is_keyed(crowd, lead):
        return None
    person_key = person.person_key
    crowd.marketo.announce_link(person.id, person_key, lead.record, now)
    crowd.dynamics.announce_link(lead.id, person_key, person.record, now)
    return f"{person.id} and {lead.id} are linked"


def _is_keyed(crowd: Crowd, lead: HeldRecord) -> bool:
    """Whether we ever wrote to it, or to the lead that it was."""
    former = crowd.dynamics.records.get(lead.stream, lead)
    return lead.key is not None or former.key is not None


def _alone(crowd: Crowd, system: System) -> HeldRecord | None:
    """A record that can be edited, of a person whom no other record stands for."""
    held = (crowd.marketo if system == MARKETO else crowd.dynamics).draw(crowd.random)
    person = None if held is None else crowd.oracle.people.get(held.person_key)
    return held if person is not None and list(person.held.values()) == [held] else None


WILD_ACTIONS: Mapping[str, Callable[[Crowd, float], str | None]] = {
    "type_in_a_twin": type_in_a_twin,
    "link_two": link_two,
}
"""By name, beside `streams.demo.users.ACTIONS`."""
