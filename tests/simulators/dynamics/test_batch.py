"""`$batch`: one request after the other, change sets wholly or not at all."""

from __future__ import annotations

import json

from streams.simulators.dynamics.limits import Limits
from tests.simulators.dynamics.organisation import LEAD_ID, Answer, Organisation, organisation

CONTINUE = "odata.continue-on-error"


def part(request_line: str, body: object = None, content_id: int | None = None, **headers: str) -> str:
    """One operation, without the boundary before it."""
    lines = ["Content-Type: application/http", "Content-Transfer-Encoding: binary"]
    lines += [] if content_id is None else [f"Content-ID: {content_id}"]
    lines += ["", f"{request_line} HTTP/1.1"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    lines += ["Content-Type: application/json; type=entry", "", json.dumps(body)] if body is not None else ["", ""]
    return "\r\n".join(lines)


def batch(*parts: str, boundary: str = "b") -> str:
    """A whole body."""
    return "".join(f"--{boundary}\r\n{each}\r\n" for each in parts) + f"--{boundary}--\r\n"


def change_set(*parts: str) -> str:
    """A change set, as a part of a batch."""
    return f'Content-Type: multipart/mixed; boundary="c"\r\n\r\n{batch(*parts, boundary="c")}'


def statuses(answer: Answer) -> list[int]:
    """The status of every part, in order."""
    return [int(line.split(" ")[1]) for line in answer.text.splitlines() if line.startswith("HTTP/1.1 ")]


async def last_names(org: Organisation) -> list[object]:
    """Of all leads there are."""
    return sorted(str(held.values.get("lastname")) for held in org.instance.records.values())


async def test_parts_are_answered_in_their_order() -> None:
    """Addresses from the host, from the service or whole; each part with its own status, headers and body."""
    async with organisation() as org:
        answer = await org.batch(
            batch(
                part(f"PATCH /api/data/v9.2/leads({LEAD_ID})", {"lastname": "A"}, If_None_Match="*"),
                part("POST leads", {"lastname": "B"}),
                part(f"GET {org.api}leads({LEAD_ID})?$select=lastname"),
                part("GET leads?$select=lastname&$filter=lastname eq 'B'"),
            )
        )
        assert answer.status == 200 and statuses(answer) == [204, 204, 200, 200]
        assert answer.headers["Content-Type"].startswith("multipart/mixed; boundary=batchresponse_")
        assert f"OData-EntityId: {org.api}leads({LEAD_ID})" in answer.text and '"lastname":"B"' in answer.text


async def test_the_first_failure_ends_a_batch_and_gives_it_its_status() -> None:
    """What came before it stands; what comes after is not tried."""
    async with organisation() as org:
        body = batch(*(part("POST leads", {"lastname": name}) for name in ("A", "x" * 51, "C")))
        answer = await org.batch(body)
        assert answer.status == 400 and statuses(answer) == [204, 400] and "0x80044331" in answer.text
        assert await last_names(org) == ["A"]


async def test_a_client_may_prefer_to_continue_on_errors() -> None:
    """200, and one status for each part."""
    async with organisation() as org:
        body = batch(
            part("POST leads", {"lastname": "x" * 51}), part("POST leads", {"lastname": "B"}), part("GET nonsense")
        )
        answer = await org.batch(body, Prefer=CONTINUE)
        assert answer.status == 200 and statuses(answer) == [400, 204, 404]
        assert answer.headers["Preference-Applied"] == CONTINUE and await last_names(org) == ["B"]


async def test_a_change_set_is_carried_out_together() -> None:
    """With content ids, by which later operations name what earlier ones made."""
    async with organisation() as org:
        answer = await org.batch(
            batch(
                change_set(
                    part("POST leads", {"lastname": "A"}, content_id=1),
                    part("PATCH $1", {"jobtitle": "CTO"}, content_id=2),
                    part("PUT $1/firstname", {"value": "Ada"}, content_id=3),
                )
            )
        )
        assert statuses(answer) == [204, 204, 204] and "Content-ID: 2" in answer.text
        (held,) = org.instance.records.values()
        assert (held.values["lastname"], held.values["jobtitle"], held.values["firstname"]) == ("A", "CTO", "Ada")
        assert "changesetresponse_" in answer.text and held.id in answer.text


async def test_a_change_set_that_fails_leaves_nothing_behind() -> None:
    """Neither in the records nor in change tracking, and the witness has heard of nothing; one answer stands for all."""
    async with organisation() as org:
        kept = await org.synced_lead(jobtitle="CTO")
        _, link = await org.changes("leads?$select=lastname,jobtitle")
        version, facts, chance = org.instance.version, len(org.told.facts), org.instance.random.getstate()
        answer = await org.batch(
            batch(
                change_set(
                    part("POST leads", {"lastname": "A"}, content_id=1),
                    part(f"PATCH leads({kept})", {"jobtitle": "CEO"}, content_id=2),
                    part(f"POST leads({kept})/Microsoft.Dynamics.CRM.QualifyLead",
                         {"CreateAccount": False, "CreateContact": True, "CreateOpportunity": False, "Status": 3}),
                    part("POST leads", {"lastname": "x" * 51}, content_id=3),
                ),
                part("GET WhoAmI"),
            ),
            Prefer=CONTINUE,
        )  # fmt: skip
        assert statuses(answer) == [400, 200]
        assert list(org.instance.records) == [kept] and org.instance.version == version
        held = org.instance.records[kept]
        assert (held.values["jobtitle"], held.state, held.revision) == ("CTO", "open", 1)
        assert len(org.told.facts) == facts and org.instance.living(kept) is held
        entries, _ = await org.changes(link)
        assert entries == [] and org.instance.random.getstate() == chance
        assert (await org.ask("PATCH", f"leads({kept})", {"jobtitle": "CIO"})).status == 204
        entries, _ = await org.changes(link)
        assert [entry["jobtitle"] for entry in entries] == ["CIO"]


async def test_a_deletion_in_a_failed_change_set_is_taken_back() -> None:
    """The record is there, also for look-ups by key."""
    async with organisation(alternate_keys={"lead": (("new_marketoid",),)}) as org:
        lead_id = await org.lead(new_marketoid="7")
        body = batch(change_set(part(f"DELETE leads({lead_id})"), part("POST leads", {"lastname": "x" * 51})))
        assert statuses(await org.batch(body)) == [400]
        assert (await org.ask("GET", "leads(new_marketoid='7')")).row["leadid"] == lead_id
        assert lead_id not in org.instance.gone


async def test_a_read_in_a_change_set_and_an_unknown_content_id_are_refused() -> None:
    """400."""
    async with organisation() as org:
        lead_id = await org.lead()
        assert statuses(await org.batch(batch(change_set(part(f"GET leads({lead_id})"))))) == [400]
        answer = await org.batch(batch(change_set(part("PATCH $7", {"jobtitle": "X"}))))
        assert statuses(answer) == [400] and "'$7' does not exist" in answer.text


async def test_a_batch_has_at_most_a_thousand_operations() -> None:
    """Those of change sets counted one by one; and a batch counts as one request."""
    async with organisation(limits=Limits(requests_max=3)) as org:
        gets = [part("GET WhoAmI")] * 999
        assert len(statuses(await org.batch(batch(*gets, change_set(part("POST leads", {"lastname": "A"})))))) == 1_000
        assert (await org.batch(batch(*gets, part("GET WhoAmI"), part("GET WhoAmI")))).status == 400
        assert org.instance.calls["POST $batch"] == 2 and org.instance.calls["batch GET WhoAmI"] == 999
        assert (await org.ask("GET", "WhoAmI")).status == 200 and (await org.ask("GET", "WhoAmI")).status == 429


async def test_line_ends_may_be_bare_and_lines_missing() -> None:
    """Clients differ."""
    async with organisation() as org:
        body = '--b\nContent-Type: application/http\n\nPOST leads HTTP/1.1\nContent-Type: application/json\n\n{"lastname": "A"}\n--b--'
        assert statuses(await org.batch(body)) == [204]
        assert (await org.batch("nothing at all")).status == 200
        answer = await org.ask("POST", "$batch")
        assert answer.status == 400


async def test_a_change_of_a_record_made_earlier_in_the_batch_is_no_conflict() -> None:
    """Parts are carried out one after the other."""
    async with organisation() as org:
        body = batch(
            part(f"PATCH leads({LEAD_ID})", {"lastname": "A"}, If_None_Match="*"),
            part(f"PATCH leads({LEAD_ID})", {"lastname": "B"}, If_None_Match="*"),
            part(f"PATCH leads({LEAD_ID})", {"lastname": "C"}, If_Match='W/"1001"'),
        )
        assert statuses(await org.batch(body, Prefer=CONTINUE)) == [204, 412, 204]
