"""Sync Person calls, read: what a marketer's template or a flow step sends becomes a `requested`, or an answer that says what is wrong.

Templates are filled in by people and their tokens are text, so spellings are taken as they come. What is not taken is
refused with its place, what was there, and what is allowed. (Design, "Sync Person to Microsoft".)
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from schemas.identity import uuid5
from schemas.limits import ID_CHARACTERS_MAX, VALUE_CHARACTERS_MAX
from schemas.source_change import Campaign
from schemas.vocabulary import MARKETO, RecordType
from streams.connectors.known import KnownRecords
from streams.connectors.marketo.answers import person
from streams.connectors.marketo.entries import time_of, value_of
from streams.connectors.marketo.names import KEY_FIELD, OUR_FIELDS
from streams.connectors.marketo.rows import Ours, ours_in, without_ours
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
    """Sync Person for one person. `name` is the same however often the call is repeated; `view`: the person as sent along."""

    name: str
    lead_id: str
    campaign: Campaign
    campaign_id: str
    sync_as: RecordType = "lead"
    owner: str | None = None
    view: Mapping[str, Value] | None = None
    updated_at: str | None = None


def is_anybodys(asked: Asked, known: KnownRecords) -> bool:
    """Whether neither what is known nor what was sent along says for whom the record stands, so that it may be anybody's."""
    there = known.get(asked.lead_id)
    # An empty key says something too: a person whom we made holds one from the start.
    shows_key = asked.view is not None and KEY_FIELD in asked.view
    return not shows_key and (there is None or (there.key is None and there.version == 0))


def requested(asked: Asked, known: KnownRecords, time: str, key: str | None = None) -> SourceChange:
    """The change that says so. `time`: when the call came. `key`: the record's, where that had to be looked up.

    A call may have waited in Marketo for long: a view that shows another key than the record is known to hold is out of date, and left.
    """
    there, view = known.get(asked.lead_id), asked.view
    ours = Ours(None if there is None else there.key)
    shown = Ours() if view is None else ours_in(view)
    if ours.key is None:
        ours = Ours(shown.key or key)
    elif shown.key not in (None, ours.key):
        view, shown = None, Ours()
    return SourceChange(
        change_id=uuid5(f"requested/{MARKETO}/{asked.name}/{asked.lead_id}"),
        kind="requested",
        record=person(asked.lead_id),
        fields=None if view is None else without_ours(view),
        scope="partial" if view is None else "row",
        revision=shown.revision,
        person_key=ours.person_key,
        creation=ours.creation,
        time=time,
        who=f"campaign {asked.campaign_id}"[:ID_CHARACTERS_MAX],
        action="sync_person",
        sync_as=asked.sync_as,
        owner=asked.owner,
        campaign=asked.campaign,
        updated_at=asked.updated_at,
    )


def of_webhook(body: Any, columns: Collection[str]) -> Asked:
    """{"requestId", "leadId", "campaignId", "syncAs", "owner", "updatedAt", "fields"}; the last two may be missing.

    Raises NotUnderstood.
    """
    call = _object(body, "the body")
    view, updated_at = _view(call.get("fields"), call.get("updatedAt"), columns, "fields")
    return Asked(
        _name(call.get("requestId"), "requestId"),
        _lead_id(call.get("leadId"), "leadId"),
        "trigger",
        _text(call.get("campaignId"), "campaignId"),
        _sync_as(call.get("syncAs"), "syncAs"),
        _owner(call.get("owner"), "owner"),
        view,
        updated_at,
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
    view, updated_at = _view(fields or None, person_.get("updatedAt"), columns, f"{place}.objectContext")
    return Asked(
        name,
        _lead_id(person_.get("id"), f"{place}.objectContext.id"),
        campaign,
        campaign_id,
        _sync_as(step.get("syncAs"), f"{place}.flowStepContext.syncAs"),
        _owner(step.get("assignTo"), f"{place}.flowStepContext.assignTo"),
        view,
        updated_at,
    )


def _campaign(context: Any) -> Campaign:
    """A flow step runs in both kinds of campaign; where it does not say in which, it can wait."""
    campaign = context.get("campaign") if isinstance(context, Mapping) else None
    kind = campaign.get("type") if isinstance(campaign, Mapping) else None
    return "trigger" if kind == "trigger" else "batch"


def _view(
    fields: Any, updated_at: Any, columns: Collection[str], place: str
) -> tuple[Mapping[str, Value] | None, str | None]:
    """The person as sent along; without its own time it cannot be put into order, and is left."""
    if fields is None or updated_at in (None, ""):
        return None, None
    time = time_of(updated_at)
    if time is None:
        raise NotUnderstood("updatedAt", f"is {_shown(updated_at)}", "a time such as 2026-09-01T09:14:07Z")
    given = _object(fields, place)
    view = {name: value_of(given[name]) for name in (*columns, *OUR_FIELDS) if name in given}
    for name, value in view.items():
        if isinstance(value, str) and len(value) > VALUE_CHARACTERS_MAX:
            raise NotUnderstood(f"{place}.{name}", "is too long", f"at most {VALUE_CHARACTERS_MAX} characters")
    return view, time


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
