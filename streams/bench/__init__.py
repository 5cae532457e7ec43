"""`leadsync bench`: what one worker does per second and per CPU-second, beside a loop that only moves the same bytes.

The load. People who are linked pairs at rest, each of a Marketo person and a Dynamics lead with `--fields` fields; the
subject itself brought them there, from rows of new leads. Then rounds: `--edits` people have one field edited, every other
one in Marketo (the feed names the field alone), the others in Dynamics (the whole row is read); each edit makes the subject
send a command to the other system, and that system's stream shows the landing. A round ends when nothing more is commanded.
Edits, landings and unreadable messages are source changes, and rates are per source change: about half of them are edits
(`edit_share` says). Answers to commands (only collisions cause any, and few) are work, but no source changes. At the end of a
load both systems must be alike, and exactly the unreadable messages be in `dead-letter`: what was measured was the merge.

A *wave* is what a subject is given at once: a round's edits, then the landings that answer its commands, and so on. The
messages of a wave are written in one transaction, so the subject, which reads committed messages, sees none of them before
all are there and nothing else runs while it works. That makes the CPU time per change repeatable on a small, shared machine,
where a steady stream would measure who gets the cores. A wave ends when the group has committed all of its offsets,
`person.changes` included.

The process that plays the two systems is the bench's own, and no measured one: it writes between the waves, waits while one
is folded, then reads the committed commands and answers each with its landing. Its CPU time is not counted.

What is measured, in turn within each round, so that a machine that slows down slows them all:

    worker_memory     `leadsync worker`, a process of its own: both agents, tables in memory, one transaction per batch
    worker_rocksdb    the same with its tables in RocksDB
    plain_faust       the same merge as a plain agent of Faust, from `tests/bench/` of the checkout
    quix              the same merge on Quix Streams, likewise
    floor             a bare aiokafka loop, a process of its own: reads the very messages that worker_memory read in each
                      wave, of both hops, and writes the very messages that it wrote, changelogs too, in ready-made batches;
                      decodes nothing, has no transactions and no group
    core              the core alone, as sync calls it, on decoded messages and states
    core_and_codecs   both agents' `handle`, from bytes to bytes, without a broker

Each subject has topics and people of its own. It stays connected while others are measured; `idle_cpu_share` says how much of
a core that takes. The slow ones get fewer people and edits (`sizes`); their wall time includes the 0.2 seconds for which the
yardsticks let commits wait. CPU time is user and system time of the whole process, all threads. Medians over the rounds, in
each of which another subject begins; a warm-up round of each load is not counted. A ratio is the median of the rounds' own.

The other loads, each a variant of the steady one:

    hot_person            one person gets a tenth of all edits, in fields that do not collide; most of them travel together
    collisions            of the people edited, one in twenty has the field edited in both systems, neither in sight of the other
    bad_input             one message in a hundred cannot be read
    backlog               the subject is stopped, one edit per person is written, and it is started again. What was written is
                          released when it has its partitions and its tables: catching up is measured, not the start. Stock
                          Faust, which can pass events over when it starts, stands still meanwhile (SIGSTOP, SIGCONT)
    fields_10, fields_100 people of so many fields

In a short run they have fewer edits than the steady load, so fewer in a batch: compare them with their own floor, or `--long`.

    load.py      how large the loads are, and the policy with that many fields
    systems.py   both systems, played: first rows, edits, landings; editing.py: who edits what
    message.py   what they show as messages, and messages that nobody can read
    wire.py      the bench's end of Kafka: release a wave, know when it is folded, check what was rejected
    ranges.py    what a wave was, as ranges of offsets; read by the two helpers
    subjects.py  what can be measured; subject.py: the process of one
    helper.py    a measured loop in a process of its own, asked wave by wave; floor.py and core.py are the two
    plan.py      what a run measures, and why not the rest
    play.py      one subject through the rounds of a load
    rounds.py    the order of it all
    report.py    medians, the JSON object; tables.py: the tables
    parts.py     what is measured besides rates; whole.py: a whole run
"""
