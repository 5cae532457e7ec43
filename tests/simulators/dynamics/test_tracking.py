"""Change tracking: everything, then what changed, then what was deleted, page by page, until the token is too old."""

from __future__ import annotations

import pytest

from tests.simulators.dynamics.organisation import LEAD_ID, QUALIFY, Organisation, organisation

START = "leads?$select=lastname,jobtitle"
TRACKED = "odata.track-changes"


def summary(entries: list[dict[str, object]]) -> list[tuple[object, object]]:
    """Each row by its last name, each deletion by its id."""
    return [(entry.get("lastname", "deleted"), entry.get("id", entry.get("leadid"))) for entry in entries]


async def test_the_first_read_gives_every_row_and_a_delta_link() -> None:
    """No deletions; the link looks as Microsoft's does."""
    async with organisation() as org:
        kept, gone = await org.lead(), await org.lead()
        await org.ask("DELETE", f"leads({gone})")
        answer = await org.ask("GET", START, Prefer=TRACKED)
        (row,) = answer.row["value"]
        assert row == {"@odata.etag": 'W/"1001"', "lastname": "Lovelace", "jobtitle": None, "leadid": kept}
        assert answer.headers["Preference-Applied"] == TRACKED
        assert answer.row["@odata.deltaLink"].startswith(
            f"{org.api}{START}&$deltatoken=1003%2109%2f21%2f2026%2014%3a13%3a20"
        )


async def test_a_delta_shows_changed_rows_by_version_and_then_deletions() -> None:
    """Each record once, as it is now; one that was made and deleted in between is reported as deleted."""
    async with organisation() as org:
        first, second, third = [await org.lead(lastname=name) for name in "ABC"]
        _, link = await org.changes(START)
        await org.ask("DELETE", f"leads({second})")
        await org.ask("PATCH", f"leads({first})", {"jobtitle": "CTO"})
        brief = await org.lead(lastname="D")
        await org.ask("DELETE", f"leads({brief})")
        await org.ask("PATCH", f"leads({third})", {"jobtitle": "CIO"})
        await org.ask("PATCH", f"leads({first})", {"jobtitle": "CEO"})
        entries, _ = await org.changes(link)
        assert summary(entries) == [("C", third), ("A", first), ("deleted", second), ("deleted", brief)]
        assert entries[1]["jobtitle"] == "Ceo" or entries[1]["jobtitle"] == "CEO"
        assert entries[2] == {
            "@odata.context": f"{org.api}$metadata#leads/$deletedEntity",
            "id": second,
            "reason": "deleted",
        }


async def test_nothing_new_is_an_empty_page_with_a_new_link() -> None:
    """Again and again."""
    async with organisation() as org:
        await org.lead()
        _, link = await org.changes(START)
        for _ in range(2):
            entries, link = await org.changes(link)
            assert entries == []


@pytest.mark.parametrize("rows_max", [1, 2, 3, 4, 7, 100])
async def test_pages_of_any_size_show_the_same(rows_max: int) -> None:
    """Rows, then deletions, and the delta link only on the last page."""
    async with organisation() as org:
        ids = [await org.lead(lastname=f"L{n}") for n in range(7)]
        entries, link = await org.changes(START, rows_max)
        assert [record_id for _, record_id in summary(entries)] == ids
        for record_id in ids[:3]:
            await org.ask("DELETE", f"leads({record_id})")
        for record_id in ids[3:]:
            await org.ask("PATCH", f"leads({record_id})", {"jobtitle": "X"})
        entries, _ = await org.changes(link, rows_max)
        assert [record_id for _, record_id in summary(entries)] == [*ids[3:], *ids[:3]]


async def test_what_changes_while_pages_are_read_comes_with_the_next_delta() -> None:
    """Nothing is lost between the pages, and nothing shown twice in one window."""
    async with organisation() as org:
        ids = [await org.lead(lastname=f"L{n}") for n in range(4)]
        page = (await org.ask("GET", START, Prefer=f"{TRACKED},odata.maxpagesize=2")).row
        await org.ask("PATCH", f"leads({ids[0]})", {"jobtitle": "X"})
        await org.ask("PATCH", f"leads({ids[3]})", {"jobtitle": "X"})
        await org.ask("DELETE", f"leads({ids[2]})")
        rest, link = await org.changes(page["@odata.nextLink"])
        assert rest == []
        entries, _ = await org.changes(link)
        assert [record_id for _, record_id in summary(entries)] == [ids[0], ids[3], ids[2]]


async def test_edits_within_the_process_are_tracked_like_any_other() -> None:
    """The demo's users don't come by REST."""
    async with organisation() as org:
        held = org.instance.create("lead", "tim", {"lastname": "Byron"}, org.clock[0])
        _, link = await org.changes(START)
        org.instance.edit(held.id, "tim", {"jobtitle": "Poet"}, org.clock[0])
        entries, _ = await org.changes(link)
        assert [entry["jobtitle"] for entry in entries] == ["Poet"]


