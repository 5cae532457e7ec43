"""`leadsync doctor`: each step on instances that are well, and on ones that are not."""

from __future__ import annotations

import asyncio
import json
import ssl
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from streams.connectors.rest import OutcomeUnknown, Refused, Unreachable
from streams.instances.doctor_address import check_address
from streams.instances.doctor_dynamics import AUTHORITY_REMEDIES, depths_of, held, remedy_in_dynamics
from streams.instances.doctor_marketo import PERMISSIONS, MarketoDoctor, remedy_in_marketo
from streams.instances.doctor_steps import Checked, Line, Step, run_steps, well
from streams.settings import SettingsError
from tests.instances.systems import SECRETS, TENANT, Systems

NOWHERE = "https://no-such-host.invalid"


def checks(systems: Systems, *arguments: str, **environment: str | None) -> list[Checked]:
    """The lines of `leadsync doctor --json`."""
    result = systems.run("doctor", *arguments, "--json", **environment)
    told = json.loads(result.stdout)
    lines = [Checked(**each) for each in told["checks"]]
    failed = any(line.outcome == "failed" for line in lines)
    assert (result.exit_code, told["ok"]) == ((1, False) if failed else (0, True)), result.output
    return lines


def troubles(lines: list[Checked]) -> dict[str, list[str]]:
    """Step -> what was found, of the lines that are not well."""
    found: dict[str, list[str]] = {}
    for line in lines:
        if line.outcome in ("failed", "warned"):
            found.setdefault(line.step, []).append(line.found)
    return found


def test_after_setup_all_is_well_and_nothing_was_changed(systems: Systems) -> None:
    """Not one record is written, not one activity added: writing was only asked for."""
    before = systems.written
    lines = checks(systems)
    assert {line.outcome for line in lines} == {"ok"}
    assert [line.step for line in lines if line.system == "marketo"] == [
        "settings",
        "address",
        "credentials",
        "read people",
        "read activities",
        "fields",
        "write people",
        "our fields",
        "mapped fields",
        "activity type",
        "write activities",
        "quota",
    ]
    assert systems.written == before
    assert systems.marketo.calls["POST /rest/v1/leads.json"] == 1
    assert systems.marketo.calls["POST /rest/v1/activities/external.json"] == 1
    assert not [name for name in systems.dynamics.calls if name.startswith(("PATCH", "DELETE"))]


def test_a_line_a_step_for_people_and_for_pipes(systems: Systems) -> None:
    """Mark, system, step, what was found, what to do."""
    result = systems.run("doctor", "dynamics")
    assert result.exit_code == 0
    lines = [line.split("\t") for line in result.stdout.splitlines()]
    assert {line[0] for line in lines} == {"✓"}
    assert all(len(line) == 5 for line in lines)
    assert result.stderr == "mapped fields are those of the policy that ships\nall is well\n"


def test_a_broker_that_is_down_does_not_keep_the_systems_from_being_checked(systems: Systems) -> None:
    """The policy in force cannot be read; the shipped one will do, and that is said."""
    result = systems.run("doctor", "dynamics", LEADSYNC_BOOTSTRAP_SERVERS="127.0.0.1:1")
    assert result.exit_code == 0
    assert {line.partition("\t")[0] for line in result.stdout.splitlines()} == {"✓"}
    assert "those of the policy that ships (127.0.0.1:1 cannot be reached" in result.stderr


def test_before_setup_our_fields_are_missing(bare: Systems) -> None:
    """Each with the command that makes it."""
    lines = checks(bare)
    missing = [line for line in lines if line.outcome == "failed"]
    assert {line.remedy for line in missing} == {"`leadsync setup` makes it"}
    assert len(missing) == 7
    assert [line.step for line in lines if line.outcome == "skipped"] == ["write activities"]


@pytest.mark.parametrize("system", ["marketo", "dynamics"])
def test_a_wrong_secret_fails_the_credentials_and_skips_the_rest(systems: Systems, system: str) -> None:
    """With the two settings to look at."""
    name = f"LEADSYNC_{system.upper()}_CLIENT_SECRET"
    lines = checks(systems, system, **{name: "not-the-secret"})
    [failed] = [line for line in lines if line.outcome == "failed"]
    assert failed.step == "credentials"
    assert "CLIENT_SECRET" in failed.remedy
    after = lines[lines.index(failed) + 1 :]
    assert {line.outcome for line in after} == {"skipped"}
    assert {line.found for line in after} == {"not checked, since credentials failed"}


