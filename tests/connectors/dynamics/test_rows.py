"""What a row of the Web API means."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from schemas.identity import person_key_of
from schemas.vocabulary import RecordType
from streams.connectors.dynamics.columns import Columns, columns_of, types_of
from streams.connectors.dynamics.rows import (
    FORMATTED,
    UnreadableRow,
    change_of,
    deletion_of,
    is_news,
    is_tombstone,
    known_of,
    person_key_for,
    read_row,
    stream_of,
)
from streams.connectors.known import KnownRecord
from streams.policy import default_policy
from streams.sync.messages import Record

LEAD, CONTACT, OTHER = (f"00000000-0000-0000-0000-00000000000{n}" for n in range(3))
US, SAM = "aaaaaaaa-0000-0000-0000-000000000001", "aaaaaaaa-0000-0000-0000-000000000002"
ALL_TYPES = {
    **dict.fromkeys(default_policy().inbound["lead"], "String"),
    **dict.fromkeys(default_policy().inbound["contact"], "String"),
    "ownerid": "Owner",
    "parentcustomerid": "Customer",
    "masterid": "Lookup",
    "originatingleadid": "Lookup",
    "merged": "Boolean",
    "new_synctomkto": "Boolean",
}


def columns(kind: RecordType = "lead", without: tuple[str, ...] = ()) -> Columns:
    types = {name: kind_ for name, kind_ in ALL_TYPES.items() if name not in without}
    return columns_of(default_policy(), kind, types)


def row(**values: Any) -> dict[str, Any]:
    """A lead's row, as change tracking shows it."""
    return {
        "@odata.etag": 'W/"915244"',
        "leadid": LEAD.upper(),
        "versionnumber": 915244,
        "modifiedon": "2026-09-01T09:14:07Z",
        "_modifiedby_value": SAM,
        f"_modifiedby_value{FORMATTED}": "Sam Seller",
        "statecode": 0,
        "statuscode": 1,
        "new_leadsynckey": None,
        "new_leadsyncrevision": None,
        "jobtitle": "CTO",
        **values,
    }


def known(**members: Any) -> KnownRecord:
    members.setdefault("record", Record("dynamics", "lead", LEAD))
    members.setdefault("stream", members["record"].id)
    return KnownRecord(**members)


def test_a_row_states_every_column_that_it_holds_and_an_emptied_one_as_null() -> None:
    """What was not asked for, or does not come, is not stated."""
    shown = read_row(row(firstname=None), columns(), US)
    assert shown.fields == {"statecode": 0, "statuscode": 1, "jobtitle": "CTO", "firstname": None}
    assert shown.record == Record("dynamics", "lead", LEAD)
    assert (shown.version, shown.time, shown.who) == (915244, "2026-09-01T09:14:07Z", "Sam Seller")
    assert (shown.revision, shown.key, shown.person_key, shown.creation) == (None, None, None, None)


def test_our_two_columns_say_whose_the_record_is_and_what_has_landed() -> None:
    """Key, person and creation; and the revision, a nought included."""
    shown = read_row(row(new_leadsynckey="p#7#2", new_leadsyncrevision=0), columns(), US)
    assert (shown.key, shown.person_key, shown.creation, shown.revision) == ("p#7#2", "p#7", 2, 0)


@pytest.mark.parametrize(
    "text", ["", "p-7", "#1", "p-7#", "p-7#x", "p-7#-1", "p-7#1000001", "p-7#²", "x" * 127 + "#1", 7]
)
def test_a_key_that_somebody_has_typed_over_is_none(text: object) -> None:
    """The record is then found by its stream."""
    assert read_row(row(new_leadsynckey=text), columns(), US).key is None


def test_a_write_of_ours_is_told_as_ours() -> None:
    """By the application user's id; another user's by name, or by id where no name comes along."""
    assert read_row(row(_modifiedby_value=US.upper()), columns(), US).who == "leadsync"
    nameless = {k: v for k, v in row().items() if not k.endswith(FORMATTED)}
    assert read_row(nameless, columns(), US).who == SAM
    assert read_row(row(_modifiedby_value=None), columns(), US).who is None


