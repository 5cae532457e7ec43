"""What ships: valid, known to its rules in every column, and what the scenarios need."""

from __future__ import annotations

import pytest

from schemas.vocabulary import RecordKind
from streams.policy import default_policy, default_policy_text, default_rule_texts, examine
from streams.policy.rule_files import RULE_FILES
from streams.sync.validation import first_violation
from streams.sync.values import canonical, to_system

KINDS: tuple[RecordKind, ...] = ("person", "lead", "contact")


def test_the_shipped_policy_has_no_mistakes_and_nothing_to_note() -> None:
    """Every mapped column is known to the rules, and every required one is filled."""
    reading = examine(default_policy_text(), default_rule_texts())
    assert reading.mistakes == ()
    assert reading.notes == ()


def test_a_rule_file_ships_for_each_record_kind() -> None:
    """No kind goes unchecked by accident."""
    assert default_rule_texts().keys() == RULE_FILES.keys()
    assert all(default_policy().rules[kind] for kind in KINDS)


@pytest.mark.parametrize(
    ("name", "marketo", "lead", "contact"),
    [
        ("first_name", "firstName", "firstname", "firstname"),
        ("last_name", "lastName", "lastname", "lastname"),
        ("email", "email", "emailaddress1", "emailaddress1"),
        ("job_title", "jobTitle", "jobtitle", "jobtitle"),
        ("phone", "phone", "telephone1", "telephone1"),
        ("mobile_phone", "mobilePhone", "mobilephone", "mobilephone"),
        ("unsubscribed", "unsubscribed", "donotbulkemail", "donotbulkemail"),
        ("fax", "fax", "fax", None),
        ("topic", "topic", "subject", None),
        ("rating", "rating", "leadqualitycode", None),
        ("company", "company", "companyname", None),
    ],
)
def test_the_documented_map_is_shipped(name: str, marketo: str, lead: str, contact: str | None) -> None:
    """Names as in "Default Dynamics Field Mapping"; contacts lack fax, rating, source and company."""
    rule = default_policy().fields[name]
    assert (rule.marketo, rule.lead, rule.contact, rule.direction) == (marketo, lead, contact, "both")


def test_state_status_owner_and_created_date_go_to_marketo_only() -> None:
    """Only Dynamics decides these."""
    columns = ("statecode", "statuscode", "ownerid", "createdon")
    for kind in ("lead", "contact"):
        inbound = default_policy().inbound[kind]  # type: ignore[index]
        assert {inbound[column].direction for column in columns} == {"to_marketo"}


def test_authority_filter_and_deletes_are_as_documented() -> None:
    """Marketo wins for leads, Dynamics for contacts; no dedupe, no deletes, no clocks."""
    policy = default_policy()
    assert policy.authority == {"lead": "marketo", "contact": "dynamics"}
    assert policy.filter_column == "new_synctomkto"
    assert (policy.dedupe, policy.collision_window_seconds) == (None, None)
    assert policy.propagate_deletes_to == frozenset()


def test_a_new_lead_without_topic_gets_one() -> None:
    """Scenario 49: the default fills what stock Dynamics requires and few people have."""
    policy = default_policy()
    topic = to_system(policy.fields["topic"], "dynamics", policy.fields["topic"].default)
    writes = {"lastname": "Lovelace", "subject": topic}
    assert first_violation(policy.rules["lead"], writes, system="dynamics", creating=True) is None


def test_leadsync_tells_marketo_type_and_deletion() -> None:
    """The two fields that no system holds of itself."""
    computed = {rule.computed: rule.marketo for rule in default_policy().fields.values() if rule.computed}
    assert computed == {"record_type": "microsoftType", "is_deleted": "microsoftIsDeleted"}


def test_every_stock_option_passes_on_both_sides() -> None:
    """What one list offers, the other takes."""
    policy = default_policy()
    for rule in policy.fields.values():
        for label, number in (rule.options or {}).items():
            assert canonical(rule, "dynamics", number) == label
            assert rule.marketo
            assert not first_violation(policy.rules["person"], {rule.marketo: label}, system="marketo", creating=False)
            if rule.direction == "both" and rule.lead:
                assert not first_violation(policy.rules["lead"], {rule.lead: number}, system="dynamics", creating=False)
