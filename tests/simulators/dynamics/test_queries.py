"""Queries: filters, order, top, count, pages; users and accounts too."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from streams.simulators.dynamics.answers import ApiError
from streams.simulators.dynamics.directory import APPLICATION_USER_ID
from streams.simulators.dynamics.filters import Filter
from tests.simulators.dynamics.organisation import QUALIFY, Organisation, organisation

PEOPLE = (
    {"lastname": "Byron", "jobtitle": "Poet", "numberofemployees": 1},
    {"lastname": "Lovelace", "jobtitle": "Analyst", "numberofemployees": 20, "donotphone": True},
    {"lastname": "O'Neil", "numberofemployees": 300},
)


async def names(org: Organisation, query: str) -> list[str]:
    """The last names that a query finds, in its order."""
    answer = await org.ask("GET", f"leads?$select=lastname&{query}")
    assert answer.status == 200, answer.text
    return [row["lastname"] for row in answer.row["value"]]


@pytest.mark.parametrize(
    ("condition", "found"),
    [
        ("lastname eq 'byron'", ["Byron"]),
        ("lastname ne 'Byron'", ["Lovelace", "O'Neil"]),
        ("jobtitle ne 'Poet'", ["Lovelace", "O'Neil"]),
        ("jobtitle eq null", ["O'Neil"]),
        ("jobtitle ne null", ["Byron", "Lovelace"]),
        ("numberofemployees gt 1 and numberofemployees le 300", ["Lovelace", "O'Neil"]),
        ("numberofemployees lt 20 or lastname eq 'O''Neil'", ["Byron", "O'Neil"]),
        ("not (numberofemployees ge 20)", ["Byron"]),
        ("contains(lastname,'LOVE') or startswith(lastname,'By')", ["Byron", "Lovelace"]),
        ("endswith(jobtitle,'yst')", ["Lovelace"]),
        ("donotphone eq true", ["Lovelace"]),
        ("createdon ge 2026-01-01T00:00:00Z and createdon lt 2027-01-01T00:00:00Z", ["Byron", "Lovelace", "O'Neil"]),
        ("Microsoft.Dynamics.CRM.In(PropertyName='lastname',PropertyValues=['Byron','X'])", ["Byron"]),
        ("statecode eq 0 and (jobtitle eq 'Poet' or jobtitle eq 'Analyst') and donotphone eq false", ["Byron"]),
    ],
)
async def test_a_filter_finds_what_fits(condition: str, found: list[str]) -> None:
    """Without regard to case; null is unequal to everything."""
    async with organisation() as org:
        for person in PEOPLE:
            await org.lead(**person)
        assert sorted(await names(org, f"$filter={condition}")) == found


async def test_a_lookup_is_compared_by_its_id() -> None:
    """Without quotes around it."""
    async with organisation() as org:
        await org.lead(**PEOPLE[0])
        assert await names(org, f"$filter=_modifiedby_value eq {APPLICATION_USER_ID}") == ["Byron"]


@pytest.mark.parametrize("query", ["$filter=nonsense eq 1", "$filter=lastname", "$filter=lastname eq", "$select=nonsense",
                                   "$orderby=nonsense", "$skip=1", "$filter=lastname eq 'x' 7"])  # fmt: skip
async def test_a_query_that_cannot_be_understood_is_refused(query: str) -> None:
    """400 with the code of a bad query."""
    async with organisation() as org:
        answer = await org.ask("GET", f"leads?{query}")
        assert (answer.status, answer.code) == (400, "0x80060888")


async def test_order_top_and_count() -> None:
    """Nulls first, descending on demand; the count is that of all that fit."""
    async with organisation() as org:
        for person in PEOPLE:
            await org.lead(**person)
        assert await names(org, "$orderby=jobtitle") == ["O'Neil", "Lovelace", "Byron"]
        assert await names(org, "$orderby=numberofemployees desc,lastname&$top=2") == ["O'Neil", "Lovelace"]
        answer = await org.ask("GET", "leads?$count=true&$top=1&$filter=numberofemployees gt 1")
        assert answer.row["@odata.count"] == 2 and len(answer.row["value"]) == 1
        assert (await org.ask("GET", "leads/$count?$filter=jobtitle ne null")).text == "2"


@pytest.mark.parametrize("order", ["", "&$orderby=jobtitle desc", "&$orderby=lastname"])
async def test_pages_hold_every_row_once(order: str) -> None:
    """Chained by next links, whatever the order, and even if rows come in between."""
    async with organisation() as org:
        ids = [await org.lead(lastname=f"L{n:02}", jobtitle="ABC"[n % 3]) for n in range(10)]
        found, target = [], f"leads?$select=lastname&$filter=statecode eq 0{order}"
        while target:
            page = (await org.ask("GET", target, Prefer="odata.maxpagesize=3")).row
            assert len(page["value"]) <= 3
            found += [row["leadid"] for row in page["value"]]
            target = page.get("@odata.nextLink", "")
            if len(found) == 3:
                await org.ask("DELETE", f"leads({found[-1]})")
        assert sorted(found) == sorted(ids)


async def test_users_are_found_by_name_and_read_by_id() -> None:
    """The owners that the system knows, and the application user."""
    async with organisation() as org:
        ada = next(iter(sorted(org.instance.saving.owners)))
        query = f"systemusers?$select=fullname,internalemailaddress&$filter=internalemailaddress eq '{ada}'"
        (row,) = (await org.ask("GET", query)).row["value"]
        assert row["fullname"] == ada
        assert (await org.ask("GET", f"systemusers({row['systemuserid']})?$select=fullname")).row["fullname"] == ada
        assert (await org.ask("GET", "systemusers?$filter=domainname eq 'nobody@sales.example'")).row["value"] == []
        me = (await org.ask("GET", "WhoAmI")).row["UserId"]
        assert (await org.ask("GET", f"systemusers({me})")).row["applicationid"]


async def test_accounts_and_the_organisation_can_be_read() -> None:
    """By list, by id, and not written."""
    async with organisation() as org:
        account = org.instance.accounts.add("Contoso")
        assert [row["name"] for row in (await org.ask("GET", "accounts?$select=name")).row["value"]] == ["Contoso"]
        assert (await org.ask("GET", f"accounts({account})")).row["name"] == "Contoso"
        assert (await org.ask("GET", "organizations?$select=languagecode")).row["value"][0]["languagecode"] == 1033


def test_a_filter_that_breaks_off_is_an_error() -> None:
    """Not a filter that fits everything."""
    for text in ("(a eq 1", "a eq 1 and", "contains(a", "a like 'x'", "'"):
        with pytest.raises(ApiError):
            Filter(text, lambda name: name)


FETCHES = (
    ("<condition attribute='jobtitle' operator='eq' value='Poet'/>", ["Byron"]),
    ("<condition attribute='numberofemployees' operator='ge' value='20'/>", ["Lovelace", "O'Neil"]),
    ("<condition attribute='lastname' operator='like' value='%e%'/>", ["Lovelace", "O'Neil"]),
    ("<condition attribute='lastname' operator='not-like' value='By%'/>", ["Lovelace", "O'Neil"]),
    ("<condition attribute='jobtitle' operator='null'/>", ["O'Neil"]),
    (
        "<condition attribute='lastname' operator='in'><value>Byron</value><value>O'Neil</value></condition>",
        ["Byron", "O'Neil"],
    ),
    ("<condition attribute='donotphone' operator='eq' value='1'/>", ["Lovelace"]),
    (
        "<filter type='or'><condition attribute='jobtitle' operator='eq' value='Poet'/>"
        "<condition attribute='numberofemployees' operator='gt' value='20'/></filter>",
        ["Byron", "O'Neil"],
    ),
)


@pytest.mark.parametrize(("conditions", "found"), FETCHES)
async def test_fetchxml_asks_the_same_in_other_words(conditions: str, found: list[str]) -> None:
    """Attributes, conditions, filters within filters, orders."""
    fetch = (
        f"<fetch><entity name='lead'><attribute name='lastname'/><order attribute='lastname'/>"
        f"<filter>{conditions}</filter></entity></fetch>"
    )
    async with organisation() as org:
        for person in PEOPLE:
            await org.lead(**person)
        answer = await org.ask("GET", f"leads?fetchXml={quote(fetch)}")
        assert [row["lastname"] for row in answer.row["value"]] == found
        assert set(answer.row["value"][0]) == {"@odata.etag", "lastname", "leadid"}


async def test_fetchxml_comes_in_pages_and_says_what_it_can_not_do() -> None:
    """With a cookie for the next page; 501 for linked tables; 400 for what is no XML."""
    async with organisation() as org:
        for person in PEOPLE:
            await org.lead(**person)
        page = "<fetch count='2' page='{}'><entity name='lead'><order attribute='lastname'/></entity></fetch>"
        first = (await org.ask("GET", f"leads?fetchXml={quote(page.format(1))}")).row
        assert len(first["value"]) == 2 and first["@Microsoft.Dynamics.CRM.morerecords"] is True
        assert 'pagenumber="2"' in first["@Microsoft.Dynamics.CRM.fetchxmlpagingcookie"]
        second = (await org.ask("GET", f"leads?fetchXml={quote(page.format(2))}")).row
        assert len(second["value"]) == 1 and "@Microsoft.Dynamics.CRM.morerecords" not in second
        linked = "<fetch><entity name='lead'><link-entity name='contact'/></entity></fetch>"
        assert (await org.ask("GET", f"leads?fetchXml={quote(linked)}")).status == 501
        assert (await org.ask("GET", f"leads?fetchXml={quote('<fetch')}")).status == 400
        assert (await org.ask("GET", f"contacts?fetchXml={quote(page.format(1))}")).status == 400


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        ("SELECT lastname FROM lead WHERE jobtitle = 'Poet'", ["Byron"]),
        ("SELECT TOP 2 l.lastname FROM lead ORDER BY lastname DESC", ["O'Neil", "Lovelace"]),
        (
            "SELECT lastname FROM lead WHERE lastname LIKE 'L%' OR (numberofemployees > 20 AND jobtitle IS NULL)",
            ["Lovelace", "O'Neil"],
        ),
        ("SELECT lastname FROM lead WHERE lastname IN ('Byron', 'O''Neil') AND NOT jobtitle IS NOT NULL", ["O'Neil"]),
        ("select lastname from lead where numberofemployees <> 20 order by lastname;", ["Byron", "O'Neil"]),
    ],
)
async def test_sql_asks_the_same_too(statement: str, found: list[str]) -> None:
    """Of one table."""
    async with organisation() as org:
        for person in PEOPLE:
            await org.lead(**person)
        answer = await org.ask("GET", f"leads?sql={quote(statement)}")
        rows = [row["lastname"] for row in answer.row["value"]]
        assert rows == found if "order" in statement.lower() else sorted(rows) == found


@pytest.mark.parametrize("statement", ["DROP TABLE lead", "SELECT * FROM lead", "SELECT lastname FROM lead WHERE (x = 1",
                                       "SELECT lastname FROM contact", "SELECT lastname FROM lead WHERE lastname"])  # fmt: skip
async def test_other_sql_is_refused(statement: str) -> None:
    """Not guessed at."""
    async with organisation() as org:
        assert (await org.ask("GET", f"leads?sql={quote(statement)}")).status in (400, 501)


async def test_what_a_lookup_points_to_can_be_expanded() -> None:
    """A user, a lead, an account; null where it points to nothing; never a 304."""
    async with organisation() as org:
        lead_id = await org.lead(**PEOPLE[0])
        (made,) = (await org.ask("POST", f"leads({lead_id})/Microsoft.Dynamics.CRM.QualifyLead", QUALIFY)).row["value"]
        expand = "$expand=owninguser($select=fullname),originatingleadid($select=lastname),parentcustomerid_account"
        target = f"contacts({made['contactid']})?$select=lastname&{expand}"
        row = (await org.ask("GET", target)).row
        assert row["owninguser"]["fullname"] == "sync-user" and row["originatingleadid"]["lastname"] == "Byron"
        assert row["parentcustomerid_account"] is None and "_owninguser_value" not in row
        assert (await org.ask("GET", target, If_None_Match=row["@odata.etag"])).status == 200
        (listed,) = (await org.ask("GET", f"contacts?$select=lastname&{expand}")).row["value"]
        assert listed["originatingleadid"]["leadid"] == lead_id
        assert (await org.ask("GET", "leads?$expand=nonsense")).status == 400