def test_a_lookup_is_told_by_its_display_name() -> None:
    """It only goes to Marketo; without a name its id is better than nothing."""
    named = row(_ownerid_value=SAM, **{f"_ownerid_value{FORMATTED}": "ada@sales.example"})
    assert read_row(named, columns(), US).fields["ownerid"] == "ada@sales.example"
    assert read_row(row(_ownerid_value=SAM), columns(), US).fields["ownerid"] == SAM
    assert read_row(row(_ownerid_value=None), columns(), US).fields["ownerid"] is None


def test_values_stay_as_they_came() -> None:
    """Options as numbers, several of them as Dataverse spells them, money, dates, booleans."""
    values = {"leadsourcecode": 8, "description": "1,3", "revenue": 12.5, "createdon": "2026-09-01", "donotphone": True}
    assert {**read_row(row(**values), columns(), US).fields} | values == read_row(row(**values), columns(), US).fields


def test_the_version_is_the_rows_own_or_its_etags() -> None:
    """Without either the row cannot be told: nobody could say what is newer."""
    assert read_row(row(versionnumber="915245"), columns(), US).version == 915245
    assert read_row(row(versionnumber=None), columns(), US).version == 915244
    with pytest.raises(UnreadableRow, match="no versionnumber"):
        read_row(row(versionnumber=None, **{"@odata.etag": "x"}), columns(), US)


@pytest.mark.parametrize(
    ("values", "standing"),
    [
        ({"statecode": 0}, "open"),
        ({"statecode": None}, "open"),
        ({"statecode": 1}, "qualified"),
        ({"statecode": 2}, "inactive"),
        ({"statecode": 2, "merged": True, "_masterid_value": OTHER}, "merged"),
        ({"statecode": 2, "merged": True, "_masterid_value": None}, "inactive"),
        ({"statecode": 0, "merged": True, "_masterid_value": OTHER}, "open"),
    ],
)
def test_the_state_tells_a_conversion_and_a_merge_from_a_mere_deactivation(values: Any, standing: str) -> None:
    """A disqualified lead is no merged one."""
    assert read_row(row(**values), columns(), US).standing == standing


def test_a_contact_goes_on_in_its_leads_stream() -> None:
    """As long as nothing of it stood anywhere else; where something did, there."""
    contact = {k: v for k, v in row(contactid=CONTACT, statecode=1).items() if k != "leadid"}
    shown = read_row({**contact, "_originatingleadid_value": LEAD.upper()}, columns("contact"), US)
    assert (shown.record.type, shown.standing, stream_of(shown, None)) == ("contact", "inactive", LEAD)
    assert stream_of(shown, known(record=shown.record, stream=CONTACT)) == CONTACT
    assert stream_of(read_row(contact, columns("contact"), US), None) == CONTACT


def test_a_column_that_the_organisation_lacks_is_not_asked_for() -> None:
    """Nor is the sync filter, which then lets everything through; look-ups are asked for by their ids."""
    lacking = columns(without=("jobtitle", "new_synctomkto"))
    assert lacking.missing == {"jobtitle"}
    assert "jobtitle" not in lacking.select and "new_synctomkto" not in lacking.select
    assert {"_ownerid_value", "versionnumber", "new_leadsynckey", "_masterid_value", "leadid"} <= {*lacking.select}
    assert "jobtitle" not in read_row(row(), lacking, US).fields
    assert lacking.digest != columns().digest


def test_the_types_come_from_the_metadata() -> None:
    """What belongs to another column, or cannot be read, is no column."""
    attributes = [
        {"LogicalName": "ownerid", "AttributeType": "Owner", "IsValidForRead": True},
        {"LogicalName": "owneridname", "AttributeType": "String", "AttributeOf": "ownerid"},
        {"LogicalName": "secret", "AttributeType": "String", "IsValidForRead": False},
        {"LogicalName": "jobtitle", "AttributeType": "String", "AttributeOf": None},
    ]
    assert types_of(attributes) == {"ownerid": "Owner", "jobtitle": "String"}


