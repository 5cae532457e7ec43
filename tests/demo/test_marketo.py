"""Simulated Marketo: its feed lists every change, its applier is harmless when it repeats itself."""

from __future__ import annotations

import msgspec

from streams.demo import marketo_applier
from tests.demo.stories import NOW, Story, create, update


def test_the_feed_lists_every_change_with_the_fields_that_changed_and_nothing_else() -> None:
    """Two edits are two entries, and a value entered again is none."""
    story = Story()
    held = story.person(jobTitle="CTO")
    for title in ("CEO", "CEO", "COO"):
        story.marketo.edit(held.id, "marketing", {"jobTitle": title}, NOW)
    created, first, second = story.marketo_feed()
    assert created.kind == "created" and created.fields == {"lastName": "Lovelace", "jobTitle": "CTO"}
    assert [dict(each.fields or {}) for each in (first, second)] == [{"jobTitle": "CEO"}, {"jobTitle": "COO"}]
    assert [each.version for each in (created, first, second)] == [1, 2, 3]


def test_a_write_that_changes_nothing_but_our_revision_shows_all_the_same() -> None:
    """Its entry has a revision and no field."""
    story = Story()
    held = story.person(jobTitle="CTO")
    story.marketo_feed()
    assert marketo_applier.apply(story.marketo, update(held, jobTitle="CTO"), NOW) is None
    (entry,) = story.marketo_feed()
    assert (entry.revision, entry.fields, entry.who, entry.creation) == (1, {}, "leadsync", 0)


def test_a_repeated_command_does_nothing_and_says_so() -> None:
    """The record itself shows that it is done."""
    story = Story()
    held = story.person()
    marketo_applier.apply(story.marketo, update(held, jobTitle="CTO"), NOW)
    story.marketo.edit(held.id, "marketing", {"jobTitle": "CEO"}, NOW)
    answer = marketo_applier.apply(story.marketo, update(held, jobTitle="CTO"), NOW)
    assert answer is not None and answer.answer == "superseded"
    assert held.values["jobTitle"] == "CEO"


def test_a_late_write_slips_through_and_the_feed_shows_its_old_revision() -> None:
    """As happens when an applier reads the revision, sleeps, and writes."""
    story = Story()
    held = story.person()
    old = update(held, revision=1, jobTitle="CTO")
    marketo_applier.apply(story.marketo, old, NOW)
    marketo_applier.apply(story.marketo, update(held, revision=2, jobTitle="CEO"), NOW)
    marketo_applier.apply(story.marketo, old, NOW, late=True)
    assert story.marketo_feed()[-1].revision == 1 and held.values["jobTitle"] == "CTO"


def test_a_create_is_one_however_often_it_is_repeated() -> None:
    """The key is looked up; `linked` is said again each time."""
    story = Story()
    answers = [marketo_applier.apply(story.marketo, create("marketo", firstName="Ada"), NOW) for _ in range(3)]
    assert [answer.answer for answer in answers if answer] == ["created", "superseded", "superseded"]
    assert len(story.marketo.records) == 1
    assert [each.change.kind for each in story.marketo.announced] == ["linked"] * 3


def test_a_create_repeated_after_the_deletion_is_gone() -> None:
    """Deletions are read before a create is repeated."""
    story = Story()
    marketo_applier.apply(story.marketo, create("marketo"), NOW)
    (record_id,) = story.marketo.records
    story.marketo.delete(record_id, "marketing", NOW)
    answer = marketo_applier.apply(story.marketo, create("marketo"), NOW)
    assert answer is not None and (answer.answer, answer.gone) == ("gone", "deleted")
    assert not story.marketo.records


def test_a_merge_closes_the_loser_and_names_the_winner_and_its_person() -> None:
    """What the winner takes stands in its own stream."""
    story = Story()
    loser, winner = story.person(phone="1"), story.person(jobTitle="CTO")
    story.marketo_feed()
    story.marketo.merge(loser.id, winner.id, "marketing", NOW, take=("phone",))
    merged, taken = story.marketo_feed()
    assert (merged.kind, merged.record, merged.winner_person_key) == ("merged", loser.record, winner.person_key)
    assert (taken.record, taken.fields) == (winner.record, {"phone": "1"})
    answer = marketo_applier.apply(story.marketo, update(loser, jobTitle="CEO"), NOW)
    assert answer is not None and (answer.answer, answer.gone) == ("gone", "closed")


def test_a_request_carries_a_view_with_empty_fields_stated() -> None:
    """It may overtake the feed, so it says all that the person holds, and as of when."""
    story = Story()
    held = story.person()
    story.marketo.request_sync(held.id, "marketing", NOW)
    request = story.marketo.announced[-1].change
    assert (
        request.fields is not None and request.fields["jobTitle"] is None and request.fields["lastName"] == "Lovelace"
    )
    assert (request.updated_at, request.version) == (held.time, None)


def test_our_write_is_rewritten_on_save_and_the_feed_shows_what_became_of_it() -> None:
    """The entry bears the stored value and our name."""
    story = Story(habits=True)
    held = story.person()
    story.marketo_feed()
    marketo_applier.apply(story.marketo, update(held, jobTitle="  CTO "), NOW)
    (entry,) = story.marketo_feed()
    assert (entry.fields, entry.who) == ({"jobTitle": "CTO"}, "leadsync")


def test_with_dedupe_a_person_with_the_same_mail_is_linked_instead() -> None:
    """The answer brings the twin as it is; nothing is written yet."""
    story = Story()
    twin = story.person(email="ada@old.example")
    searching = msgspec.structs.replace(create("marketo", email="ada@old.example"), dedupe="email")
    answer = marketo_applier.apply(story.marketo, searching, NOW)
    assert answer is not None and (answer.answer, answer.record) == ("linked", twin.record)
    assert answer.row is not None and answer.row.version == twin.version and len(story.marketo.records) == 1
