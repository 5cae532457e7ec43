"""The seeded simulation: both systems, the processor's pure parts and the people in one thread, in any order a scheduler can think of.

    python -m tests.simulation --seeds 2000                  every profile, its share of the seeds
    python -m tests.simulation --seed 123 --profile edits --trace   one story, told step by step

* `profiles`: what may happen in a world, by name.
* `small_policy`: a policy with few fields of every sort, so that a world is cheap.
* `processor`: intake and sync as the shell runs them: in batches, each of which commits whole or not at all.
* `appliers`: what carries commands to the systems and answers back: late, twice, or never.
* `world`: the scheduler.
* `test_teeth`: faults planted on purpose, each of which some world must notice.
* `laws`: what must be true of every history, beside what the oracle says of its end.
"""