def test_a_text_that_no_message_takes_is_not_stated() -> None:
    """One endless note does not hold back the rest of the record."""
    shown = read_row(row(description="x" * 131_073), columns(), US)
    assert shown.oversized == ("description",) and "description" not in shown.fields
    assert read_row(row(description="x" * 131_072), columns(), US).oversized == ()


def test_a_row_is_created_until_something_of_it_was_told() -> None:
    """A record that was only announced has not been told yet."""
    shown = read_row(row(), columns(), US)
    assert [change_of(shown, each).kind for each in (None, known(version=0), known(version=9))] == [
        "created",
        "created",
        "updated",
    ]
    change = change_of(shown, None)
    assert (change.scope, change.change_id, change.version) == ("row", f"dynamics/{LEAD}/915244", 915244)


def test_only_what_is_newer_is_news_and_the_deleted_do_not_come_back() -> None:
    """A page that is read twice is told once."""
    shown = read_row(row(), columns(), US)
    assert is_news(shown, None) and is_news(shown, known(version=915243))
    assert not is_news(shown, known(version=915244))
    assert not is_news(shown, known(version=1, state="deleted"))


def test_a_deletion_stands_one_version_after_what_was_told_in_the_same_stream() -> None:
    """With the key that the record held: intake finds the person by it."""
    change, after = deletion_of(
        Record("dynamics", "contact", CONTACT),
        known(record=Record("dynamics", "contact", CONTACT), stream=LEAD, version=9, key="p-1#2"),
    )
    assert (change.kind, change.version, change.person_key, change.creation) == ("deleted", 10, "p-1", 2)
    assert (after.stream, after.version, after.state, after.key) == (LEAD, 10, "deleted", "p-1#2")


def test_a_deletion_of_a_record_that_nobody_has_seen_is_told_in_its_own_stream() -> None:
    """It was created and deleted between two readings: nobody's person takes notice."""
    change, after = deletion_of(Record("dynamics", "lead", LEAD), None)
    assert (change.version, change.person_key, after.stream) == (1, None, LEAD)


def test_what_is_known_keeps_the_key_that_was_seen_last() -> None:
    """Somebody may empty the field; the record still is the one that we created."""
    shown = read_row(row(), columns(), US)
    assert known_of(shown, known(version=1, key="p-1#1")).key == "p-1#1"
    assert known_of(shown, None, closed=True).state == "closed"


def test_the_winner_of_a_merge_stands_for_whom_its_key_or_its_stream_says() -> None:
    """What is known goes first, then its row."""
    shown = read_row(row(new_leadsynckey="p-2#1"), columns(), US)
    assert person_key_for(LEAD, None, known(key="p-1#1")) == "p-1"
    assert person_key_for(LEAD, shown, None) == "p-2"
    assert person_key_for(LEAD, None, None) == person_key_of("dynamics", LEAD)


def test_a_tombstone_is_told_from_a_row() -> None:
    """By its context, or by its reason."""
    context = "https://o.crm.dynamics.com/api/data/v9.2/$metadata#leads/$deletedEntity"
    assert is_tombstone({"@odata.context": context, "id": LEAD, "reason": "deleted"})
    assert is_tombstone({"id": LEAD, "reason": "deleted"})
    assert not is_tombstone(row())


def test_every_change_is_one_that_the_contract_lets_through() -> None:
    """Encoded and read back, with the longest of names."""
    shown = read_row(row(**{f"_modifiedby_value{FORMATTED}": "x" * 500}), columns(), US)
    changes = [
        change_of(shown, None),
        change_of(shown, None, contact=Record("dynamics", "contact", CONTACT)),
        change_of(shown, None, winner=Record("dynamics", "lead", OTHER), winner_person_key="p-2"),
        deletion_of(shown.record, None)[0],
    ]
    for change in changes:
        assert msgspec.json.decode(msgspec.json.encode(change), type=type(change)) == change
