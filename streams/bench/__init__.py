"""`leadsync bench`: what one worker does per second and per CPU-second, beside a loop that only moves the same bytes.

The load. People who are linked pairs at rest, each of a Marketo person and a Dynamics lead with `--fields` fields; the
worker itself brought them there, from rows of new leads. Then rounds: `--edits` people have one field edited, every other
one in Marketo (the feed names the field alone), the others in Dynamics (the whole row is read); each edit makes the worker
send a command to the other system, and that system's stream shows the landing. Edits and landings are source changes, and
rates are per source change: about half of them are edits (`edit_share` says).

A *wave* is what the worker is given at once: a round's edits, then the landings that answer its commands. The messages of a
wave are written in one transaction, so the worker, which reads committed messages, sees none of them before all are there
and nothing else runs while it works. That makes the CPU time per change repeatable on a small, shared machine, where a
steady stream would measure who gets the cores. A wave ends when the group has committed all of its offsets, `person.changes`
included. The process that plays the two systems works between waves; its CPU time is not counted.

What is measured, wave by wave in turn, so that a machine that slows down slows them all:

    worker_memory     `leadsync worker`, a process of its own: both agents, tables in memory, one transaction per batch
    floor             a bare aiokafka loop, a process of its own: reads the very messages that the worker read in this wave,
                      of both hops, and writes the very messages that it wrote, changelogs too, in ready-made batches;
                      decodes nothing, has no transactions and no group
    core              `step` alone, on decoded messages and states
    core_and_codecs   both agents' `handle`, from bytes to bytes, without a broker

CPU time is user and system time of the whole process, all threads. Medians over the rounds; a warm-up round is not counted.
`ratio_per_cpu_second` is the median of the rounds' own ratios of worker and floor.

    load.py      how many people, and the policy with that many fields
    systems.py   both systems, played: first rows, edits, landings
    wire.py      the bench's end of Kafka: release a wave, know when it is folded
    ranges.py    what a wave was, as ranges of offsets; read by the two helpers
    subject.py   the worker that is measured
    helper.py    a measured loop in a process of its own, asked wave by wave; floor.py and core.py are the two
    rounds.py    the order of it all
    report.py    medians, the JSON object, the table
"""
