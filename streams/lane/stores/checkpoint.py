"""How far a local store follows its changelog, and when that may be believed.

The checkpoint stands in the store itself and is written with the values, in one step: the store holds everything that was
committed before `offset`. It may hold values from after it too; reading on from `offset` ends in the same table.

A reading that begins in the middle sees every later value, but not every deletion: compaction takes a deletion away once
`delete.retention.ms` have passed since the value before it went (https://kafka.apache.org/documentation/#design_compactionguarantees).
So a checkpoint is as good as it is young, unless nothing was written since.
"""

from typing import Final

import msgspec
from msgspec import Struct

from streams.lane.stores.store import ChangelogFacts

FORMAT: Final = 1
"""Of everything a store keeps on disk. Raise it with any change; stores of another one are read anew."""
MARKER_OFFSETS = 1
"""Between a checkpoint and the end of its log there is at least the marker of the transaction that it was written after."""
CLOCK_SECONDS = 60.0
"""How far in the future a checkpoint may lie before the clock is known to have been put back."""
READING_SECONDS = 600.0
"""So long may the reading that begins at a checkpoint take until it has passed every deletion."""


class Checkpoint(Struct, frozen=True, kw_only=True):
    """`log_id`: of which log; `offset`: up to where; `at`: no later than when, in seconds since the epoch.

    `counted`: the sum of the agent's count over all values; None while it is not known.
    """

    format: int = FORMAT
    log_id: str
    offset: int
    at: float
    counted: int | None = None


class _Versioned(Struct):
    format: int


class UnusableCheckpointError(Exception):
    """The checkpoint cannot be read; the message says why."""


_encoder = msgspec.json.Encoder()
_format_decoder = msgspec.json.Decoder(_Versioned)
_decoder = msgspec.json.Decoder(Checkpoint)


def encode_checkpoint(checkpoint: Checkpoint) -> bytes:
    """As it stands in a store."""
    return _encoder.encode(checkpoint)


def decode_checkpoint(encoded: bytes) -> Checkpoint:
    """Raises UnusableCheckpointError for what another version wrote, or nobody."""
    try:
        found = _format_decoder.decode(encoded).format
        if found != FORMAT:
            raise UnusableCheckpointError(f"its format is {found}, and here it is {FORMAT}")
        return _decoder.decode(encoded)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UnusableCheckpointError(f"its checkpoint cannot be read: {error}") from None


def reason_for_doubt(checkpoint: Checkpoint, facts: ChangelogFacts) -> str | None:
    """Why the log must be read from its beginning; None where it need not."""
    offset, age = checkpoint.offset, facts.at - checkpoint.at
    if facts.log_id is None:
        return "the broker gives its changelog no id, by which one that was made anew could be told"
    if checkpoint.log_id != facts.log_id:
        return f"it belongs to the log {checkpoint.log_id}, and this one is {facts.log_id}"
    if offset < facts.beginning:
        return f"its checkpoint {offset} lies before the beginning of the log, {facts.beginning}"
    if offset > facts.end:
        return f"its checkpoint {offset} lies after the end of the log, {facts.end}"
    if facts.end - offset <= MARKER_OFFSETS:
        return None
    if facts.deletions_kept_ms is None:
        return "the broker does not tell for how long it keeps deletions"
    if not -CLOCK_SECONDS <= age <= facts.deletions_kept_ms / 1000 - READING_SECONDS:
        kept_seconds = facts.deletions_kept_ms / 1000
        return f"its checkpoint is {age:.0f} seconds old, and deletions are only kept for {kept_seconds:.0f}"
    return None
