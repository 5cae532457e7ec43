"""What the workers said happened: the activity log and the dead letters, counted as they come."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from schemas.rejection import Rejection
from schemas.vocabulary import RecordType, System
from streams.codec import decode_activity
from streams.demo.landings import Landings
from streams.sync.answers import FINAL_CODES
from streams.sync.messages import Activity

REJECTIONS_KEPT = 5
FAILED_FOR_GOOD = FINAL_CODES | {"record_type"}
"""Codes of a Sync Person that fails and leaves no error open: there is nothing that anybody could correct."""


class Ledger:
    """Counts of activities. `complaints`: what must not be in any log, an activity that came twice or a collision won by the wrong one."""

    def __init__(self, landings: Landings, authority: Mapping[RecordType, System]) -> None:
        self.collisions: Counter[tuple[str, System]] = Counter()  # by record type and winner
        self.creations: Counter[System] = Counter()
        self.opened = 0
        self.closed = 0
        self.errors: Counter[str] = Counter()  # open by the log, by person
        self.failed_for_good = 0
        self.skipped = 0
        self.dead_letters = 0
        self.complaints: list[str] = []
        self.rejections: list[str] = []
        self._landings, self._authority = landings, authority
        self._seen: set[str] = set()

    def activity(self, body: bytes) -> None:
        """One entry of somebody's activity log."""
        activity = decode_activity(body)
        if activity.activity_id in self._seen:
            self.complaints.append(f"{activity.person_key}: activity {activity.kind} {activity.activity_id} came twice")
        self._seen.add(activity.activity_id)
        self._count(activity)

    def dead_letter(self, body: bytes) -> None:
        """A message that the workers could not handle; the first few are kept to be shown."""
        self.dead_letters += 1
        if len(self.rejections) < REJECTIONS_KEPT:
            found = Rejection.model_validate_json(body)
            self.rejections.append(f"{found.topic}[{found.partition}]@{found.offset}: {found.reason}: {found.detail}")

    def _count(self, activity: Activity) -> None:
        match activity.kind:
            case "collision" if activity.winner is not None:
                self._count_collision(activity, activity.winner)
            case "created" if activity.system is not None:
                self.creations[activity.system] += 1
            case "failed" if activity.code in FAILED_FOR_GOOD:
                self.failed_for_good += 1
            case "failed":
                self.opened += 1
                self.errors[activity.person_key] += 1
                self._landings.error_opened(activity.person_key)
            case "closed":
                self.closed += 1
                self.errors[activity.person_key] -= 1
                self._landings.error_closed(activity.person_key)
            case "skipped":
                self.skipped += 1
            case _:
                pass

    def _count_collision(self, activity: Activity, winner: System) -> None:
        kind = activity.record_type
        self.collisions[kind or "none", winner] += 1
        if activity.rule == "authority" and kind is not None and winner != self._authority[kind]:
            self.complaints.append(f"{activity.person_key}: {winner} won {activity.field} of a {kind}")
