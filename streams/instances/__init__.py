"""What an operator does with the two live instances before, and beside, the sync: `setup`, `doctor`, `rules import`, `check --live`.

* `live`: what an instance says of its columns, whichever system it is. `marketo_metadata` and `dynamics_metadata` make it of
  what the APIs tell, without I/O; `reading_metadata` asks them. `connecting` opens clients for a command.
* `setup*`: our own fields, made where they are missing.
* `doctor*`: a first connection, step by step.
* `rules_import*`: rule files from live metadata.
* `agreement*`: where policy, rule files and instances disagree.

What decides is pure and stands apart from the commands that ask and show.
"""
