"""The Marketo connector: the change feed in, commands and activity-log entries out, Sync Person calls taken.

* `client` on `calls`: every call that is made, paced, with a token, repeated where that is safe.
* `entries`, `writes`, `rows`, `lagging`, `changes`: what the feed shows, made into changes; no I/O. `reading` and `feed` around them.
* `applier`, `updating`, `creating` on `sending`: commands, in batches and rounds, settled by reading after every doubt.
* `requests`, `flow_step`: Sync Person as a webhook and as a flow step.
* `activities`: failures into the log of the person, where a marketer looks for them.
"""
