"""What the feed shows becomes changes of streams: one for each write, rows as they were, ends last."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.identity import person_key_of
from schemas.vocabulary import MARKETO, OURSELVES
from streams.connectors.known import KnownRecord, KnownRecords
from streams.connectors.marketo.answers import person
from streams.connectors.marketo.changes import Reading, Told, rows_wanted, tell
from streams.connectors.marketo.entries import FeedEntry, FieldChange, entry_of, time_of
from streams.connectors.marketo.rows import key_shown, revision_shown, row_before, row_of
from streams.connectors.marketo.writes import split_open, writes_of
from streams.sync.messages import SourceChange, Value

AT = "2026-09-01T09:14:07Z"
COLUMNS = ("jobTitle", "city")


def change(guid: int, lead: str = "775", request: str = "", time: str = AT, **values: tuple[Any, Any]) -> FeedEntry:
    """One activity of changed values: field=(old, new)."""
    changes = tuple(FieldChange(name, new, old) for name, (old, new) in values.items())
    return FeedEntry(str(guid), lead, 13, time, changes, "Form", "Filled Out", request, "ada")


def new_lead(guid: int, lead: str = "775") -> FeedEntry:
    return FeedEntry(str(guid), lead, 12, AT, who="ada")


def ended(guid: int, lead: str = "775") -> FeedEntry:
    return FeedEntry(str(guid), lead, 37, AT)


def merge(guid: int, winner: str, *losers: str) -> FeedEntry:
    return FeedEntry(str(guid), winner, 32, AT, losers=losers)


def row(**values: Value) -> Mapping[str, Value]:
    return row_of(values, COLUMNS)


def known(*records: KnownRecord) -> KnownRecords:
    found = KnownRecords(MARKETO)
    for each in records:
        found.learn(each)
    return found


def told_before(lead: str = "775", version: int = 1, key: str | None = None, **more: Any) -> KnownRecord:
    return KnownRecord(record=person(lead), stream=lead, version=version, key=key, **more)


def of(told: Told) -> list[SourceChange]:
    return [each.change for each in told.changes]


def test_the_fields_of_one_call_are_one_change() -> None:
    """Whatever else of other records stands between them; it bears the first entry's name."""
    entries = [
        change(1, request="a#1", jobTitle=("CIO", "CTO")),
        change(2, lead="776", request="b#2", city=(None, "Rome")),
        change(3, request="a#1", city=(None, "Oslo")),
    ]
    told = tell(Reading(entries), known(told_before(), told_before("776")), 7)
    assert [(each.change_id, each.fields, each.version) for each in of(told)] == [
        ("marketo/775/1", {"jobTitle": "CTO", "city": "Oslo"}, 8),
        ("marketo/776/2", {"city": "Rome"}, 9),
    ]
    assert told.version == 9 and [each.version for each in told.records] == [8, 9]


def test_what_a_bootstraps_row_showed_already_is_not_told_once_more() -> None:
    """Up to its time. From the first change that is told on nothing is kept of it."""
    held = told_before(shown_before="2026-09-01T09:14:07Z")
    early = [change(1, time="2026-09-01T09:14:06Z", jobTitle=("CIO", "CTO")), new_lead(2, "776")]
    told = tell(Reading(early), known(held, told_before("776")), 7)
    assert (told.changes, told.records, told.version) == ((), (), 7)
    told = tell(Reading([*early, change(3, time=AT, jobTitle=("CTO", "CEO"))]), known(held, told_before("776")), 7)
    assert [(each.fields, each.version) for each in of(told)] == [({"jobTitle": "CEO"}, 8)]
    assert [each.shown_before for each in told.records] == [None]


def test_without_a_request_id_time_source_and_reason_tell_writes_apart() -> None:
    """And one field changes once in a write."""
    entries = [
        change(1, jobTitle=("CIO", "CTO")),
        change(2, city=(None, "Oslo")),
        change(3, city=("Oslo", "Rome")),
        change(4, time="2026-09-01T09:14:08Z", jobTitle=("CTO", "CEO")),
    ]
    assert [write.values() for write in writes_of(entries)] == [
        {"jobTitle": "CTO", "city": "Oslo"},
        {"city": "Rome"},
        {"jobTitle": "CEO"},
    ]


def test_a_write_is_not_moved_past_a_change_of_the_same_field() -> None:
    """Where somebody's edit stands within our write, what comes after it stays after it."""
    entries = [
        change(1, request="ours#1", leadsyncRevision=("1", "2")),
        change(2, request="theirs#1", city=("Rome", "Paris")),
        change(3, request="ours#1", jobTitle=("CIO", "CTO")),
        change(4, request="ours#1", city=("Paris", "Oslo")),
    ]
    assert [write.values() for write in writes_of(entries)] == [
        {"leadsyncRevision": "2", "jobTitle": "CTO"},
        {"city": "Paris"},
        {"city": "Oslo"},
    ]


