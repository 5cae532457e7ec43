"""Hostile input at speed: whatever a producer can send, by the schemas and against them, among good messages.

    shapes.py       messages that a JSON Schema allows
    spoiling.py     what can be wrong with one: its bytes, its members, its key, its headers
    life.py         good messages: people who are created, edited, converted, merged and deleted in both systems
    sending.py      the stream of all three, made by a seed
    judging.py      what should become of a message, by the published models and the rules of its topic
    in_process.py   the agents' own functions over that stream, without a broker
    reading.py      everything that reads a contract by itself: codecs, policies, what the connectors keep
    on_kafka.py     a real worker on a real broker, and what stands on its topics afterwards

`python -m tests.fuzz --messages 1000000 [--seed N] [--in-process]`.
"""
