"""`leadsync errors` and `leadsync errors retry`."""

from __future__ import annotations

import json

import pytest

from streams.agents import Intake
from streams.codec import decode_source_change
from streams.lane import Batch
from streams.operating.people import asking_of
from streams.sync.person import Link, PersonState, SystemState
from streams.tally import Tally
from tests.builders import CONTACT, LEAD, PERSON, PERSON_KEY, contact, lead, marketo
from tests.operating.conftest import Installation, Sent, status_lines
from tests.operating.histories import POLICY, at_rest, in_every_state


class Policies:
    in_force = POLICY


@pytest.mark.kafka
def test_open_errors_are_listed(installation: Installation) -> None:
    """One line for each: person, receiving system, operation, code, field, value, message, since which change."""
    installation.has(in_every_state())
    installation.has(at_rest(), key="p-quiet")
    result = installation.run("errors")
    [row] = [line.split("\t") for line in result.stdout.splitlines()]
    assert row[:6] == [PERSON_KEY, "marketo", "update", "1003", "email", '"no address"']
    assert row[7] == f"dynamics-{LEAD}-3"
    assert status_lines(result) == ["1 open error of 1 person"]


@pytest.mark.kafka
def test_only_the_last_state_counts(installation: Installation) -> None:
    """An error that has closed since is not listed, and no errors are no failure."""
    installation.has(in_every_state())
    installation.has(at_rest())
    result = installation.run("errors", "list")
    assert (result.exit_code, result.stdout) == (0, "")
    assert status_lines(result) == ["0 open errors of 0 people"]


@pytest.mark.kafka
def test_errors_as_json(installation: Installation) -> None:
    """One object, for a script: the same wherever `--json` and the broker's options are said."""
    installation.has(in_every_state())
    found = json.loads(installation.run("errors", "--json").stdout)
    assert found == json.loads(installation.run("errors", "list", "--json").stdout)
    assert found == json.loads(installation.run("errors", "--json", "list").stdout)
    assert found["people"] == 1
    [error] = found["errors"]
    assert error["person_key"] == PERSON_KEY and error["slot"] == "marketo"
    assert error["refused"] is False and error["value"] == "no address"


@pytest.mark.kafka
@pytest.mark.parametrize("name", [PERSON_KEY, f"marketo:{PERSON}", f"dynamics:{LEAD}"])
def test_a_retry_stands_in_the_records_own_stream(installation: Installation, name: str) -> None:
    """A `requested` by the published contract, under the record's key, in the partition where its stream stands."""
    installation.has(in_every_state())
    installation.links("marketo", PERSON, partition=2)
    installation.links("dynamics", LEAD)
    result = installation.run("errors", "retry", name)
    assert (result.exit_code, result.stdout) == (0, "1 retry sent\n")
    [record] = installation.read("marketo.changes")
    change = decode_source_change(record.value)
    assert (record.key, record.partition) == (PERSON.encode(), 2)
    assert (change.kind, change.action, change.person_key) == ("requested", "retry", PERSON_KEY)
    assert change.record == marketo()
    assert change.who is not None and change.who.endswith("leadsync errors retry")
    assert dict(record.headers)["ce_type"] == b"leadsync.source-change.v1"


@pytest.mark.kafka
def test_intake_takes_the_retry(installation: Installation) -> None:
    """What was sent is handled by the agent that reads it, and each invocation is a request of its own."""
    installation.has(in_every_state())
    installation.run("errors", "retry", PERSON_KEY)
    installation.run("errors", "retry", PERSON_KEY)
    records = installation.read("marketo.changes")
    intake = Intake(installation.topic, Policies(), Tally())  # type: ignore[arg-type]
    result = intake.handle(Batch(records[0].topic, records[0].partition, records, {}))
    assert [output.topic for output in result.outputs] == [installation.topic("person.changes")] * 2
    assert len({decode_source_change(record.value).change_id for record in records}) == 2