def test_our_two_fields_are_no_fields_of_the_change() -> None:
    """They are its person, its creation number and its revision, and make it ours."""
    ours = [
        change(1, request="a#1", jobTitle=("CIO", "CTO")),
        change(2, request="a#1", leadsyncKey=(None, "p-1#0")),
        change(3, request="a#1", leadsyncRevision=(None, "4")),
    ]
    told = tell(Reading([*ours, change(4, city=(None, "Oslo"))]), known(told_before()), 1)
    landing, edit = of(told)
    assert (landing.fields, landing.revision, landing.who) == ({"jobTitle": "CTO"}, 4, OURSELVES)
    assert (edit.fields, edit.revision, edit.who) == ({"city": "Oslo"}, None, "ada")
    assert all((each.person_key, each.creation) == ("p-1", 0) for each in (landing, edit))
    assert told.records[0].key == "p-1#0"


def test_a_landing_that_changed_nothing_else_is_still_told() -> None:
    """The revision alone is what the core waits for."""
    told = tell(Reading([change(1, leadsyncRevision=("3", "4"))]), known(told_before(key="p-1#0")), 1)
    assert [(each.fields, each.revision) for each in of(told)] == [({}, 4)]


def test_a_new_record_comes_with_its_row_as_it_was() -> None:
    """What the row shows of later edits, further on in this reading and beyond it, is taken back."""
    reading = Reading(
        [new_lead(1), change(2, jobTitle=("CIO", "CTO"))],
        ahead=[change(3, jobTitle=("CTO", "CEO"), city=(None, "Oslo")), change(4, city=("Oslo", "Rome"))],
        rows={"775": row(jobTitle="CEO", city="Rome")},
    )
    created, updated = of(tell(reading, known(), 0))
    assert (created.kind, created.scope, created.fields) == ("created", "row", {"jobTitle": "CIO", "city": None})
    assert (updated.kind, updated.scope, updated.fields) == ("updated", "partial", {"jobTitle": "CTO"})
    assert (created.change_id, created.version, created.who) == ("marketo/775/1", 1, "ada")


def test_a_record_that_we_created_shows_its_landing_in_its_row() -> None:
    """With the revision of the create, not of what was written since."""
    reading = Reading(
        [new_lead(1)],
        ahead=[change(2, request="a#1", leadsyncRevision=("1", "2"))],
        rows={"775": row(jobTitle="CTO", leadsyncKey="p-1#1", leadsyncRevision=2)},
    )
    [created] = of(tell(reading, known(told_before(version=0, key="p-1#1")), 0))
    assert (created.revision, created.person_key, created.creation, created.who) == (1, "p-1", 1, OURSELVES)


def test_a_record_seen_first_at_an_edit_is_told_before_it() -> None:
    """It was there before the connector began: first what it was, then what changed."""
    reading = Reading([change(5, jobTitle=("CIO", "CTO"))], rows={"775": row(jobTitle="CTO", city="Oslo")})
    created, updated = of(tell(reading, known(), 0))
    assert created.fields == {"jobTitle": "CIO", "city": "Oslo"} and updated.fields == {"jobTitle": "CTO"}
    assert (created.change_id, updated.change_id) == ("marketo/775/5/before", "marketo/775/5")


def test_a_creation_of_somebody_told_already_is_no_news() -> None:
    """A bootstrap, or an edit in the same second, told it before."""
    assert of(tell(Reading([new_lead(1)]), known(told_before()), 1)) == []


def test_who_came_and_went_between_two_readings_has_no_first_row() -> None:
    """Scenario 39: what it was made with nobody will ever know; what was edited on it is told, and that it ended."""
    edit = change(2, city=(None, "Oslo"))
    assert [each.kind for each in of(tell(Reading([new_lead(1)], [ended(3)]), known(), 0))] == ["deleted"]
    assert [each.kind for each in of(tell(Reading([new_lead(1), edit], [ended(3)]), known(), 0))] == [
        "updated",
        "deleted",
    ]
    assert [each.kind for each in of(tell(Reading([new_lead(1), edit], ends_ahead=[ended(3)]), known(), 0))] == [
        "updated"
    ]


def test_our_own_creation_that_came_and_went_has_landed() -> None:
    """Else what it carried would count as never delivered, and be made again."""
    reading = Reading([new_lead(1)], [ended(2)])
    created, deleted = of(tell(reading, known(told_before(version=0, key="p-1#1")), 0))
    assert (created.kind, created.scope, created.fields, created.creation) == ("created", "partial", {}, 1)
    assert (deleted.kind, deleted.person_key, deleted.version) == ("deleted", "p-1", 2)


