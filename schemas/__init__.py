"""The contracts at leadsync's edges: what stands on each Kafka topic.

Everything here is a frozen pydantic model with a name and a version (`contract`, for example `source-change/1`).
Adding an optional field is compatible; anything else is a new version, and the worker reads every version it ever wrote.
JSON Schema and AsyncAPI are generated from these models (`python -m schemas.export`), examples stand in `schemas/examples/`.
"""

from schemas.activity import Activity
from schemas.apply_command import ApplyCommand
from schemas.apply_result import ApplyResult
from schemas.checkpoint import Checkpoint
from schemas.known_record import KnownRecord
from schemas.person_change import PersonChange
from schemas.policy_record import PolicyRecord
from schemas.rejection import Rejection
from schemas.source_change import SourceChange
from schemas.topics import TOPICS, TopicSpec

__all__ = [
    "TOPICS",
    "Activity",
    "ApplyCommand",
    "ApplyResult",
    "Checkpoint",
    "KnownRecord",
    "PersonChange",
    "PolicyRecord",
    "Rejection",
    "SourceChange",
    "TopicSpec",
]