@pytest.mark.kafka
def test_everybody_in_error_is_retried(installation: Installation) -> None:
    """`--all` asks for whoever has an open error, and for nobody else."""
    installation.has(in_every_state())
    installation.has(in_every_state(), key="p-other")
    installation.has(at_rest(), key="p-quiet")
    result = installation.run("errors", "retry", "--all")
    assert result.stdout == "2 retries sent\n"
    sent = [decode_source_change(record.value).person_key for record in installation.read("marketo.changes")]
    assert sorted(map(str, sent)) == ["p-775", "p-other"]


@pytest.mark.kafka
def test_a_person_without_errors_is_not_retried(installation: Installation) -> None:
    """Nothing is sent for a person in whom nothing failed, and that is said."""
    installation.has(at_rest())
    result = installation.run("errors", "retry", PERSON_KEY)
    assert (result.exit_code, result.stdout) == (0, "0 retries sent\n")
    assert status_lines(result) == [f"{PERSON_KEY}: no error is open; nothing to retry"]
    assert installation.read("marketo.changes") == []


@pytest.mark.kafka
def test_one_unknown_person_stops_it_all(installation: Installation) -> None:
    """Where one of the people named is not known, nothing is sent for any; exits 1."""
    installation.has(in_every_state())
    result = installation.run("errors", "retry", PERSON_KEY, "marketo:999")
    assert result.exit_code == 1
    assert "'999' in marketo" in result.stderr
    assert installation.read("marketo.changes") == []


@pytest.mark.parametrize("arguments", [(), (PERSON_KEY, "--all")])
def test_retry_wants_people_or_all(arguments: tuple[str, ...]) -> None:
    """Neither, or both, is a mistake of the command line."""
    result = Installation("nowhere:1").run("errors", "retry", *arguments)
    assert result.exit_code == 2
    assert ("not both" in result.stderr) is bool(arguments)


def person(marketo: Link | None = None, dynamics: Link | None = None, **closed: str) -> PersonState:
    """A person with these records; `closed`: Dynamics records that are no more."""
    was = tuple((record_id, closure) for record_id, closure in closed.items())
    return PersonState(SystemState(marketo), SystemState(dynamics, closed=was))  # type: ignore[arg-type]


def test_a_contact_is_asked_for_in_its_leads_stream() -> None:
    """The stream of a contact is the lead's that it was, in the partition where the links have it."""
    was_lead = person(dynamics=Link("contact", CONTACT), **{LEAD: "converted"})
    asking = asking_of(was_lead, {}, {LEAD: 2})
    assert asking is not None
    assert (asking.record, asking.stream, asking.partition) == (contact(), LEAD, 2)


def test_a_contact_that_was_never_a_lead_has_its_own_stream() -> None:
    """A contact entered as such is its own stream's key."""
    asking = asking_of(person(dynamics=Link("contact", CONTACT)), {}, {CONTACT: 0})
    assert asking is not None
    assert (asking.record, asking.stream) == (contact(), CONTACT)


def test_a_contact_whose_lead_was_forgotten_is_found_by_its_link() -> None:
    """Where the state no longer knows the lead, the stream that is linked to the person is the one."""
    asking = asking_of(person(dynamics=Link("contact", CONTACT)), {}, {"older": 1, "lead-of-old": 2})
    assert asking is not None
    assert (asking.stream, asking.partition) == ("lead-of-old", 2)


def test_a_lead_without_a_marketo_person() -> None:
    """A Dynamics lead is asked for under its own id; a partition that is not known is left to the key."""
    asking = asking_of(person(dynamics=Link("lead", LEAD)), {}, {})
    assert asking is not None
    assert (asking.record, asking.stream, asking.partition) == (lead(), LEAD, None)


def test_nobody_without_a_record_can_be_asked_for() -> None:
    """A person of whom no record was ever known has no stream."""
    assert asking_of(PersonState(), {}, {}) is None


@pytest.mark.kafka
def test_messages_that_are_no_states_do_not_matter(installation: Installation) -> None:
    """A deleted key is nobody."""
    installation.has(in_every_state())
    installation.write(Sent(installation.table("people"), PERSON_KEY.encode(), None))
    assert installation.run("errors").stdout == ""
