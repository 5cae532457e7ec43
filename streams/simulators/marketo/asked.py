"""Sync Person, asked for in Marketo and not yet handed to the connector: what a campaign's flow step knows of each person."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from schemas.source_change import Campaign
from streams.demo.record import HeldRecord
from streams.simulators.marketo.coercion import moment
from streams.simulators.marketo.fields import KEY_FIELD, REVISION_FIELD
from streams.sync.messages import SourceChange

TRIGGER_CAMPAIGN_ID = 1021
BATCH_CAMPAIGN_ID = 1022
CAMPAIGNS: Mapping[int, Campaign] = {TRIGGER_CAMPAIGN_ID: "trigger", BATCH_CAMPAIGN_ID: "batch"}
CAMPAIGN_NAMES: Mapping[int, str] = {
    TRIGGER_CAMPAIGN_ID: "Sync Person to Microsoft",
    BATCH_CAMPAIGN_ID: "Sync Person to Microsoft (batch)",
}
CALL_PEOPLE_MAX = 100


@dataclass(frozen=True)
class Asked:
    """One person. `fields` and `updated_at`: the person as it was then, in REST's names and spelling; None without a view."""

    request_id: str
    lead_id: int
    sync_as: str
    owner: str | None
    fields: Mapping[str, Any] | None = None
    updated_at: str | None = None

    def view(self) -> dict[str, Any]:
        """What is known of the person."""
        return {} if self.fields is None else {"updatedAt": self.updated_at, **self.fields}


@dataclass(frozen=True)
class SyncCall:
    """One call that the campaign engine owes the connector: up to CALL_PEOPLE_MAX people of one run of a campaign."""

    run_id: str
    campaign: Campaign
    people: tuple[Asked, ...]

    @property
    def campaign_id(self) -> int:
        """The campaign that runs."""
        return TRIGGER_CAMPAIGN_ID if self.campaign == "trigger" else BATCH_CAMPAIGN_ID


def asked_by(held: HeldRecord, change: SourceChange) -> Asked:
    """What a request holds, as REST would say it."""
    fields, updated_at = None, None
    if change.fields is not None:
        fields = {**change.fields, KEY_FIELD: held.key, REVISION_FIELD: held.revision}
        updated = moment(change.updated_at or "")
        updated_at = None if updated is None else updated.strftime("%Y-%m-%dT%H:%M:%SZ")
    return Asked(change.change_id, int(held.id), change.sync_as, change.owner, fields, updated_at)
