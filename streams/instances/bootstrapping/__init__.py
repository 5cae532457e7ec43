"""The initial sync: who is in both systems is linked, what is known is told, and the connectors are told where to go on.

    marketo_reading ──► store ──► matching ──► plan ──► (a table, a file)
    dynamics_reading ─┘                     └► writing ──► streams, what is known, checkpoints

* `store`: what was read and how far it came, in one file; everything can be gone on with after a crash.
* `matching`: which records are one person. `telling`: what is said of them. `foreseen`: what the core will make of that.
  `plan`: all of it in lines, `plan_file` and `display` for people and programs.
* `writing`: the same, told, through the connectors' own journals. `running` puts the parts together.
"""
