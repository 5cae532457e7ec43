"""What is called what in Marketo: our two fields on each person, and the activity types that the feeds show."""

from __future__ import annotations

from streams.connectors.our_fields import MARKETO_KEY, MARKETO_REVISION, SYNC_ACTIVITY

KEY_FIELD = MARKETO_KEY
REVISION_FIELD = MARKETO_REVISION
OUR_FIELDS = (KEY_FIELD, REVISION_FIELD)

UPDATED_AT = "updatedAt"
"""When Marketo last touched the record."""

NEW_LEAD = 12
MERGE_LEADS = 32
DELETE_LEAD = 37

LEADS_MAX = 300
"""Records that one call takes, and values that one filter takes."""

ACTIVITY_API_NAME = SYNC_ACTIVITY
"""The custom activity type in which people find what became of a sync."""

ACTIVITY_PRIMARY = "event"
ACTIVITY_ATTRIBUTES = ("activityId", "direction", "operation", "field", "code", "message", "rule", "winner")
"""What an entry of it tells; all of them text. The primary attribute says it in a sentence."""