@pytest.mark.parametrize(("end", "kind"), [(ended(2), "deleted"), (merge(2, "776", "775"), "merged")])
def test_our_own_creation_that_was_listed_before_anybody_knew_it_has_landed_when_its_end_is_told(
    end: FeedEntry, kind: str
) -> None:
    """Its row was gone, and the answer to the create came later than the feed."""
    assert of(tell(Reading([new_lead(1)]), known(), 0)) == []
    landed, over = of(tell(Reading(ends=[end]), known(told_before(version=0, key="p-1#1")), 0))
    assert (landed.kind, landed.fields, landed.creation, landed.version) == ("created", {}, 1, 1)
    assert (over.kind, over.person_key, over.version) == (kind, "p-1", 2)


def test_the_end_of_a_twin_that_was_never_told_tells_of_no_landing() -> None:
    """It was there before us."""
    [over] = of(tell(Reading(ends=[ended(2)]), known(told_before(version=0, key="p-1#0")), 0))
    assert over.kind == "deleted"


def test_without_row_and_without_end_changes_are_told_as_they_are() -> None:
    """Nothing that was read is kept back."""
    told = tell(Reading([new_lead(1), change(2, city=(None, "Oslo"))]), known(), 0)
    assert [(each.kind, each.fields) for each in of(told)] == [("updated", {"city": "Oslo"})]


def test_a_deletion_comes_after_every_change_of_its_record_and_once() -> None:
    """Whatever the feeds still say of it."""
    reading = Reading([change(1, city=(None, "Oslo"))], [ended(2), ended(3)])
    told = tell(reading, known(told_before(key="p-1#1")), 4)
    assert [(each.kind, each.version) for each in of(told)] == [("updated", 5), ("deleted", 6)]
    [record] = told.records
    assert (record.state, record.key, record.version) == ("deleted", "p-1#1", 6)
    again = tell(Reading([change(4, city=("Oslo", "Rome"))], [ended(5)]), known(record), 6)
    assert again.changes == ()


def test_a_merge_is_told_in_each_losers_stream_and_names_the_winner() -> None:
    """Scenario 45: the losers are closed and never deleted; the winner's row follows, and is no write of ours."""
    reading = Reading(
        [change(1, lead="776", city=(None, "Oslo"))],
        [merge(2, "775", "776", "777"), ended(3, "776")],
        ahead=[change(4, city=("Oslo", "Rome"))],
        rows={"775": row(city="Rome", leadsyncKey="p-1#0", leadsyncRevision=3)},
    )
    told = tell(reading, known(told_before(key="p-1#0"), told_before("776", 2), told_before("777", 3)), 9)
    changes = {(each.kind, each.record.id): each for each in of(told)}
    assert list(changes) == [("updated", "776"), ("merged", "776"), ("merged", "777"), ("updated", "775")]
    for loser in ("776", "777"):
        merged = changes["merged", loser]
        assert merged.winner == person("775") and merged.winner_person_key == "p-1"
    shown = changes["updated", "775"]
    assert (shown.scope, shown.fields, shown.revision) == ("row", {"jobTitle": None, "city": "Oslo"}, None)
    assert {each.record.id: each.state for each in told.records} == {"775": "living", "776": "closed", "777": "closed"}


def test_a_loser_is_never_told_to_be_deleted() -> None:
    """Not even where its deletion is at hand before its merge."""
    told = tell(Reading(ends=[ended(1, "776")], ends_ahead=[merge(2, "775", "776")]), known(told_before("776")), 5)
    assert told.changes == ()


def test_the_winner_of_a_merge_may_have_got_the_losers_key() -> None:
    """Then it stands for the loser's person from now on."""
    reading = Reading(ends=[merge(2, "775", "776")], rows={"775": row(leadsyncKey="p-2#1", leadsyncRevision=1)})
    told = tell(reading, known(told_before(), told_before("776", 2, "p-2#1")), 5)
    merged, shown = of(told)
    assert merged.winner_person_key == shown.person_key == "p-2"
    records = known(*told.records)
    holder = records.of_key("p-2#1")
    assert holder is not None and holder.record.id == "775"


def test_a_winner_that_nobody_knew_is_told_too() -> None:
    """As a new record, and without a key as the person that follows from its stream."""
    told = tell(Reading(ends=[merge(2, "775", "776")], rows={"775": row(city="Rome")}), known(told_before("776")), 5)
    merged, shown = of(told)
    assert (shown.kind, shown.record.id) == ("created", "775")
    assert merged.winner_person_key == person_key_of(MARKETO, "775")


