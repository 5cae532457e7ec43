"""CloudEvents headers, by the Kafka protocol binding in binary mode: what lets other tools read what we write.

The body stands alone: on what we read, any headers are tolerated and none is needed, so nothing here reads them.
Every value comes from the message itself; `ce_time` is the time of the cause, never a clock's, so that a batch that
is carried out again writes the same bytes.
"""

from __future__ import annotations

from functools import cache

Headers = list[tuple[str, bytes]]

CONTENT_TYPE = ("content-type", b"application/json")
SPEC_VERSION = ("ce_specversion", b"1.0")


def type_of(contract: str) -> str:
    """`person-change/1` -> `leadsync.person-change.v1`."""
    name, _, version = contract.partition("/")
    return f"leadsync.{name}.v{version}"


def source_of(agent: str) -> str:
    """The `ce_source` of an agent, for example `/leadsync/sync`."""
    return f"/leadsync/{agent}"


def headers(ce_id: str, ce_type: str, ce_source: str, time: str | None = None) -> Headers:
    """The headers of one message; `time` is the cause's own, as it came (RFC 3339)."""
    same = _same_for_all(ce_type, ce_source)
    if time is None:
        return [*same, ("ce_id", ce_id.encode())]
    return [*same, ("ce_id", ce_id.encode()), ("ce_time", time.encode())]


@cache  # as many entries as there are contracts times agents, which the code fixes
def _same_for_all(ce_type: str, ce_source: str) -> tuple[tuple[str, bytes], ...]:
    return (CONTENT_TYPE, SPEC_VERSION, ("ce_type", ce_type.encode()), ("ce_source", ce_source.encode()))