def test_a_wrong_tenant_is_told_as_such(systems: Systems) -> None:
    """Microsoft's own number for it, and where the tenant stands."""
    [failed] = [
        line
        for line in checks(systems, "dynamics", LEADSYNC_DYNAMICS_TENANT="other.example")
        if line.outcome == "failed"
    ]
    assert "AADSTS90002" in failed.found
    assert failed.remedy == "there is no such tenant: check LEADSYNC_DYNAMICS_TENANT (Entra ID, Overview)"


@pytest.mark.parametrize(
    ("changed", "step", "said"),
    [
        ({"LEADSYNC_MARKETO_URL": None}, "settings", "LEADSYNC_MARKETO_URL is not set"),
        ({"LEADSYNC_MARKETO_URL": "http://marketo.example"}, "settings", "plain http is for simulators on this machine, use https"),
        ({"LEADSYNC_MARKETO_CLIENT_ID": None}, "settings", "LEADSYNC_MARKETO_CLIENT_ID is not set"),
        ({"LEADSYNC_MARKETO_CLIENT_SECRET": None}, "settings", "neither LEADSYNC_MARKETO_CLIENT_SECRET nor LEADSYNC_MARKETO_CLIENT_SECRET_FILE is set"),
        ({"LEADSYNC_MARKETO_URL": NOWHERE}, "address", "no-such-host.invalid does not resolve"),
        ({"LEADSYNC_MARKETO_IDENTITY_URL": f"{NOWHERE}/identity"}, "address", "no-such-host.invalid does not resolve"),
        ({"LEADSYNC_MARKETO_URL": "http://127.0.0.1:1", "LEADSYNC_MARKETO_IDENTITY_URL": None}, "address", "127.0.0.1:1 does not answer"),
    ],
)  # fmt: skip
def test_wrong_settings_and_addresses(systems: Systems, changed: dict[str, str | None], step: str, said: str) -> None:
    """The first step that can tell says so, and no later one is tried."""
    lines = checks(systems, "marketo", **changed)
    [failed] = [line for line in lines if line.outcome == "failed"]
    assert failed.step == step
    assert said in failed.found
    assert {line.outcome for line in lines[lines.index(failed) + 1 :]} == {"skipped"}
    assert not systems.marketo.calls["GET /rest/v1/leads.json"]


def test_the_authority_has_an_address_of_its_own(systems: Systems) -> None:
    """The organisation's may be right all the same."""
    found = troubles(checks(systems, "dynamics", LEADSYNC_DYNAMICS_AUTHORITY=NOWHERE))
    assert list(found) == ["authority address"]


def test_one_system_in_trouble_does_not_hide_the_other(systems: Systems) -> None:
    """Both are checked to their ends."""
    lines = checks(systems, LEADSYNC_MARKETO_URL=NOWHERE)
    assert {line.outcome for line in lines if line.system == "dynamics"} == {"ok"}


# Permissions


@pytest.mark.parametrize(
    ("call", "step"),
    [
        ("GET /rest/v1/leads.json", "read people"),
        ("POST /rest/v1/leads.json", "write people"),
        ("GET /rest/v1/activities/pagingtoken.json", "read activities"),
        ("GET /rest/v1/activities.json", "read activities"),
        ("POST /rest/v1/activities/external.json", "write activities"),
        ("GET /rest/v1/activities/external/types.json", "activity type"),
    ],
)
def test_each_missing_permission_of_marketo_is_named(systems: Systems, call: str, step: str) -> None:
    """The one that the API user's role needs; the other steps go on."""
    systems.denied.add(call)
    lines = checks(systems, "marketo")
    [failed] = [line for line in lines if line.outcome == "failed"]
    assert (failed.step, failed.found) == (step, "603: Access denied")
    assert PERMISSIONS[step] in failed.remedy
    assert lines[-1].step == "quota" and lines[-1].outcome == "ok"


@pytest.mark.parametrize(
    ("privilege", "step", "outcome"),
    [
        ("prvReadLead", "read everything", "failed"),
        ("prvReadContact", "read everything", "failed"),
        ("prvCreateLead", "write", "failed"),
        ("prvWriteContact", "write", "failed"),
        ("prvAssignLead", "owners", "warned"),
    ],
)
def test_each_missing_privilege_of_dynamics_is_named(systems: Systems, privilege: str, step: str, outcome: str) -> None:
    """Owners matter only to whoever assigns them."""
    systems.dynamics.privileges = systems.dynamics.privileges - {privilege}
    lines = checks(systems, "dynamics")
    [line] = [line for line in lines if line.outcome not in ("ok", "skipped")]
    assert (line.step, line.outcome, line.found) == (step, outcome, f"{privilege} is missing")
    assert line.remedy == f"give the application user's security role {privilege} with the depth Organization"


