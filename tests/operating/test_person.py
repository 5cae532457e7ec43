"""`leadsync person`: found by key or by either record, shown by state, with the activities and their causes."""

from __future__ import annotations

import json

import msgspec
import pytest

from streams.operating.display import console
from streams.operating.people import Person
from streams.operating.person_page import page
from streams.operating.person_summary import summary
from streams.operating.standing import field_standings, fields_at_rest
from tests.builders import CONTACT, LEAD, PERSON, PERSON_KEY, lead, person_change
from tests.operating.conftest import Installation, Sent
from tests.operating.histories import (
    AGREED,
    AT_REST,
    IN_ERROR,
    IN_FLIGHT,
    POLICY,
    History,
    at_rest,
    converted,
    folded,
    in_dynamics,
    in_every_state,
    in_marketo,
)


def standings(history: History) -> dict[str, list[tuple[str, str | None, str | None]]]:
    found: dict[str, list[tuple[str, str | None, str | None]]] = {}
    for each in field_standings(history.state, POLICY):
        found.setdefault(each.standing, []).append((each.field, each.to, each.why))
    return found


def test_every_field_stands_in_one_place() -> None:
    """In error, in flight, pending behind either, at rest: each field where it is, and why it waits."""
    history = in_every_state()
    error = history.state.errors["marketo"]
    assert standings(history) == {
        "in_error": [("email", "marketo", f"{error.code}: {error.message}")],
        "in_flight": [("job_title", "dynamics", None)],
        "pending": [
            ("city", "dynamics", "waits for the command in flight to dynamics"),
            ("salutation", "marketo", "an open error holds back everything to marketo"),
        ],
    }
    assert fields_at_rest(history.state, POLICY) == {
        "company": "Acme",
        "first_name": "Ann",
        "last_name": "Lee",
        "microsoft_type": "Lead",
    }


def test_the_sync_filter_is_told_as_the_reason() -> None:
    """Where the filter says No, what is due waits for it, whatever else is in the way."""
    held_back = person_change(
        "updated",
        AGREED | {"salutation": "Dr"},
        record=lead(),
        version=3,
        scope="row",
        syncable=False,
    )
    assert standings(folded(*AT_REST, held_back)) == {
        "pending": [("salutation", "marketo", "the sync filter holds this person back")]
    }


def test_a_filter_that_the_policy_no_longer_has_is_no_reason() -> None:
    """What is due goes out with the person's next change."""
    held_back = person_change(
        "updated", AGREED | {"salutation": "Dr"}, record=lead(), version=3, scope="row", syncable=False
    )
    state = folded(*AT_REST, held_back).state
    assert state is not None
    (standing,) = field_standings(state, msgspec.structs.replace(POLICY, filter_column=None))
    assert standing.why == "goes out with the person's next change"


def test_a_create_that_failed_puts_its_field_in_error() -> None:
    """A field that rests, because only one record exists, is in error when the other cannot be created for it."""
    history = folded(
        in_marketo(1, **{**AGREED, "last_name": None}),
        person_change("requested", action="sync_person", change_id="sync"),
    )
    assert [(field, to) for field, to, _ in standings(history)["in_error"]] == [("last_name", "dynamics")]
    assert "last_name" not in fields_at_rest(history.state, POLICY)


def test_a_later_edit_of_a_field_in_flight_is_pending_too() -> None:
    """A field that was edited again while its command is out stands in flight with the old and pending with the new value."""
    found = field_standings(folded(*AT_REST, IN_FLIGHT, in_marketo(4, job_title="COO")).state, POLICY)
    assert [(each.standing, each.value) for each in found] == [("in_flight", "CEO"), ("pending", "COO")]


def test_the_summary_has_the_same_keys_for_everybody() -> None:
    """Scripts find every key of `--json` whatever is known of the person, activities' members included."""
    full, little = in_every_state(), folded(in_marketo(1, **AGREED))
    of_full = summary(Person(PERSON_KEY, full.state), POLICY, full.activities)
    of_little = summary(Person(PERSON_KEY, little.state), POLICY, little.activities)
    assert of_full.keys() == of_little.keys()
    assert of_full["fields"].keys() == of_little["fields"].keys() == {"at_rest", "in_error", "in_flight", "pending"}
    assert of_little["records"]["marketo"].keys() == of_full["records"]["dynamics"].keys()
    assert of_little["records"]["dynamics"] is None
    assert {frozenset(activity) for activity in of_full["activities"]} == {frozenset(of_full["activities"][0])}


