"""How much of everything: what a message may hold, what is kept of a person, what a policy may say. One table.

A message can be as long, as deep and as odd as whoever sends it likes, and a history as long as a life. Each limit says what
it bounds, why it is where it is, and what becomes of one more: `LIMITS`, which the README shows as `table` gives it.
`tests/test_limits.py` goes to each limit and one beyond it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

MESSAGE_BYTES_MAX = 8 * 1024 * 1024
UNPACKED_BYTES_MAX = 32 * 1024 * 1024
BODY_BYTES_MAX = 1024 * 1024
RECORD_BYTES_MAX = 1_250_000
NESTING_MAX = 200

ID_CHARACTERS_MAX = 128
DYNAMICS_KEY_CHARACTERS_MAX = 100
CREATIONS_MAX = 1_000_000
PERSON_KEY_CHARACTERS_MAX = DYNAMICS_KEY_CHARACTERS_MAX - len(f"#{CREATIONS_MAX}")
NAME_CHARACTERS_MAX = 128
TIME_CHARACTERS_MAX = 35
FIELDS_MAX = 500
VALUE_CHARACTERS_MAX = 131_072
OPTIONS_MAX = 500
INTEGER_MAX = 2**63 - 1
VERSION_MAX = 2**63 - 1
REVISION_MAX = 2**31 - 1
TEXT_CHARACTERS_MAX = 4_000
CAUSES_MAX = 64

CLOSED_RECORDS_MAX = 16
REQUESTS_MAX = 8
VALUES_HELD_MAX = 8
REWRITES_MAX = 3

REJECTED_BYTES_MAX = 65_536
REJECTED_KEY_BYTES_MAX = 1_024
REJECTED_HEADERS_MAX = 64
REJECTED_HEADER_BYTES_MAX = 1_024

POLICY_TEXT_BYTES_MAX = 200_000
RULE_FILES_MAX = 16
RULE_COLUMNS_MAX = 2_000

FEEDS_MAX = 16
RECENT_ENTRIES_MAX = 1_000
HELD_ENTRIES_MAX = 1_000


class Limit(NamedTuple):
    """`most`, in `unit`, of what `of` says; `why` it is there; `beyond`: what becomes of one more."""

    of: str
    most: int
    unit: str
    why: str
    beyond: str


REFUSED = "`dead-letter`, `invalid`"
OLDEST_FORGOTTEN = "the oldest is forgotten"

LIMITS: Mapping[str, Limit] = {
    "MESSAGE_BYTES_MAX": Limit(
        "a message on a topic",
        MESSAGE_BYTES_MAX,
        "bytes",
        "more than is read, so that too large a body is rejected with its reason",
        "the broker refuses it",
    ),
    "UNPACKED_BYTES_MAX": Limit(
        "a compressed batch of messages, unpacked",
        UNPACKED_BYTES_MAX,
        "bytes",
        "four of the largest messages; producers make batches of one MiB at most, if not told otherwise",
        "`dead-letter`, `oversized`: the batch as it came, in one letter, under the offset of its last message",
    ),
    "BODY_BYTES_MAX": Limit(
        "a body that is read or sent; a person's state",
        BODY_BYTES_MAX,
        "bytes",
        "500 fields of 2,000 characters; what Kafka's own producers send unasked",
        "`dead-letter`, `oversized`; a change that would cause more: `outcome_oversized`, its person as before",
    ),
    "RECORD_BYTES_MAX": Limit(
        "what we send, with key and headers",
        RECORD_BYTES_MAX,
        "bytes",
        "a body at its limit, with the largest key and headers",
        "cannot be: the body's limit comes first",
    ),
    "NESTING_MAX": Limit(
        "objects and lists within each other",
        NESTING_MAX,
        "levels",
        "as deep as pydantic reads; no contract needs more than 4, what members of later versions need is not known",
        "`dead-letter`, `unreadable`",
    ),
    "ID_CHARACTERS_MAX": Limit(
        "an id, a message's key", ID_CHARACTERS_MAX, "characters", "ids of both systems have at most 36", REFUSED
    ),
    "DYNAMICS_KEY_CHARACTERS_MAX": Limit(
        "our key field, `<person_key>#<n>`",
        DYNAMICS_KEY_CHARACTERS_MAX,
        "characters",
        "the length of the column that `leadsync setup` makes in Dynamics",
        "cannot be: the person key's limit comes first",
    ),
    "CREATIONS_MAX": Limit(
        "n of a key", CREATIONS_MAX, "", "our creations of one person in one system; it rises after deletions", REFUSED
    ),
    "PERSON_KEY_CHARACTERS_MAX": Limit(
        "a person key",
        PERSON_KEY_CHARACTERS_MAX,
        "characters",
        "with `#` and n it fits into our key field in Dynamics",
        REFUSED,
    ),
    "NAME_CHARACTERS_MAX": Limit(
        "a field's name, `who`, a code",
        NAME_CHARACTERS_MAX,
        "characters",
        "columns and users of both systems have shorter ones",
        REFUSED,
    ),
    "TIME_CHARACTERS_MAX": Limit(
        "a time", TIME_CHARACTERS_MAX, "characters", "RFC 3339 with nanoseconds and a zone", REFUSED
    ),
    "FIELDS_MAX": Limit(
        "fields of a change; of a policy, and so of a person that it keeps",
        FIELDS_MAX,
        "fields",
        "far above the hundred that people select; a person's are those of the policies they were folded under",
        f"{REFUSED}; a policy is refused",
    ),
    "VALUE_CHARACTERS_MAX": Limit(
        "a text value", VALUE_CHARACTERS_MAX, "characters", "a text area in Marketo holds 30,000 bytes", REFUSED
    ),
    "OPTIONS_MAX": Limit(
        "values of a multi-select; options of a field",
        OPTIONS_MAX,
        "options",
        "Dynamics lets 150 be chosen at once",
        f"{REFUSED}; a policy is refused",
    ),
    "INTEGER_MAX": Limit("a whole number", INTEGER_MAX, "", "64 bits, what both systems hold at most", REFUSED),
    "VERSION_MAX": Limit("`version`", VERSION_MAX, "", "64 bits, as `versionnumber` in Dynamics", REFUSED),
    "REVISION_MAX": Limit(
        "a revision that a record shows",
        REVISION_MAX,
        "",
        "the field that holds it is a whole number of 32 bits in both systems",
        REFUSED,
    ),
    "TEXT_CHARACTERS_MAX": Limit(
        "a message for people",
        TEXT_CHARACTERS_MAX,
        "characters",
        "an error with its place; it is kept in a person's state",
        f"{REFUSED}; our own are cut",
    ),
    "CAUSES_MAX": Limit(
        "causes that a command names", CAUSES_MAX, "ids", "the edits of one command, for who looks into it", "left out"
    ),
    "CLOSED_RECORDS_MAX": Limit(
        "closed records remembered, per person and system",
        CLOSED_RECORDS_MAX,
        "records",
        "deletions and merges of one person",
        f"{OLDEST_FORGOTTEN}; a later change of it would link it anew",
    ),
    "REQUESTS_MAX": Limit(
        "requests (Sync Person, retry) remembered, per person",
        REQUESTS_MAX,
        "requests",
        "a repeat of one has no effect; Kafka and Marketo repeat soon or not at all",
        f"{OLDEST_FORGOTTEN}; a repeat of it would be done again, harmlessly",
    ),
    "VALUES_HELD_MAX": Limit(
        "former values of a field in Dynamics, since the last agreement",
        VALUES_HELD_MAX,
        "values",
        "what a lead held is no edit in the contact that it becomes",
        f"{OLDEST_FORGOTTEN}; in the contact it would count as an edit",
    ),
    "REWRITES_MAX": Limit(
        "rewritings on save of one value",
        REWRITES_MAX,
        "rewritings",
        "two systems that rewrite each other's spelling would go on for ever",
        "at the third the field stops, with a sync error",
    ),
    "REJECTED_BYTES_MAX": Limit(
        "of a rejected body kept in `dead-letter`",
        REJECTED_BYTES_MAX,
        "bytes",
        "to mend it; its length and hash tell the rest",
        "cut",
    ),
    "REJECTED_KEY_BYTES_MAX": Limit(
        "of a key kept in `dead-letter`",
        REJECTED_KEY_BYTES_MAX,
        "bytes",
        "no key that is read is longer than 512",
        "cut",
    ),
    "REJECTED_HEADERS_MAX": Limit(
        "headers kept in `dead-letter`", REJECTED_HEADERS_MAX, "headers", "CloudEvents needs 6", "left out"
    ),
    "REJECTED_HEADER_BYTES_MAX": Limit(
        "of each header's value kept in `dead-letter`",
        REJECTED_HEADER_BYTES_MAX,
        "bytes",
        "with the body's 64 KiB a rejection stays far below the limit of a body",
        "cut",
    ),
    "POLICY_TEXT_BYTES_MAX": Limit(
        "a policy or rule file",
        POLICY_TEXT_BYTES_MAX,
        "bytes",
        "four of them must fit into one message on `policies`",
        "the policy is refused",
    ),
    "RULE_FILES_MAX": Limit(
        "rule files beside a policy", RULE_FILES_MAX, "files", "there are three kinds", "the policy is refused"
    ),
    "RULE_COLUMNS_MAX": Limit(
        "columns in a rule file",
        RULE_COLUMNS_MAX,
        "columns",
        "a file of 200,000 bytes holds no more",
        "the policy is refused",
    ),
    "FEEDS_MAX": Limit("feeds in a checkpoint", FEEDS_MAX, "feeds", "one for each table that is read", "cannot be"),
    "RECENT_ENTRIES_MAX": Limit(
        "feed entries that a connector remembers",
        RECENT_ENTRIES_MAX,
        "ids",
        "Marketo shows at most 300 a page, and may show the last page again",
        OLDEST_FORGOTTEN,
    ),
    "HELD_ENTRIES_MAX": Limit(
        "entries that a connector has read and holds",
        HELD_ENTRIES_MAX,
        "entries",
        "a write of a person may go on in what is read next, and a row may show what the feed lists only then",
        "cannot be: a write names each of 500 selected fields once, and at most 300 entries wait",
    ),
}


def table() -> str:
    """The table, as the README shows it."""
    rows = [("what", "at most", "why", "one more"), ("---",) * 4]
    rows += [(of, f"{_number(most)} {unit}".strip(), why, beyond) for of, most, unit, why, beyond in LIMITS.values()]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _number(most: int) -> str:
    power = (most + 1).bit_length() - 1
    return f"2^{power} - 1" if power > 30 and most + 1 == 1 << power else f"{most:,}"
