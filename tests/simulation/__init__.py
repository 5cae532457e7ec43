"""The seeded simulation: both systems, the processor's core and agents and the people in one thread, in any order a scheduler can think of.

    python -m tests.simulation --seeds 100000                every profile, its share of the seeds, on every core
    python -m tests.simulation --profile edits --seed 123 --trace    one story, told step by step
    python -m tests.simulation --profile edits --seed 123 --shrink   a story that fails, as short as it can be told

What goes wrong in it, as Kafka and the systems can really produce it. In brackets, the rule that a test leaves out on purpose
(`test_teeth`): some world must notice, and would not without this fault.

* A command is done twice, the applier having died before it answered [creates without a key].
* An applier goes back and does again, late, what it did long ago [answers to old commands heeded].
* A write to Marketo that was given up for lost comes through after later ones [late repeats taken for edits].
* Rows show what is there when they are read, never what was overwritten before [unconditional writes].
* A conflict's row and the feed's rows come in any order, and twice [rows folded again].
* Results come before and after the streams they belong to, twice, or never [results taken for landings].
* An applier dies between its word, `linked`, and the create [an applier's word links].
* A request overtakes the feed that would tell whom it is about [views always folded].
* A batch is cut anywhere, computed, lost before its commit and computed again [outputs outside of the transaction].
* A zombie is fenced in mid-batch, its reads of the table stale [no fencing].
* Lifecycle events stand between any two steps: a deletion [deletions not read], a conversion [void commands forgotten], a merge
  [merged losers kept], linking and letting go of a record [streams never let go of].
* The systems rewrite on save [rewritings taken for edits], to what was there before too [what was kept taken for landed].
* A system leaves an applier without a word; what became of the write is known a day later [unknown outcomes taken for done].
* A record is made, and its applier answers that it was refused [refused records taken for strangers].
* Producers publish runs of a stream again, at once and long after [repeats folded again].
* Streams of different records come in any order [what comes later taken to have seen what came before].
* Change tracking loses its place, and everything is read again [deletions told twice].
* Streams do not show our fields [the next change taken for the landing].
* One person is typed in in both systems at once, and each side looks for a twin [twins taken from their persons], or several look for
  one [twins claimed late].

Some rules are left out besides, without a fault of the world's: [authority swapped], [feed entries lost], [revisions not seen],
[landings half believed].

* `profiles`: what may happen in a world, by name; `small_policy`: under which policies; `people`: who does it.
* `processor`: the agents of the shell, on topics and tables that are lists and dictionaries.
* `appliers`: what carries commands to the systems and answers back; `blindness`: streams without our fields.
* `world`: the scheduler, and everything that can happen.
* `judging`, `laws`: whether it ended right, and came about rightly; `findings`: what is wrong.
* `running`: many worlds; `chance`, `shrinking`, `telling`: one, recorded, shortened and told.
"""
