"""Simulated Dynamics: rows as they are when read, conditional writes, closed records that nobody writes to."""

from __future__ import annotations

import pytest

from schemas.identity import dynamics_id_of, key_of
from streams.demo import dynamics_applier
from streams.demo.users import UNKNOWN_OWNER
from streams.sync.messages import ApplyCommand
from tests.demo.stories import NOW, PERSON_KEY, Story, command, create, update


def qualify(lead_id: str, story: Story) -> ApplyCommand:
    """A command to qualify this lead."""
    return command("dynamics", "qualify", 2, PERSON_KEY, story.dynamics.records[lead_id].record, key_of(PERSON_KEY, 1))


def test_a_row_hides_what_was_overwritten_between_two_reads() -> None:
    """Only the last value shows, with whoever came last."""
    story = Story()
    held = story.lead()
    for who, title in (("tim", "CTO"), ("eva", "CEO")):
        story.dynamics.edit(held.id, who, {"jobtitle": title}, NOW)
    (row,) = story.dynamics_feed()
    assert (row.kind, row.scope, row.who) == ("created", "row", "eva")
    assert row.fields is not None and row.fields["jobtitle"] == "CEO" and row.fields["firstname"] is None
    assert not story.dynamics_feed()


def test_versions_are_one_counter_of_the_organisation() -> None:
    """A later change of any record has a higher version."""
    story = Story()
    first, second = story.lead(), story.lead()
    story.dynamics.edit(first.id, "tim", {"jobtitle": "CTO"}, NOW)
    assert first.version > second.version


def test_a_write_that_would_cover_an_edit_is_a_conflict_and_brings_the_row() -> None:
    """Neither the expected value nor the new one: somebody was there."""
    story = Story()
    held = story.lead(jobtitle="CTO")
    story.dynamics.edit(held.id, "tim", {"jobtitle": "CEO"}, NOW)
    answer = dynamics_applier.apply(story.dynamics, update(held, expected={"jobtitle": "CTO"}, jobtitle="COO"), NOW)
    assert answer is not None and answer.answer == "conflict"
    assert answer.row is not None and answer.row.fields["jobtitle"] == "CEO" and answer.row.who == "tim"
    assert held.values["jobtitle"] == "CEO" and held.revision is None


@pytest.mark.parametrize("holds", ["CTO", "COO"])
def test_a_write_goes_through_where_the_record_holds_what_is_expected_or_the_new_value(holds: str) -> None:
    """Values are compared, not versions: an edit of another field is no conflict."""
    story = Story()
    held = story.lead(jobtitle=holds)
    story.dynamics.edit(held.id, "tim", {"firstname": "Ada"}, NOW)
    assert (
        dynamics_applier.apply(story.dynamics, update(held, expected={"jobtitle": "CTO"}, jobtitle="COO"), NOW) is None
    )
    assert held.values["jobtitle"] == "COO" and (held.revision, held.who) == (1, "leadsync")


def test_a_create_takes_the_id_of_its_key_and_says_so_before_it_writes() -> None:
    """`linked` stands in the stream ahead of any row, so that a tombstone finds its person too."""
    story = Story()
    answer = dynamics_applier.apply(story.dynamics, create("dynamics"), NOW)
    record_id = dynamics_id_of(key_of(PERSON_KEY, 1))
    assert answer is not None and answer.answer == "created" and record_id in story.dynamics.records
    linked = story.dynamics.announced[0]
    assert (linked.stream, linked.change.person_key, linked.change.revision) == (record_id, PERSON_KEY, 1)


def test_an_applier_that_dies_before_the_write_leaves_its_announcement_and_nothing_else() -> None:
    """The repeat announces again and creates."""
    story = Story()
    assert dynamics_applier.announce(story.dynamics, create("dynamics"), NOW)
    assert not story.dynamics.records
    dynamics_applier.apply(story.dynamics, create("dynamics"), NOW)
    assert len(story.dynamics.announced) == 2 and len(story.dynamics.records) == 1


