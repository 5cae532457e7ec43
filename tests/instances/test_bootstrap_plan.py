"""What a plan says of a pair and of a record alone, on a screen and in a file."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from schemas.vocabulary import DYNAMICS, MARKETO
from streams.connectors.known import KnownRecord, KnownRecords
from streams.instances.bootstrapping.foreseen import Difference, Invalid
from streams.instances.bootstrapping.matching import match
from streams.instances.bootstrapping.plan import PlanLine, Summary, plan_lines, summarise
from streams.instances.bootstrapping.plan_file import plan_file
from streams.instances.bootstrapping.store import ReadRecord, Store
from streams.policy import default_policy
from streams.settings import SettingsError
from streams.sync.messages import Record

ADA = "11111111-1111-5111-8111-111111111111"
IN_MARKETO = {"firstName": "Ada", "lastName": "Lovelace", "email": "ada@example.com"}
IN_DYNAMICS = {"firstname": "Ada", "lastname": "Lovelace", "emailaddress1": "ada@example.com"}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """An empty store."""
    store = Store.at(tmp_path / "state")
    yield store
    store.close()


def person(record_id: str = "1", **fields: Any) -> ReadRecord:
    """Ada in Marketo."""
    return ReadRecord(MARKETO, "person", record_id, record_id, {**IN_MARKETO, **fields}, email="ada@example.com")


def row(kind: Any = "lead", record_id: str = "d1", version: int = 500, **fields: Any) -> ReadRecord:
    """Ada in Dynamics."""
    return ReadRecord(
        DYNAMICS, kind, record_id, record_id, {**IN_DYNAMICS, **fields}, version=version, email="ada@example.com"
    )


def known(*records: KnownRecord) -> dict[Any, KnownRecords]:
    """What the connectors know."""
    found = {MARKETO: KnownRecords(MARKETO), DYNAMICS: KnownRecords(DYNAMICS)}
    for each in records:
        found[each.record.system].learn(each)
    return found


def planned(store: Store, *records: ReadRecord, standing: Any = None) -> list[PlanLine]:
    """The plan's lines."""
    store.put(records)
    match(store, by_email=True)
    return list(plan_lines(store, default_policy(), standing or known()))


def test_of_a_leads_values_marketos_stand_and_an_empty_field_is_completed(store: Store) -> None:
    (line,) = planned(store, person(jobTitle="CTO", phone=None), row(jobtitle="CIO", telephone1="+44 1"))
    assert (line.action, line.in_conflict, line.invalid) == ("link_by_email", True, ())
    assert line.differences == (
        Difference("job_title", "CTO", "CIO", "marketo", "authority"),
        Difference("phone", None, "+44 1", "dynamics", "filled"),
    )


def test_of_a_contacts_values_dynamics_stand(store: Store) -> None:
    (line,) = planned(store, person(jobTitle="CTO"), row("contact", jobtitle="CIO"))
    assert line.differences == (Difference("job_title", "CTO", "CIO", "dynamics", "authority"),)


def test_records_that_are_alike_are_in_no_conflict(store: Store) -> None:
    (line,) = planned(store, person(jobTitle="CTO", phone=None), row(jobtitle="CTO", telephone1=None))
    assert (line.action, line.in_conflict, line.differences) == ("link_by_email", False, ())


def test_values_are_compared_as_they_mean_not_as_they_are_spelled(store: Store) -> None:
    (line,) = planned(
        store,
        person(rating="Hot", doNotCall="true", annualRevenue="12.0"),
        row(leadqualitycode=1, donotphone=True, revenue=12),
    )
    assert line.differences == ()


def test_what_only_dynamics_decides_is_no_conflict(store: Store) -> None:
    (line,) = planned(store, person(leadStatus="Qualified"), row(statecode=0))
    assert line.differences == (Difference("lead_status", "Qualified", "Open", "dynamics", "one_way"),)
    assert not line.in_conflict


def test_a_value_that_the_receiver_would_refuse_is_named(store: Store) -> None:
    (line,) = planned(store, person(jobTitle="x" * 120), row(jobtitle=None))
    assert [(each.to, each.code, each.field) for each in line.invalid] == [("dynamics", "0x80044331", "job_title")]


def test_a_lead_without_a_twin_becomes_a_marketo_person(store: Store) -> None:
    (line,) = planned(store, row())
    assert (line.action, line.dynamics_type, line.dynamics_id) == ("create_in_marketo", "lead", "d1")


