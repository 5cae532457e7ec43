"""What stands between Kafka and the two systems' REST interfaces: change feeds in, commands out.

    feed ──► changes, records, checkpoint ──┐
                                            ├─► journal: one transaction for each, one writer
    commands ──► applier ──► results, rows ─┘

* `settings`, `rest`, `pacing`: who we are there, what an answer means, and how often we may ask.
* `journal`: the connector's only way to write to Kafka; `known`: what it has read, kept in a compacted topic.
* `lanes`: commands, from their topics to an applier and the answers back. The topic is the queue: nothing else survives.
  `progress`: which of them have an answer.
* `marketo`, `dynamics`: a feed, an applier and what each system needs besides. What they decide stands in modules without
  I/O (`marketo/changes.py`, `dynamics/rows.py`); the loops around have no decision in them.

One connector process for a system at a time. A second one takes over: its journal fences the first, which then ends.
"""
