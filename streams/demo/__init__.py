"""Two simulated systems, the people who work in them, and an oracle that knows what must come of it.

Nothing in these modules knows Kafka, asyncio or a clock: time and chance come in as arguments, so that the same seed gives
the same story, in the seeded simulation of `tests/simulation` as in `leadsync demo` on a real broker.

    users ──edits──► marketo, dynamics ──what happened──► oracle (through `witness`)
                        │        ▲
             feed, announced   apply(command) -> results
                        ▼        │
                  (a scheduler carries messages between them and the processor, late, twice, in any order)

* `record`, `saving`: a record as a system holds it, and what a system does to values on save (rewriting, defaults, refusals).
* `system`, `marketo`, `dynamics`: the two systems: user actions, and the feeds that show what happened. Marketo lists
  every change in order (`feed`); Dynamics shows a row only when somebody reads it (`unread`, `read`).
* `marketo_applier`, `dynamics_applier`: what an applier does with a command, by the design's sections 4.2 and 4.4 to 4.6. What it puts into
  a record's stream by itself (`linked`) goes to `announced`; its results are returned, and the scheduler is free to be late with them.
* `witness`: what the systems tell an onlooker, and the onlooker that does nothing.
* `oracle`: follows every edit through both systems by true sight and, at rest, says what each system must hold.
* `entering`, `forms`, `users`: values that people enter, where they can, and the people, by a table of how often they do what.
* `stock`: the two systems with the habits that a demo shows, for a policy.
"""
