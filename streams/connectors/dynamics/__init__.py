"""The Dynamics 365 (Dataverse Web API) connector: change tracking in, conditional writes out.

* `tokens`, `calling`, `batch`, `client`, `verdict`: calls, and what is known after each of them.
* `columns`, `rows`, `decisions`, `answers`, `positions`: what is asked for, what a row means, what follows from it. No I/O.
* `organisation`, `relations`, `reading`, `owners`, `twins`: what is looked up.
* `feed`, `full_read`: change tracking, and what happens when it has forgotten where we were; `wakeup`: when it is read.
* `applier`, `updates`, `creates`, `actions`, `writing`: commands, carried out.
* `telling`: the one way into the streams, for the feed and the applier alike.
* `connector` puts them together.
"""