def test_merges_of_merges_end_with_the_last_winner() -> None:
    """A winner that lost meanwhile has no row any more, and its own end."""
    told = tell(
        Reading(ends=[merge(1, "775", "776"), merge(2, "774", "775")], rows={"774": row()}),
        known(told_before("774"), told_before("775"), told_before("776")),
        5,
    )
    assert [(each.kind, each.record.id, each.winner and each.winner.id) for each in of(told)] == [
        ("merged", "776", "775"),
        ("merged", "775", "774"),
        ("updated", "774", None),
    ]


def test_rows_are_wanted_of_the_new_and_of_winners() -> None:
    """Not of those whose stream is known; one that only an applier knows has yet to be told."""
    records = known(told_before("1"), told_before("2", version=0))
    entries = [change(1, "1"), change(2, "2"), change(3, "3"), change(4, "3")]
    assert rows_wanted(entries, [merge(5, "1", "9"), ended(6, "8")], records) == ["2", "3", "1"]


def test_a_record_that_becomes_somebody_elses_is_told_with_its_whole_row() -> None:
    """As it was after that write, whatever the row shows of later ones; its own person's key is no news of that kind."""
    ours, theirs = person_key_of(MARKETO, "775"), person_key_of(MARKETO, "776")
    entries = [change(1, leadsyncKey=(None, f"{ours}#0")), change(2, lead="776", leadsyncKey=(None, f"{ours}#0"))]
    records = known(told_before(), told_before("776", key=f"{theirs}#0"))
    assert rows_wanted(entries, [], records) == ["776"]
    rows = {"776": row(jobTitle="CTO", city="Rome", leadsyncKey=f"{ours}#0")}
    own, given, edit = of(
        tell(Reading([*entries, change(3, lead="776", request="b#1", city=("Oslo", "Rome"))], rows=rows), records, 1)
    )
    assert (own.fields, own.scope) == ({}, "partial")
    assert (given.fields, given.scope) == ({"jobTitle": "CTO", "city": "Oslo"}, "row")
    assert (edit.fields, edit.scope, edit.person_key) == ({"city": "Rome"}, "partial", ours)


def test_what_may_go_on_is_held() -> None:
    """The last write, when the reading was cut; a creation goes on with nothing."""
    entries = [change(1, lead="776"), change(2, request="a#1", city=(None, "x")), change(3, request="a#1")]
    assert [len(each) for each in split_open(entries)] == [1, 2]
    assert split_open([new_lead(1)]) == ([new_lead(1)], [])
    assert split_open([]) == ([], [])


@pytest.mark.parametrize(
    ("text", "key"),
    [
        *[(each, each) for each in ("p-1#0", "Ada, & Söhne\n#2#999999", "x" * 126 + "#1")],
        *[(each, None) for each in ("p-1", "p-1#x", "#1", "p-1#01", "p-1#9999999", "x" * 127 + "#1", None, 7)],
    ],
)
def test_what_somebody_else_wrote_into_our_key_field_is_no_key(text: Any, key: str | None) -> None:
    """A record without a key is a person of its own."""
    assert key_shown(text) == key


def test_a_revision_is_read_in_both_spellings() -> None:
    """The feed's text and the row's number."""
    assert [revision_shown(each) for each in ("7", 7, "-1", -1, "x", None, True, "9" * 30)] == [7, 7] + [None] * 6


def test_an_activity_is_read_as_marketo_spells_it() -> None:
    """The documented example, and a zone without a colon."""
    entry = entry_of(
        {
            "id": 8801,
            "marketoGUID": "8801",
            "leadId": 775,
            "activityDate": "2026-09-01T09:14:07Z",
            "activityTypeId": 13,
            "fields": [{"id": 48, "name": "jobTitle", "newValue": "CTO", "oldValue": "CIO"}],
            "attributes": [{"name": "Reason", "value": "Form fill"}, {"name": "Source", "value": "Web form fillout"}],
        }
    )
    assert entry.changes == (FieldChange("jobTitle", "CTO", "CIO"),)
    assert (entry.guid, entry.lead_id, entry.source, entry.who) == (
        "8801",
        "775",
        "Web form fillout",
        "Web form fillout",
    )
    assert time_of("2026-09-01T09:14:07+0200") == "2026-09-01T09:14:07+02:00" and time_of("yesterday") is None


@given(st.lists(st.tuples(st.sampled_from(COLUMNS), st.sampled_from(["a", "b", "c", None])), max_size=12), st.data())
def test_a_row_put_back_is_what_it_was(edits: list[tuple[str, Value]], data: st.DataObject) -> None:
    """At every place of any history."""
    now = dict(row())
    states, entries = [dict(now)], []
    for guid, (name, value) in enumerate(edits):
        entries.append(change(guid, **{name: (now[name], value)}))
        now[name] = value
        states.append(dict(now))
    place = data.draw(st.integers(0, len(edits)))
    assert row_before(now, entries[place:]) == states[place]
