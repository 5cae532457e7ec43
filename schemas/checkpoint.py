"""Checkpoint: how far a connector has read its system's change feeds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from schemas.limits import FEEDS_MAX, HELD_ENTRIES_MAX, RECENT_ENTRIES_MAX
from schemas.vocabulary import Contract, Id, Name, System, ValueText, Version


class Checkpoint(Contract):
    """An entry of `checkpoints`, in one transaction with the changes it stands behind. Key of its message: the system.

    `positions` holds each feed's paging token or delta link by the feed's name. `version` is the last one that the Marketo
    connector gave to a change: its own counter over changes, deletions and merges together. `recent` are the ids
    of the last entries read, so that an entry which the system shows twice is told once; `held` the entries, as they came, of a
    write that may go on in what is read next, and of people whose rows show more than the feed lists yet, merges among them.
    """

    model_config = ConfigDict(title="Checkpoint")

    contract: Literal["checkpoint/1"] = "checkpoint/1"
    system: System
    positions: Annotated[Mapping[Name, ValueText], Field(max_length=FEEDS_MAX)]
    version: Version = 0
    recent: Annotated[tuple[Id, ...], Field(max_length=RECENT_ENTRIES_MAX)] = ()
    held: Annotated[tuple[ValueText, ...], Field(max_length=HELD_ENTRIES_MAX)] = ()
