"""The Dataverse Web API (v9.2) over simulated Dynamics: leads, contacts, users, accounts, metadata, as Microsoft documents them.

* `call`, `answers`: a request and its reply without HTTP, so that a `$batch` and a socket are one thing to what answers.
* `columns`, `option_labels`, `schema`, `directory`, `privileges`: the tables, what their columns take, the users and what ours may do.
* `instance`, `changelog`, `keys`, `undo`: SimulatedDynamics with what REST adds: a log of changes by row version, alternate keys,
  and a way back from a change set that fails.
* `records` (with `finding`, `writes`, `coercion`, `rows`, `expanding`), `several`, `actions`: records, one and many.
* `listing` (with `filters`), `fetching`, `sql`: queries. `tracking`: change tracking. `batch`: many requests in one.
* `metadata` (with `definitions`, `making`, `relationships`, `metadata_changes`): what there is, and making more of it.
* `service` finds who answers. `app` is the socket's side, with `tokens`, `limits` and the faults; `webhook` tells an endpoint of changes.

Simulated: what `leadsync` and the clients tried against it use. A request for anything else is answered 501 with its name.
"""
