"""The lane: batches of Kafka records through Faust, each exactly once.

Faust brings the consumer group, the agents and the tables; the lane brings what Faust's own path cannot do: whole
batches, and one fenced transaction per batch that holds its outputs, its table changes and its input offset.

The theory, in four sentences. A source partition belongs to whoever initialised its transactional producer last: an
older one is refused by the broker from then on. So on assignment the lane *fences* (starts the producers), *loads* the
tables from what was committed, *seeks* to the committed offsets and only then *resumes*; nobody else can move either of
them in between. The local table changes only after the commit, so it never holds what a restart would take back. What
cannot be done ends the process, because a supervisor's restart from the last commit is the one repair that is always
right.

    from streams.lane import Batch, BatchAgent, BatchResult, LaneSettings, Output, create_app, main

    def count(batch: Batch) -> BatchResult:
        counts: dict[bytes, bytes | None] = {}
        outputs = []
        for record in batch.records:
            seen = int(counts.get(record.key) or batch.table.get(record.key, b"0")) + 1
            counts[record.key] = b"%d" % seen
            outputs.append(Output("counts", record.key, b"%d" % seen))
        return BatchResult(outputs, counts)

    settings = LaneSettings(app_id="demo", bootstrap_servers="127.0.0.1:9092")
    counter = BatchAgent(name="count", topics=("events",), tables={"events": "seen"}, handle=count)
    app = create_app(settings, [counter])           # a faust.App; topics and changelogs must exist
    changelog_topics(settings, [counter])           # -> ("demo-seen-changelog",)
    raise SystemExit(main(app))                     # or, in a loop of your own: leave_if_hung(await serve(app))

What is broken in Faust, aiokafka and Kafka, and where it is worked round, stands in `streams/workarounds.md`.

Reading order: `batch`, `settings`, `lane`, `lanes`, `transaction`, `changelog`; then what reaches into Faust:
`transport`, `recovery`, `app`, `worker`.
"""

from schemas.limits import UNPACKED_BYTES_MAX
from streams.lane.app import LaneApp, changelog_topics, create_app
from streams.lane.batch import Batch, BatchAgent, BatchResult, LaneError, Output, Record
from streams.lane.failed_fetches import heed_failed_fetches
from streams.lane.fetching import hand_on_all_records
from streams.lane.observer import Observer
from streams.lane.settings import LaneSettings
from streams.lane.unpacking import unpack_no_more_than
from streams.lane.worker import leave_if_hung, main, serve

# Whoever of ours makes a consumer has this package.
heed_failed_fetches()
hand_on_all_records()
unpack_no_more_than(UNPACKED_BYTES_MAX)

__all__ = [
    "Batch",
    "BatchAgent",
    "BatchResult",
    "LaneApp",
    "LaneError",
    "LaneSettings",
    "Observer",
    "Output",
    "Record",
    "changelog_topics",
    "create_app",
    "leave_if_hung",
    "main",
    "serve",
]