async def test_a_closed_lead_and_its_contact_show_in_their_own_tables() -> None:
    """The lead with its state, the contact with the lead that it came from."""
    async with organisation() as org:
        lead_id = await org.lead()
        _, leads = await org.changes("leads?$select=statecode,statuscode")
        _, contacts = await org.changes("contacts?$select=lastname,_originatingleadid_value")
        await org.ask("POST", f"leads({lead_id})/Microsoft.Dynamics.CRM.QualifyLead", QUALIFY)
        (row,), _ = await org.changes(leads)
        assert (row["statecode"], row["statuscode"]) == (1, 3)
        (row,), _ = await org.changes(contacts)
        assert row["_originatingleadid_value"] == lead_id


@pytest.mark.parametrize("option", ["$filter=lastname eq 'x'", "$orderby=lastname", "$top=1", "$expand=ownerid"])
async def test_other_query_options_are_refused_in_the_documented_words(option: str) -> None:
    """On the first read, and with a token."""
    async with organisation() as org:
        answer = await org.ask("GET", f"leads?{option}", Prefer=TRACKED)
        assert answer.status == 400
        assert (
            answer.message
            == f'The \\"{option.partition("=")[0]}\\" query parameter isn\'t supported when Change Tracking is enabled.'
        )


async def test_a_token_is_good_for_seven_days() -> None:
    """Then 0x80044352, and a full read starts anew."""
    async with organisation() as org:
        await org.lead()
        _, link = await org.changes(START)
        org.clock[0] += 6 * 86_400
        org.token = (await org.sign_in()).row["access_token"]
        _, link = await org.changes(link)
        org.clock[0] += 8 * 86_400
        org.token = (await org.sign_in()).row["access_token"]
        answer = await org.ask("GET", link)
        assert (answer.status, answer.code) == (400, "0x80044352")
        entries, _ = await org.changes(START)
        assert len(entries) == 1


async def test_a_table_without_change_tracking_says_so() -> None:
    """And a token that is none is a bad request."""
    async with organisation(tracks_changes=False) as org:
        assert (await org.ask("GET", START, Prefer=TRACKED)).code == "0x80044351"
    async with organisation() as org:
        assert (await org.ask("GET", f"{START}&$deltatoken=nonsense")).code == "0x80060888"


async def test_the_changes_can_be_counted() -> None:
    """As text, without being shown."""
    async with organisation() as org:
        await org.lead()
        _, link = await org.changes(START)
        await org.lead()
        token = link.partition("$deltatoken=")[2]
        assert (await org.ask("GET", f"leads/$count?$deltatoken={token}")).text == "1"
        assert org.told.of("shown")[1:] == []


async def caught_up(org: Organisation, links: list[str]) -> list[str]:
    """Poll both tables once; gives the new links."""
    return [(await org.changes(link))[1] for link in links]


async def test_caught_up_means_both_tables_were_read_from_their_very_ends() -> None:
    """The page that brings the last change does not count: the one after it, which is empty, does."""
    async with organisation() as org:
        assert not org.instance.is_caught_up()
        links = await caught_up(org, ["leads?$select=lastname", "contacts?$select=lastname"])
        assert org.instance.is_caught_up()
        lead_id = await org.lead()
        assert not org.instance.is_caught_up()
        links = await caught_up(org, links)
        assert not org.instance.is_caught_up()
        links = await caught_up(org, links)
        assert org.instance.is_caught_up()
        await org.ask("DELETE", f"leads({lead_id})")
        assert not org.instance.is_caught_up()
        links = await caught_up(org, await caught_up(org, links))
        assert org.instance.is_caught_up()
        org.instance.create("contact", "tim", {"lastname": "Byron"}, org.clock[0])
        assert not org.instance.is_caught_up()


async def test_the_log_forgets_superseded_changes_and_shows_the_same() -> None:
    """However often one record is edited."""
    async with organisation() as org:
        quiet = await org.lead(lastname="Quiet")
        held = org.instance.create("lead", "tim", {"lastname": "Busy"}, org.clock[0])
        _, link = await org.changes(START)
        for number in range(3_000):
            org.instance.edit(held.id, "tim", {"jobtitle": f"{number}"}, org.clock[0])
        assert len(org.instance.logs["lead"]._versions) < 1_100
        entries, _ = await org.changes(link)
        assert [entry["jobtitle"] for entry in entries] == ["2999"]
        assert {entry["leadid"] for entry in (await org.changes(START))[0]} == {quiet, held.id}


async def test_an_unknown_record_id_is_no_trouble_in_a_page() -> None:
    """Made, deleted and made again under its id: a row."""
    async with organisation() as org:
        _, link = await org.changes(START)
        await org.synced_lead()
        await org.ask("DELETE", f"leads({LEAD_ID})")
        await org.ask("PATCH", f"leads({LEAD_ID})", {"lastname": "Again"})
        entries, _ = await org.changes(link)
        assert summary(entries) == [("Again", LEAD_ID)]