@pytest.mark.kafka
@pytest.mark.parametrize("name", [PERSON_KEY, f"marketo:{PERSON}", f"dynamics:{LEAD}"])
def test_a_person_is_found_by_key_and_by_either_record(installation: Installation, name: str) -> None:
    """The links lead from a record to its person, in whatever partition a producer's own partitioner put its stream."""
    installation.has(in_every_state())
    installation.has(at_rest(), key="p-other")
    for partition in range(3):
        installation.links("marketo", f"other-{partition}", key="p-other", partition=partition)
    installation.links("marketo", PERSON, partition=1)
    installation.links("dynamics", LEAD)
    found = json.loads(installation.run("person", name, "--json").stdout)
    assert found["person_key"] == PERSON_KEY
    assert found["records"]["dynamics"]["id"] == LEAD
    assert [activity["kind"] for activity in found["activities"]] == ["linked", "failed"]


@pytest.mark.kafka
@pytest.mark.parametrize("record_id", [LEAD, CONTACT])
def test_a_contact_is_found_by_its_own_id_and_by_its_leads(installation: Installation, record_id: str) -> None:
    """A contact's id is no stream where it came from a lead; the person who holds the record is found all the same."""
    installation.has(converted())
    installation.links("dynamics", LEAD)
    found = json.loads(installation.run("person", f"dynamics:{record_id}", "--json").stdout)
    assert found["records"]["dynamics"] == {
        "type": "contact",
        "id": CONTACT,
        "version": 5,
        "revision": 0,
        "key": f"{PERSON_KEY}#0",
        "key_number": 0,
    }
    assert found["closed_records"]["dynamics"] == [[LEAD, "converted"]]


@pytest.mark.kafka
@pytest.mark.parametrize("name", ["nobody", "marketo:999", "dynamics:999"])
def test_an_unknown_person_is_one_line(installation: Installation, name: str) -> None:
    """Nobody by that name: one line, exit status 1, nothing on standard output."""
    result = installation.run("person", name)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("leadsync: no person ")


@pytest.mark.kafka
def test_the_page_tells_records_fields_and_causes(installation: Installation) -> None:
    """For eyes: what each record is, what stands where, what happened and by whom."""
    installation.has(in_every_state())
    page = installation.run("person", PERSON_KEY).stdout
    for heading in ("Records", "In error (1)", "In flight (1)", "Pending (2)", "At rest (4)", "Activities (2)"):
        assert f"\n{heading}\n" in page
    assert f"lead {LEAD}, version 3, revision 1, key {PERSON_KEY}#0" in page
    assert '"no address" → marketo' in page
    assert f"cause {IN_ERROR.change_id}, by bob" in page


def test_a_value_of_any_length_fills_no_screens() -> None:
    """Of what is held, sent and told in activities only the beginning is shown."""
    history = folded(
        *AT_REST, in_dynamics(3, **AGREED | {"job_title": "J" * 30_000}), in_marketo(4, job_title="K" * 30_000)
    )
    with console().capture() as captured:
        console().print(*page(Person(PERSON_KEY, history.state), POLICY, history.activities), sep="\n")
    assert "K… (30,000 characters)" in captured.get()
    assert len(captured.get().splitlines()) < 60


@pytest.mark.kafka
def test_nothing_typed_in_a_crm_reaches_the_terminal_as_a_command(installation: Installation) -> None:
    """Escape sequences and markup in values are shown, not obeyed."""
    installation.has(folded(in_marketo(1, first_name="\x1b]0;owned\x07[red]A", last_name="Lee")))
    coloured = installation.run_apart("person", PERSON_KEY, FORCE_COLOR="1", COLUMNS="100", TERM="xterm").stdout
    assert "\x1b]0" not in coloured and "\x07" not in coloured
    assert "[red]A" in coloured


@pytest.mark.kafka
def test_other_peoples_activities_are_left_out(installation: Installation) -> None:
    """Only the person's own entries, in the order of the log; what is no activity is passed over and counted."""
    installation.has(in_every_state())
    installation.has(in_every_state(), key="p-other")
    installation.write(Sent(installation.topic("activity-log"), PERSON_KEY.encode(), b"{}"))
    result = installation.run("person", PERSON_KEY, "--json")
    assert len(json.loads(result.stdout)["activities"]) == 2
    assert "passed over 1 entry of another kind" in result.stderr
