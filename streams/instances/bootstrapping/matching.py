"""Which records are one person: by the keys that they hold and, if asked, by e-mail address.

A pair is only what nobody can doubt. Two living records of one system that hold one person's key, or several that share an
address with one in the other system, are set aside: somebody has to look at them. Records whose keys name different persons
are never paired by address.
"""

from __future__ import annotations

from schemas.identity import person_key_of
from schemas.vocabulary import DYNAMICS, MARKETO
from streams.instances.bootstrapping.store import Store

ALONE = """
    r.state = 'living'
    AND NOT EXISTS (SELECT 1 FROM aside a WHERE a.system = r.system AND a.id = r.id)
    AND NOT EXISTS (SELECT 1 FROM pairs p WHERE r.system = 'marketo' AND p.marketo_id = r.id)
    AND NOT EXISTS (SELECT 1 FROM pairs p WHERE r.system = 'dynamics' AND p.dynamics_id = r.id)
"""

INHERIT_KEYS = """
    UPDATE records SET person = (
        SELECT former.person FROM records former
        WHERE former.system = 'dynamics' AND former.id = records.stream AND former.person IS NOT NULL
    ) WHERE system = 'dynamics' AND person IS NULL AND state = 'living' AND stream <> id
"""
"""Our columns are not copied to the contact that a lead becomes: the lead's key is the key of both."""

ORIGIN_TWICE = """
    INSERT OR IGNORE INTO aside
    SELECT r.system, r.id, 'origin', r.stream FROM records r WHERE r.state = 'living' AND r.system = 'dynamics' AND r.stream IN (
        SELECT stream FROM records WHERE state = 'living' AND system = 'dynamics' GROUP BY stream HAVING count(*) > 1
    )
"""
"""Two contacts that name one lead: one of them was put there by hand."""

KEY_TWICE = """
    INSERT OR IGNORE INTO aside
    SELECT r.system, r.id, 'key', r.person FROM records r WHERE r.state = 'living' AND r.person IN (
        SELECT person FROM records WHERE state = 'living' AND person IS NOT NULL
        GROUP BY system, person HAVING count(*) > 1
    )
"""

PAIR_BY_KEY = f"""
    INSERT INTO pairs
    SELECT r.id, d.id, r.person, 'key' FROM records r INDEXED BY records_person
    CROSS JOIN records d INDEXED BY records_person
    ON d.system = 'dynamics' AND d.person = r.person AND d.person IS NOT NULL AND d.state = 'living'
    WHERE r.system = 'marketo' AND r.person IS NOT NULL AND {ALONE} AND NOT EXISTS (
        SELECT 1 FROM aside a WHERE a.system = 'dynamics' AND a.id = d.id
    )
"""

"""The indexes are named: without them, SQLite compares every record with every other."""

BY_EMAIL = f"""
    SELECT r.email, group_concat(CASE r.system WHEN 'marketo' THEN r.id END, char(10)),
        group_concat(CASE r.system WHEN 'dynamics' THEN r.id END, char(10)),
        min(r.person), max(r.person)
    FROM records r WHERE r.email IS NOT NULL AND {ALONE}
    GROUP BY r.email HAVING count(DISTINCT r.system) = 2
"""


def match(store: Store, *, by_email: bool) -> None:
    """Find the pairs anew, from what was read. Writes `pairs` and `aside`."""
    with store.together():
        store.db.execute("DELETE FROM pairs")
        store.db.execute("DELETE FROM aside")
        store.db.execute(INHERIT_KEYS)
        store.db.execute(ORIGIN_TWICE)
        store.db.execute(KEY_TWICE)
        store.db.execute(PAIR_BY_KEY)
        if by_email:
            _match_by_email(store)


def _match_by_email(store: Store) -> None:
    for email, in_marketo, in_dynamics, person, other in store.db.execute(BY_EMAIL).fetchall():
        marketo, dynamics = in_marketo.split("\n"), in_dynamics.split("\n")
        if len(marketo) == len(dynamics) == 1 and person == other:
            key = person or person_key_of(MARKETO, marketo[0])
            store.db.execute("INSERT INTO pairs VALUES (?, ?, ?, 'email')", (marketo[0], dynamics[0], key))
            continue
        for system, ids in ((MARKETO, marketo), (DYNAMICS, dynamics)):
            store.db.executemany("INSERT INTO aside VALUES (?, ?, 'email', ?)", ((system, each, email) for each in ids))
