"""What the agents count while they work; `metrics.py` shows it to Prometheus.

Plain counters, so that counting costs the hot path next to nothing and the agents know nothing of Prometheus. A batch that
is handled again after a failure is counted again by the new process; counters start at nought with each process.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field


@dataclass
class Tally:
    """Counts since the process began; seconds are of this process's clock.

    `errors_open`: per held partition of `person.changes`, how many sync errors are open in its states now.
    """

    changes_in: Counter[str] = field(default_factory=Counter)  # by system
    effects: Counter[str] = field(default_factory=Counter)  # of folded changes: folded, repeat, closed, no_effect
    collisions: Counter[tuple[str, str]] = field(default_factory=Counter)  # by record type and winner
    errors_opened: Counter[str] = field(default_factory=Counter)  # by receiving system
    errors_closed: Counter[str] = field(default_factory=Counter)
    errors_open: Counter[int] = field(default_factory=Counter)  # by partition
    rejections: Counter[str] = field(default_factory=Counter)  # by reason
    core_seconds: float = 0.0
    core_changes: int = 0
