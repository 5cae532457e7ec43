"""Everything that can be done to workers, broker and local stores, done on purpose while people edit: `leadsync demo --chaos`.

One strike follows the other, in an order and at moments that the seed decides; each kind once in every round, and between
two of them the system gets time to work. All the while producers repeat messages and reorder them between records, as
producers may. Afterwards nothing may show any of it: see `demo/audit`, which also says what holds which rule.

    scene.py        what is struck, and how to look at it
    workers.py      killed in recovery, in a rebalance, in mid-batch; stopped for longer than the session; added; removed
    brokers.py      the broker restarted, and killed; only where it is the demo's own
    stores.py       a full disk, and damaged files
    small_disk.py   a program that has little room on disk
    disorder.py     the producers
    course.py       one strike after the other
"""
