"""`leadsync demo --rest`: the same people and the same oracle, but everything goes through REST.

Both simulated systems stand behind the simulators' REST interfaces, with faults; two connector processes, as they would run
against the real systems, stand between them and Kafka, and are killed now and then. Nothing here reaches into a connector:
what it did is seen in the systems and on Kafka.
"""