def test_a_privilege_must_reach_the_whole_organisation() -> None:
    """Change tracking would leave out what the user can't read, without a word. The widest of several roles counts."""
    roles = [
        {"PrivilegeName": "prvReadLead", "Depth": "Basic"},
        {"PrivilegeName": "prvReadLead", "Depth": "Local"},
        {"PrivilegeName": "prvReadContact", "Depth": "Global"},
        {"PrivilegeName": "prvReadContact", "Depth": "Basic"},
    ]
    depths = depths_of(roles)
    assert depths == {"prvReadLead": "Local", "prvReadContact": "Global"}
    [line] = held(depths, ["prvReadLead", "prvReadContact"], "fine")
    assert (line.outcome, line.found) == ("failed", "prvReadLead reaches records of its business unit only")


# Fields and tables


def test_a_mapped_field_that_is_missing_or_read_only_is_told(systems: Systems) -> None:
    """In either system, with what is allowed."""
    del systems.dynamics.schema.tables["lead"].columns["jobtitle"]
    systems.change("contact", "address1_city", creatable=False, updatable=False)
    systems.change_field("city", read_only=True)
    lines = [line for line in checks(systems) if line.outcome == "failed"]
    assert [(line.system, line.step) for line in lines] == [
        ("marketo", "mapped fields"),
        ("dynamics", "mapped fields"),
        ("dynamics", "mapped fields"),
    ]
    assert lines[0].found == '"city" of a Marketo person is read-only'
    assert lines[1].found.startswith('a Dynamics lead has no column "jobtitle"')
    assert lines[2].remedy == "allowed: direction: to_marketo, or another column"


def test_a_policy_of_ones_own_says_which_fields_are_looked_for(systems: Systems, policy: Path) -> None:
    """And one with mistakes says so before anything is asked."""
    policy.write_text("version: 1\nfields:\n  x: {marketo: firstName, dynamics: new_x}\n")
    found = troubles(checks(systems, "--policy", str(policy)))
    assert list(found) == ["mapped fields"]
    assert len(found["mapped fields"]) == 2
    policy.write_text("version: 1\nfields: {}\n")
    result = systems.run("doctor", "--policy", str(policy))
    assert "found no fields" in str(result.exception)


def test_change_tracking_and_concurrency_must_be_on(systems: Systems) -> None:
    """For each of the two tables."""
    systems.dynamics.schema.tables["lead"].tracks_changes = False
    systems.dynamics.schema.tables["contact"].checks_versions = False
    assert troubles(checks(systems, "dynamics")) == {
        "change tracking": ["off for the lead"],
        "optimistic concurrency": ["off for the contact"],
    }


def test_an_activity_type_that_is_a_draft_is_told(systems: Systems) -> None:
    """Entries of it would be refused."""
    systems.marketo.activity_types.custom["leadsyncSync"].live = None
    assert troubles(checks(systems, "marketo")) == {"activity type": ["the activity type leadsyncSync is not approved"]}


async def test_a_quota_that_is_nearly_used_up_is_a_warning() -> None:
    """Marketo tells the calls of the day, not how many there are."""

    class Usage:
        async def usage(self) -> list[dict[str, int]]:
            return [{"total": 41_000}]

    doctor = MarketoDoctor.__new__(MarketoDoctor)
    doctor._client = Usage()  # type: ignore[assignment]
    [line] = await doctor._quota()
    assert line.outcome == "warned"
    assert line.found.startswith("41,000 calls today by all API users")


# Secrets


@pytest.mark.parametrize("arguments", [(), ("--json",)])
def test_no_secret_is_ever_shown(systems: Systems, arguments: tuple[str, ...]) -> None:
    """Neither where all is well nor where nothing is."""
    wrong = {name: f"{secret}-wrong" for name, secret in (("LEADSYNC_MARKETO_CLIENT_SECRET", SECRETS["marketo"]), ("LEADSYNC_DYNAMICS_CLIENT_SECRET", SECRETS["dynamics"]))}  # fmt: skip
    results = [systems.run("doctor", *arguments), systems.run("doctor", *arguments, **wrong)]
    results.append(
        systems.run("doctor", *arguments, LEADSYNC_MARKETO_URL=f"https://user:{SECRETS['marketo']}@x.example")
    )
    for result in results:
        assert not [secret for secret in SECRETS.values() if secret in result.output + repr(result.exception)]
    assert TENANT in results[0].output


