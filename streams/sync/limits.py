"""Limits on what one person's state may hold, so that no history can make it grow without end."""

CLOSED_RECORDS_MAX = 16
"""Closed records remembered per system; later changes of an older one would link it anew."""

VALUES_HELD_MAX = 8
"""Values that a Dynamics record was known to hold since the last agreement on a field."""

REWRITES_MAX = 3
"""After so many rewritings of a value by the systems its field stops with a sync error."""

REQUESTS_MAX = 8
"""Requests (Sync Person, retry) remembered, so that a repeat of one has no effect."""
