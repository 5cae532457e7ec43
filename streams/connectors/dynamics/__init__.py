"""The Dynamics 365 (Dataverse Web API) connector: change tracking in, conditional writes out.

* `tokens`, `calling`, `batch`, `client`, `verdict`: calls, and what is known after each of them.
* `columns`, `rows`, `decisions`, `answers`, `positions`: what is asked for, what a row means, what follows from it. No I/O.
* `lookups`, `organisation`, `relations`, `reading`, `owners`, `twins`: what is looked up.
* `feed`, `full_read`: change tracking, and what happens when it has forgotten where we were; `wakeup`: when it is read.
* `applier`, `updates`, `creates`, `actions`, `writing`, `waiting`: commands, carried out.
* `telling`, `aside`: the one way into the streams, for the feed and the applier alike, and what cannot go it yet.
* `connector` puts them together.
"""
