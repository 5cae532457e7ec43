"""The oracle: what must hold at rest, by who truly saw what. Commands are applied by hand, as a right or a wrong processor would."""

from __future__ import annotations

import pytest

from schemas.vocabulary import MARKETO
from streams.demo import dynamics_applier, marketo_applier
from streams.demo.oracle.verdict import differences
from streams.demo.record import HeldRecord
from tests.demo.stories import NOW, Story, create, update

LINKED = {"microsoftType": "Lead"}


def pair(story: Story) -> tuple[HeldRecord, HeldRecord]:
    """A Marketo person with a lead that Sync Person made, alike."""
    person = story.person(jobTitle="CTO")
    story.marketo.request_sync(person.id, "marketing", NOW)
    dynamics_applier.apply(
        story.dynamics, create("dynamics", person.person_key, jobtitle="CTO", subject="(no topic)"), NOW
    )
    (lead,) = story.dynamics.records.values()
    story.dynamics.read_all()
    given = {c: v for c, v in lead.values.items() if c not in ("lastname", "jobtitle")}
    fields = {story.policy.inbound["lead"][column].marketo or "": value for column, value in given.items()}
    spelled = {"rating": "Warm", "leadStatus": "Open", "statusReason": "New"}
    marketo_applier.apply(story.marketo, update(person, **{**fields, **spelled, **LINKED}), NOW)
    assert story.differences() == [] and story.oracle.complaints == []
    return person, lead


def test_an_edit_that_was_not_carried_over_is_a_difference() -> None:
    """On the field, in the system that lacks it."""
    story = Story()
    person, _ = pair(story)
    story.marketo.edit(person.id, "marketing", {"jobTitle": "CEO"}, NOW)
    assert set(story.differences()) == {"job_title"}


def test_of_two_unseen_edits_of_a_lead_marketo_s_is_right() -> None:
    """Both systems alike is not enough: the wrong winner is a difference."""
    story = Story()
    person, lead = pair(story)
    story.marketo.edit(person.id, "marketing", {"jobTitle": "CEO"}, NOW)
    story.dynamics.edit(lead.id, "sales", {"jobtitle": "COO"}, NOW)
    marketo_applier.apply(story.marketo, update(person, revision=2, jobTitle="COO"), NOW)
    assert set(story.differences()) == {"job_title"}
    marketo_applier.apply(story.marketo, update(person, revision=3, jobTitle="CEO"), NOW)
    dynamics_applier.apply(story.dynamics, update(lead, revision=2, expected={"jobtitle": "COO"}, jobtitle="CEO"), NOW)
    assert story.differences() == []


def test_an_edit_in_sight_of_the_other_is_right_whatever_the_record_type() -> None:
    """Sales saw marketing's value and changed it."""
    story = Story()
    person, lead = pair(story)
    story.marketo.edit(person.id, "marketing", {"jobTitle": "CEO"}, NOW)
    dynamics_applier.apply(story.dynamics, update(lead, revision=2, expected={"jobtitle": "CTO"}, jobtitle="CEO"), NOW)
    story.dynamics.edit(lead.id, "sales", {"jobtitle": "COO"}, NOW)
    marketo_applier.apply(story.marketo, update(person, revision=2, jobTitle="COO"), NOW)
    assert story.differences() == []


def test_a_value_that_nobody_entered_is_a_complaint() -> None:
    """No invention."""
    story = Story()
    person, _ = pair(story)
    marketo_applier.apply(story.marketo, update(person, revision=2, jobTitle="Emperor"), NOW)
    assert len(story.oracle.complaints) == 1 and "never entered" in story.oracle.complaints[0]


def test_a_record_that_nobody_asked_for_is_a_complaint() -> None:
    """A lead without a Sync Person."""
    story = Story()
    person = story.person()
    dynamics_applier.apply(story.dynamics, create("dynamics", person.person_key), NOW)
    assert "without a Sync Person" in story.oracle.complaints[0]


def test_a_sync_person_without_a_lead_is_a_difference() -> None:
    """It was certainly heeded: Dynamics never held the person."""
    story = Story()
    person = story.person()
    assert story.differences() == []
    story.marketo.request_sync(person.id, "marketing", NOW)
    assert story.differences() == ["dynamics"]


def test_a_row_that_was_read_calls_for_a_marketo_person_and_one_that_was_not_does_not() -> None:
    """What nobody read, nobody can answer."""
    story = Story()
    story.lead()
    assert story.differences() == []
    story.dynamics.read_all()
    assert story.differences() == [MARKETO]


def test_a_broken_value_excuses_its_direction_under_an_open_error_only() -> None:
    """The receiver may lag in every field; the sender must be right; the error must be there."""
    story = Story()
    person, _ = pair(story)
    title = "x" * 120
    story.oracle.declare_broken("dynamics", "job_title", title)
    story.marketo.edit(person.id, "marketing", {"jobTitle": title, "city": "Leeds"}, NOW)
    assert [found.about for found in differences(story.oracle, {})] == ["dynamics"]
    assert differences(story.oracle, {person.person_key: ["dynamics"]}) == []


def test_what_a_system_made_of_a_value_may_stand_beside_it_under_an_error_only() -> None:
    """Marketo had trimmed it before and lists nothing of the write, so nothing can travel back; another value excuses nothing."""
    story = Story(habits=True)
    person, lead = pair(story)
    stopped = {person.person_key: ["rewriting/city"]}
    story.dynamics.saving.rewrites.clear()  # type: ignore[attr-defined]
    story.dynamics.edit(lead.id, "sales", {"address1_city": "Leeds "}, NOW)
    marketo_applier.apply(story.marketo, update(person, revision=2, city="Leeds "), NOW)
    assert set(story.differences()) == {"city"}
    assert differences(story.oracle, stopped) == []
    marketo_applier.apply(story.marketo, update(person, revision=3, city=None), NOW)
    assert {found.about for found in differences(story.oracle, stopped)} == {"city"}


@pytest.mark.parametrize("flag", [True, False])
def test_a_deletion_in_dynamics_must_show_as_the_flag_in_marketo(flag: bool) -> None:
    """Once a row of the record had been read."""
    story = Story()
    person, lead = pair(story)
    story.dynamics.delete(lead.id, "sales", NOW)
    marketo_applier.apply(story.marketo, update(person, revision=2, microsoftIsDeleted=flag), NOW)
    assert story.differences() == ([] if flag else ["microsoft_is_deleted"])


def test_a_deleted_marketo_person_is_due_again_when_dynamics_is_edited() -> None:
    """And not before."""
    story = Story()
    person, lead = pair(story)
    story.marketo.delete(person.id, "marketing", NOW)
    assert story.differences() == []
    story.dynamics.edit(lead.id, "sales", {"jobtitle": "COO"}, NOW)
    assert story.differences() == [MARKETO]
