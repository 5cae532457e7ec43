"""Sync Person calls, read: what a marketer's template or a flow step sends becomes a `requested`, or an answer that says what is wrong.

Templates are filled in by people and their tokens are text, so spellings are taken as they come. What is not taken is
refused with its place, what was there, and what is allowed. (Design, "Sync Person to Microsoft".)
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from schemas.identity import uuid5
from schemas.limits import ID_CHARACTERS_MAX, VALUE_CHARACTERS_MAX
from schemas.source_change import Campaign
from schemas.vocabulary import MARKETO, RecordType
from streams.connectors.known import KnownRecords
from streams.connectors.marketo.answers import person
from streams.connectors.marketo.entries import time_of, value_of
from streams.connectors.marketo.names import KEY_FIELD, OUR_FIELDS, UPDATED_AT
from streams.connectors.marketo.rows import Ours, ours_in, row_of, without_ours
from streams.sync.messages import SourceChange, Value

LEADS_OF_A_STEP_MAX = 100
REQUEST_ID_CHARACTERS_MAX = 1_000
SYNC_AS: Mapping[str, RecordType] = {"": "lead", "lead": "lead", "contact": "contact"}

_LEAD_ID = re.compile(r"[1-9][0-9]{0,17}")
_SHOWN_CHARACTERS_MAX = 80


class NotUnderstood(ValueError):  # noqa: N818 - it is about the call; nothing of ours has erred
    """A call that cannot be carried out as it stands: `place`, what is wrong there, what is allowed."""

    def __init__(self, place: str, wrong: str, allowed: str) -> None:
        super().__init__(f"{place}: {wrong}; allowed is {allowed}")


@dataclass(frozen=True)
class Asked:
    """Sync Person for one person. `name` is the same however often the call is repeated.

    `view`: the person at `updated_at`, every column stated, without our two fields; `ours`: what these hold, where that is said.
    """

    name: str
    lead_id: str
    campaign: Campaign
    campaign_id: str
    sync_as: RecordType = "lead"
    owner: str | None = None
    view: Mapping[str, Value] | None = None
    updated_at: str | None = None
    ours: Ours | None = None


def is_to_be_looked_up(asked: Asked, known: KnownRecords) -> bool:
    """Whether neither what is known nor what was sent along says who this is: what the record holds, and for whom it stands."""
    there = known.get(asked.lead_id)
    if there is not None and (there.key is not None or there.version > 0):
        return False
    # An empty key says something too: a person whom we made holds one from the start.
    return asked.view is None or asked.ours is None


def as_it_is(asked: Asked, person: Mapping[str, Any], columns: Sequence[str]) -> Asked:
    """With the person as REST gives it, in place of what was sent along."""
    row, updated_at = row_of(person, columns), time_of(person.get(UPDATED_AT))
    view = None if updated_at is None else without_ours(row)
    return replace(asked, view=view, updated_at=updated_at, ours=ours_in(row))


def requested(asked: Asked, known: KnownRecords, time: str) -> SourceChange:
    """The change that says so. `time`: when the call came.

    A call may have waited in Marketo for long: a view that shows another key than the record is known to hold is out of date, and left.
    """
    there, view, shown = known.get(asked.lead_id), asked.view, asked.ours or Ours()
    ours = Ours(None if there is None else there.key)
    if ours.key is None:
        ours = Ours(shown.key)
    elif shown.key not in (None, ours.key):
        view = None
    return SourceChange(
        change_id=uuid5(f"requested/{MARKETO}/{asked.name}/{asked.lead_id}"),
        kind="requested",
        record=person(asked.lead_id),
        fields=view,
        scope="partial" if view is None else "row",
        revision=None if view is None else shown.revision,
        person_key=ours.person_key,
        creation=ours.creation,
        time=time,
        who=f"campaign {asked.campaign_id}"[:ID_CHARACTERS_MAX],
        action="sync_person",
        sync_as=asked.sync_as,
        owner=asked.owner,
        campaign=asked.campaign,
        updated_at=None if view is None else asked.updated_at,
    )


def of_webhook(body: Any, columns: Collection[str]) -> Asked:
    """{"requestId", "leadId", "campaignId", "syncAs", "owner", "updatedAt", "fields"}; the last two may be missing.

    Raises NotUnderstood.
    """
    call = _object(body, "the body")
    view = _view(call.get("fields"), call.get("updatedAt"), columns, "fields")
    return Asked(
        _name(call.get("requestId"), "requestId"),
        _lead_id(call.get("leadId"), "leadId"),
        "trigger",
        _text(call.get("campaignId"), "campaignId"),
        _sync_as(call.get("syncAs"), "syncAs"),
        _owner(call.get("owner"), "owner"),
        *view,
    )


def of_flow_step(body: Any, columns: Collection[str]) -> list[Asked]:
    """What the Service Provider Interface calls `async`: up to 100 persons. Raises NotUnderstood."""
    call = _object(body, "the body")
    name, campaign_id = _name(call.get("batchid"), "batchid"), _text(call.get("campaignId"), "campaignId")
    people = call.get("objectData")
    if not isinstance(people, list) or not 0 < len(people) <= LEADS_OF_A_STEP_MAX:
        raise NotUnderstood("objectData", "is no list that fits", f"a list of 1 to {LEADS_OF_A_STEP_MAX} persons")
    campaign = _campaign(call.get("context"))
    return [
        _of_step(each, f"objectData[{place}]", name, campaign, campaign_id, columns)
        for place, each in enumerate(people)
    ]


def _of_step(body: Any, place: str, name: str, campaign: Campaign, campaign_id: str, columns: Collection[str]) -> Asked:
    each = _object(body, place)
    person_, step = (_object(each.get(part) or {}, f"{place}.{part}") for part in ("objectContext", "flowStepContext"))
    fields = {column: value for column, value in person_.items() if column in columns or column in OUR_FIELDS}
    view = _view(fields or None, person_.get("updatedAt"), columns, f"{place}.objectContext")
    return Asked(
        name,
        _lead_id(person_.get("id"), f"{place}.objectContext.id"),
        campaign,
        campaign_id,
        _sync_as(step.get("syncAs"), f"{place}.flowStepContext.syncAs"),
        _owner(step.get("assignTo"), f"{place}.flowStepContext.assignTo"),
        *view,
    )


def _campaign(context: Any) -> Campaign:
    """A flow step runs in both kinds of campaign; where it does not say in which, it can wait."""
    campaign = context.get("campaign") if isinstance(context, Mapping) else None
    kind = campaign.get("type") if isinstance(campaign, Mapping) else None
    return "trigger" if kind == "trigger" else "batch"


def _view(
    fields: Any, updated_at: Any, columns: Collection[str], place: str
) -> tuple[Mapping[str, Value] | None, str | None, Ours | None]:
    """The person as sent along, its time, and our two fields. Without its own time it cannot be put into order, and is left.

    One that does not state every column stands for no row: what it leaves out would be lost when the feed's own row comes as older.
    """
    if fields is None or updated_at in (None, ""):
        return None, None, None
    time = time_of(updated_at)
    if time is None:
        raise NotUnderstood("updatedAt", f"is {_shown(updated_at)}", "a time such as 2026-09-01T09:14:07Z")
    given = _object(fields, place)
    view = {name: value_of(given[name]) for name in (*columns, *OUR_FIELDS) if name in given}
    for name, value in view.items():
        if isinstance(value, str) and len(value) > VALUE_CHARACTERS_MAX:
            raise NotUnderstood(f"{place}.{name}", "is too long", f"at most {VALUE_CHARACTERS_MAX} characters")
    ours = ours_in(view) if KEY_FIELD in view else None
    if any(name not in view for name in columns):
        return None, None, ours
    return without_ours(view), time, ours


def _name(value: Any, place: str) -> str:
    name = _text(value, place)
    if not 0 < len(name) <= REQUEST_ID_CHARACTERS_MAX:
        allowed = "a text that names this run, such as {{lead.Id}}/{{campaign.id}}/{{system.dateTime}}"
        raise NotUnderstood(place, f"is {_shown(value)}", allowed)
    return name


def _lead_id(value: Any, place: str) -> str:
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if not isinstance(text, str) or not _LEAD_ID.fullmatch(text.strip()):
        raise NotUnderstood(place, f"is {_shown(value)}", "the person's id, a number such as {{lead.Id}}")
    return text.strip()


def _sync_as(value: Any, place: str) -> RecordType:
    found = SYNC_AS.get(_text(value, place).lower())
    if found is None:
        raise NotUnderstood(place, f"is {_shown(value)}", "lead or contact")
    return found


def _owner(value: Any, place: str) -> str | None:
    text = _text(value, place)
    if len(text) > ID_CHARACTERS_MAX:
        raise NotUnderstood(place, "is too long", f"a Dynamics user in at most {ID_CHARACTERS_MAX} characters")
    return text or None


def _text(value: Any, place: str) -> str:
    if value is None:
        return ""
    if isinstance(value, (dict, list)):
        raise NotUnderstood(place, f"is {_shown(value)}", "a text")
    return str(value).strip()


def _object(value: Any, place: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise NotUnderstood(place, f"is {_shown(value)}", "a JSON object")
    return value


def _shown(value: Any) -> str:
    """Of what is wrong only its kind, unless it is short: a person's data belongs into no log."""
    if value is None:
        return "missing"
    if isinstance(value, (dict, list)):
        return "a list" if isinstance(value, list) else "an object"
    return repr(value) if len(str(value)) <= _SHOWN_CHARACTERS_MAX else "too long"
