"""The fields that leadsync keeps for itself on every record, and the activity type it writes to: their names, in one place.

`leadsync setup` makes them where they are missing. The key holds `<person_key>#<n>` (design, "Words"), the revision the
number of the last command that was written to the record.
"""

from __future__ import annotations

MARKETO_KEY = "leadsyncKey"
"""A Marketo person's key: a string, which Marketo can look people up by."""

MARKETO_REVISION = "leadsyncRevision"
"""A Marketo person's revision: an integer."""

DYNAMICS_KEY = "new_leadsynckey"
"""A lead's and a contact's key: text of up to `DYNAMICS_KEY_CHARACTERS_MAX` characters."""

DYNAMICS_REVISION = "new_leadsyncrevision"
"""A lead's and a contact's revision: a whole number."""

SYNC_ACTIVITY = "leadsyncSync"
"""API name of the custom activity type in Marketo: what befell a person's sync, for their activity log."""