# Addresses


@pytest.fixture
def self_signed(tmp_path: Path) -> Iterator[tuple[int, Path]]:
    """A TLS server whose certificate nobody has signed; its port and certificate."""
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    command = ("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
               "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost")  # fmt: skip
    try:
        subprocess.run([*command, "-keyout", key, "-out", certificate], check=True, capture_output=True, timeout=30)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("no openssl to make a certificate with")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    loop, ready, ports = asyncio.new_event_loop(), threading.Event(), list[int]()

    async def serve() -> None:
        server = await asyncio.start_server(lambda reader, writer: writer.close(), "localhost", 0, ssl=context)
        ports.append(server.sockets[0].getsockname()[1])
        ready.set()

    loop.create_task(serve())
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    assert ready.wait(10)
    yield ports[0], certificate
    loop.call_soon_threadsafe(loop.stop)
    thread.join(10)


async def test_a_certificate_that_is_not_trusted_is_told(self_signed: tuple[int, Path]) -> None:
    """Unless its own is named; verification is never turned off."""
    port, certificate = self_signed
    [line] = await check_address(f"https://localhost:{port}", "THE_URL", None, "THE_CA_FILE")
    assert line.outcome == "failed"
    assert "its certificate is not trusted" in line.found
    assert "THE_CA_FILE" in line.remedy
    [line] = await check_address(f"https://localhost:{port}", "THE_URL", str(certificate), "THE_CA_FILE")
    assert line.outcome == "ok"


async def test_a_port_that_speaks_no_tls_is_told(systems: Systems) -> None:
    """https to a plain server."""
    url = systems.environment["LEADSYNC_MARKETO_URL"].replace("http://", "https://")
    [line] = await check_address(url, "THE_URL", None, "THE_CA_FILE")
    assert line.outcome == "failed"
    assert "speaks no TLS" in line.found


# The steps alone


@pytest.mark.parametrize(
    ("error", "remedy"),
    [
        (SettingsError("X is not set"), "set it in the environment"),
        (Unreachable("https://x: no"), "check the address"),
        (OutcomeUnknown("GET x: dropped"), "try again"),
        (Refused("603", "Access denied"), "of step one"),
    ],
)
async def test_whatever_a_step_raises_is_a_failed_line(error: Exception, remedy: str) -> None:
    """With what to do; steps that need it are skipped, and those that need them."""

    async def fails() -> list[Line]:
        raise error

    async def passes() -> list[Line]:
        return well("yes")

    steps = [Step("one", fails), Step("two", passes, ("one",)), Step("three", passes, ("two",)), Step("four", passes)]
    told: list[Checked] = []
    lines = await run_steps("marketo", steps, lambda step, refused: f"of step {step}", told.append)
    assert told == lines
    assert [line.outcome for line in lines] == ["failed", "skipped", "skipped", "ok"]
    assert {line.found for line in lines[1:3]} == {"not checked, since one failed"}
    assert remedy in lines[0].remedy


async def test_a_warning_keeps_no_step_back() -> None:
    """Only a failure does."""

    async def warns() -> list[Line]:
        return [Line("warned", "so so", "better do something")]

    lines = await run_steps(
        "marketo", [Step("one", warns), Step("two", warns, ("one",))], lambda *_: "", lambda _: None
    )
    assert [line.outcome for line in lines] == ["warned", "warned"]


@pytest.mark.parametrize("code", AUTHORITY_REMEDIES)
def test_microsofts_own_numbers_are_explained(code: str) -> None:
    """Wherever in the message they stand."""
    refused = Refused("invalid_client", f"{code}: something about it.", 401)
    assert remedy_in_dynamics("credentials", refused) == AUTHORITY_REMEDIES[code]


@pytest.mark.parametrize("code", ["603", "401", "404", "607", "610"])
def test_every_refusal_of_marketo_has_something_to_do(code: str) -> None:
    """A line without advice helps nobody."""
    assert remedy_in_marketo("read people", Refused(code, "no"))


@pytest.mark.parametrize("status", [401, 403, 404, 400])
def test_every_refusal_of_dynamics_has_something_to_do(status: int) -> None:
    """The same there."""
    assert remedy_in_dynamics("user", Refused("0x1", "no", status))
    assert remedy_in_dynamics("tables", Refused("0x1", "no", status))