def test_a_repeated_create_is_superseded_and_after_the_deletion_gone() -> None:
    """The id makes it one; a deletion makes it none."""
    story = Story()
    answers = [dynamics_applier.apply(story.dynamics, create("dynamics"), NOW) for _ in range(2)]
    story.dynamics.delete(dynamics_id_of(key_of(PERSON_KEY, 1)), "tim", NOW)
    answers.append(dynamics_applier.apply(story.dynamics, create("dynamics"), NOW))
    assert [answer.answer for answer in answers if answer] == ["created", "superseded", "gone"]


def test_an_unknown_owner_is_refused_and_nothing_is_created() -> None:
    """Nor announced."""
    story = Story()
    owned = ApplyCommand(
        **{f: getattr(create("dynamics"), f) for f in ApplyCommand.__struct_fields__} | {"owner": UNKNOWN_OWNER}
    )
    answer = dynamics_applier.apply(story.dynamics, owned, NOW)
    assert answer is not None and (answer.answer, answer.code, answer.field) == ("refused", "owner_unknown", "ownerid")
    assert not story.dynamics.records and not story.dynamics.announced


def test_a_rule_that_the_policy_does_not_know_refuses_with_code_and_field() -> None:
    """Dynamics' own duplicate detection."""
    story = Story()
    held = story.lead(jobtitle="CTO")
    answer = dynamics_applier.apply(
        story.dynamics, update(held, expected={"jobtitle": "CTO"}, jobtitle="CTO (duplicate)"), NOW
    )
    assert answer is not None and (answer.answer, answer.code, answer.field) == ("refused", "0x80040333", "jobtitle")


def test_qualifying_closes_the_lead_and_makes_a_contact_in_its_stream() -> None:
    """The contact has the lead's values and none of our two fields; a second time nothing happens."""
    story = Story()
    dynamics_applier.apply(story.dynamics, create("dynamics", jobtitle="CTO", fax="1"), NOW)
    story.dynamics_feed()
    lead_id = dynamics_id_of(key_of(PERSON_KEY, 1))
    first = dynamics_applier.apply(story.dynamics, qualify(lead_id, story), NOW)
    again = dynamics_applier.apply(story.dynamics, qualify(lead_id, story), NOW)
    assert first is not None and again is not None and (first.answer, again.answer) == ("created", "superseded")
    streams = {entry.stream for entry in story.dynamics.feed}
    by_kind = {change.kind: change for change in story.dynamics_feed()}
    assert streams <= {lead_id} and set(by_kind) == {"converted", "created"}
    contact = by_kind["created"]
    assert by_kind["converted"].contact == contact.record and contact.revision is None and contact.person_key is None
    assert contact.fields is not None and contact.fields["jobtitle"] == "CTO" and "fax" not in contact.fields


def test_a_closed_record_is_never_written_to() -> None:
    """Qualified or merged away: gone, closed."""
    story = Story()
    qualified, loser, winner = story.lead(), story.lead(), story.lead()
    story.dynamics.qualify(qualified.id, "tim", NOW)
    story.dynamics.merge(loser.id, winner.id, "tim", NOW)
    for held in (qualified, loser):
        answer = dynamics_applier.apply(story.dynamics, update(held, expected={}, jobtitle="CTO"), NOW)
        assert answer is not None and (answer.answer, answer.gone) == ("gone", "closed")
        assert "jobtitle" not in held.values


def test_the_deletion_of_a_record_that_was_never_read_is_still_reported() -> None:
    """Change tracking says `deleted` of what was created and deleted between two reads."""
    story = Story()
    held = story.lead()
    story.dynamics.delete(held.id, "tim", NOW)
    (tombstone,) = story.dynamics_feed()
    assert (tombstone.kind, tombstone.record, tombstone.fields) == ("deleted", held.record, None)


def test_that_a_lead_became_a_contact_is_told_before_the_contact_is_no_more() -> None:
    """Also when both are read late."""
    story = Story()
    lead = story.lead()
    contact = story.dynamics.qualify(lead.id, "tim", NOW)
    story.dynamics.delete(contact.id, "tim", NOW)
    assert [change.kind for change in story.dynamics_feed()] == ["converted", "deleted"]