def test_a_new_marketo_person_that_marketo_would_refuse_is_invalid(store: Store) -> None:
    (line,) = planned(store, row(emailaddress1="ad\u00e4@example.com"))
    assert [each.to for each in line.invalid] == ["marketo"]


def test_the_filters_no_keeps_a_record_out_and_a_pair_still(store: Store) -> None:
    (line,) = planned(store, row(new_synctomkto=False))
    assert (line.action, line.kept_out) == ("kept_out", True)
    (line,) = planned(store, person(jobTitle="x" * 120), row(new_synctomkto=False))
    assert (line.action, line.kept_out, line.invalid) == ("link_by_email", True, ())


def test_nothing_is_done_about_a_marketo_person_without_a_twin(store: Store) -> None:
    (line,) = planned(store, person())
    assert (line.action, line.marketo_id, line.dynamics_id) == ("stays_in_marketo", "1", None)


def test_what_several_could_be_is_left_alone_and_said(store: Store) -> None:
    lines = planned(store, person(), row(), row(record_id="d2"))
    assert {line.action for line in lines} == {"ambiguous"}
    assert lines[0].candidates == ("dynamics/d1", "dynamics/d2")


def test_a_pair_that_is_known_as_one_is_linked_already(store: Store) -> None:
    records = (
        KnownRecord(record=Record(MARKETO, "person", "1"), stream="1", version=3, key=f"{ADA}#0"),
        KnownRecord(record=Record(DYNAMICS, "lead", "d1"), stream="d1", version=3, key=f"{ADA}#1"),
    )
    keyed = [replace(person(), key=f"{ADA}#0"), replace(row(), key=f"{ADA}#1")]
    (line,) = planned(store, *keyed, standing=known(*records))
    assert line.action == "already_linked"
    (line,) = planned(store, *keyed)
    assert line.action == "link_by_key"


LINES = (
    PlanLine(
        "link_by_key",
        "1",
        "lead",
        "d1",
        "=1+1@example.com",
        ADA,
        differences=(Difference("job_title", "CTO", "C\nIO", "marketo", "authority"),),
        invalid=(Invalid("dynamics", "0x1", "job_title", "jobtitle is too long"),),
    ),
    PlanLine("ambiguous", marketo_id="2", ambiguous_by="email", candidates=("dynamics/d2", "dynamics/d3")),
)


def written(path: Path, lines: tuple[PlanLine, ...] = LINES) -> str:
    """The file that these lines make."""
    with plan_file(path) as write:
        for line in lines:
            write(line)
    return path.read_text()


def test_a_csv_cell_is_never_a_formula(tmp_path: Path) -> None:
    rows = list(csv.DictReader(written(tmp_path / "plan.csv").splitlines(keepends=True)))
    assert rows[0]["email"] == "'=1+1@example.com"
    assert rows[0]["differences"] == ('job_title: "CTO" in Marketo, "C\\nIO" in Dynamics, marketo wins (authority)')
    assert rows[0]["invalid"] == "to dynamics, 0x1: jobtitle is too long"
    assert rows[1]["candidates"] == "dynamics/d2 dynamics/d3"


@pytest.mark.parametrize("count", [0, 1, 2])
def test_json_is_one_document_and_json_lines_are_many(tmp_path: Path, count: int) -> None:
    document = json.loads(written(tmp_path / "plan.json", LINES[:count]))
    lines = [json.loads(line) for line in written(tmp_path / "plan.jsonl", LINES[:count]).splitlines()]
    assert document == lines
    assert len(document) == count


def test_a_plan_that_breaks_off_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), plan_file(tmp_path / "plan.csv") as write:
        write(LINES[0])
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_a_name_without_a_known_suffix_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"\.csv, \.jsonl, \.json"), plan_file(tmp_path / "plan.txt"):
        pass


def test_a_plan_can_be_read_by_its_owner_only(tmp_path: Path) -> None:
    written(tmp_path / "plan.csv")
    assert (tmp_path / "plan.csv").stat().st_mode & 0o077 == 0


def test_a_summary_counts_what_becomes_of_each_field(store: Store) -> None:
    summary = summarise(iter(planned(store, person(jobTitle="CTO"), row(jobtitle="CIO", telephone1="1"))))
    assert isinstance(summary, Summary)
    assert dict(summary.differences) == {("job_title", "marketo"): 1}
    assert (summary.in_conflict, summary.actions["link_by_email"]) == (1, 1)
