"""A first connection to Dynamics, step by step. Nothing is changed: what may be written is read off the user's privileges.

Change tracking needs to read every row of the organisation, and updates reach every row too, so privileges on leads and
contacts must be of the depth Organization (Global); a smaller one would leave out records without a word.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack

from schemas.vocabulary import RecordKind
from streams.connectors.dynamics.calling import Request
from streams.connectors.dynamics.client import DataverseClient
from streams.connectors.dynamics.tokens import Tokens
from streams.connectors.rest import Answer, Refused, Rest
from streams.connectors.settings import DynamicsConnection, tls_context
from streams.instances.connecting import dynamics_here, open_dynamics
from streams.instances.doctor_address import check_address
from streams.instances.doctor_fields import mapped_fields, our_fields
from streams.instances.doctor_steps import Line, Step, failed, well
from streams.instances.live import LiveTable
from streams.instances.reading_metadata import read_records
from streams.sync.policy import Policy

ORGANIZATION = "Global"
DEPTHS: Mapping[str, str] = {
    "Basic": "its own records only",
    "Local": "records of its business unit only",
    "Deep": "records of its business unit and those below only",
    "RecordFilter": "filtered records only",
}
READ = ("prvReadLead", "prvReadContact")
WRITE = ("prvCreateLead", "prvWriteLead", "prvCreateContact", "prvWriteContact")
OWNERS = ("prvReadUser", "prvAssignLead", "prvAssignContact")
"""For owners: naming them, and assigning a chosen one."""

BURST_HEADER = "x-ms-ratelimit-burst-remaining-xrm-requests"
TIME_HEADER = "x-ms-ratelimit-time-remaining-xrm-requests"
BURST_TYPICAL = 6_000
BURST_WARNED = 600

AUTHORITY_REMEDIES: Mapping[str, str] = {
    "AADSTS7000215": "the secret is wrong: LEADSYNC_DYNAMICS_CLIENT_SECRET takes the secret's value, not its id (Entra ID, App registrations, Certificates & secrets)",
    "AADSTS7000222": "the secret has expired: make another one (Entra ID, App registrations, Certificates & secrets)",
    "AADSTS700016": "no application of this id is in the tenant: check LEADSYNC_DYNAMICS_CLIENT_ID and …_TENANT",
    "AADSTS90002": "there is no such tenant: check LEADSYNC_DYNAMICS_TENANT (Entra ID, Overview)",
    "AADSTS900023": "there is no such tenant: check LEADSYNC_DYNAMICS_TENANT (Entra ID, Overview)",
    "AADSTS500011": "the tenant knows no organisation at LEADSYNC_DYNAMICS_URL",
}
"""What Microsoft's identity platform says, by its own number."""


class DynamicsDoctor:
    """Holds what one step finds for the next. What is opened is closed with `stack`."""

    def __init__(self, policy: Policy, stack: AsyncExitStack) -> None:
        self._policy, self._stack = policy, stack
        self._connection: DynamicsConnection | None = None
        self._client: DataverseClient | None = None
        self._user_id = ""
        self._depths: Mapping[str, str] = {}
        self._tables: Mapping[RecordKind, LiveTable] = {}

    def steps(self) -> list[Step]:
        """In their order."""
        return [
            Step("settings", self._settings),
            Step("address", self._address, ("settings",)),
            Step("authority address", self._authority_address, ("settings",)),
            Step("credentials", self._credentials, ("address", "authority address")),
            Step("user", self._user, ("credentials",)),
            Step("privileges", self._privileges, ("user",)),
            Step("read everything", self._read_everything, ("privileges",)),
            Step("write", self._write, ("privileges",)),
            Step("owners", self._owners, ("privileges",)),
            Step("tables", self._metadata, ("user",)),
            Step("change tracking", self._change_tracking, ("tables",)),
            Step("optimistic concurrency", self._concurrency, ("tables",)),
            Step("our fields", self._our_fields, ("tables",)),
            Step("mapped fields", self._mapped_fields, ("tables",)),
            Step("quota", self._quota, ("user",)),
        ]

    async def _settings(self) -> Sequence[Line]:
        self._connection = dynamics_here()
        return well(
            f"{self._connection.url} as client {self._connection.client_id} of tenant {self._connection.tenant}"
        )

    async def _address(self) -> Sequence[Line]:
        connection = self._the_connection()
        return await check_address(
            connection.url, "LEADSYNC_DYNAMICS_URL", connection.ca_file, "LEADSYNC_DYNAMICS_CA_FILE"
        )

    async def _authority_address(self) -> Sequence[Line]:
        connection = self._the_connection()
        return await check_address(
            connection.authority, "LEADSYNC_DYNAMICS_AUTHORITY", connection.ca_file, "LEADSYNC_DYNAMICS_CA_FILE"
        )

    async def _credentials(self) -> Sequence[Line]:
        connection = self._the_connection()
        rest = Rest(tls_context(connection.ca_file), 1)
        try:
            await Tokens(connection, rest).token()
        finally:
            await rest.close()
        self._client = await self._stack.enter_async_context(open_dynamics(connection))
        return well("the authority gives a token")

    async def _user(self) -> Sequence[Line]:
        self._user_id = await self._the_client().who_am_i()
        return well(f"the organisation knows it as the application user {self._user_id}")

    async def _privileges(self) -> Sequence[Line]:
        target = f"systemusers({self._user_id})/Microsoft.Dynamics.CRM.RetrieveUserPrivileges()"
        found = (await self._the_client().get(target)).get("RolePrivileges") or ()
        self._depths = depths_of(found)
        if not self._depths:
            return failed(
                "it has no privileges at all", "give the application user a security role (Power Platform admin center)"
            )
        return well(f"{len(self._depths)} privileges through its security roles")

    async def _read_everything(self) -> Sequence[Line]:
        return held(self._depths, READ, "every lead and contact can be read")

    async def _write(self) -> Sequence[Line]:
        return held(self._depths, WRITE, "every lead and contact can be created and updated")

    async def _owners(self) -> Sequence[Line]:
        """Only where somebody chooses one."""
        lines = held(self._depths, OWNERS, "owners can be named and assigned")
        return [line._replace(outcome="warned") if line.outcome == "failed" else line for line in lines]

    async def _metadata(self) -> Sequence[Line]:
        self._tables = await read_records(self._the_client())
        counts = [f"{len(table.columns)} columns of a {kind}" for kind, table in self._tables.items()]
        return well(f"{' and '.join(counts)} are described")

    async def _change_tracking(self) -> Sequence[Line]:
        remedy = "turn on Track changes in the table's properties (Power Apps, Tables, Advanced options)"
        return self._flag(lambda table: table.tracks_changes, "on for leads and contacts", "off for the {}", remedy)

    async def _concurrency(self) -> Sequence[Line]:
        remedy = "without it a write could undo a user's: the table must have IsOptimisticConcurrencyEnabled"
        return self._flag(lambda table: table.checks_versions, "on for leads and contacts", "off for the {}", remedy)

    async def _our_fields(self) -> Sequence[Line]:
        return our_fields(self._tables.values())

    async def _mapped_fields(self) -> Sequence[Line]:
        return mapped_fields(self._policy, self._tables.values())

    async def _quota(self) -> Sequence[Line]:
        client, url = self._the_client(), f"{self._the_connection().url}/api/data/v9.2/WhoAmI"
        answer: Answer = await client.caller.call(Request("GET WhoAmI", "GET", url, {}), lambda answer: answer)
        left = answer.headers.get(BURST_HEADER)
        if left is None:
            return well(f"Dataverse does not say what is left of the {BURST_TYPICAL:,} requests in 5 minutes")
        seconds = answer.headers.get(TIME_HEADER)
        found = f"{left} requests left in these 5 minutes" + (
            f", and {seconds} seconds of execution" if seconds else ""
        )
        if left.isdecimal() and int(left) < BURST_WARNED:
            return [Line("warned", found, "find out who else calls as this user, or give leadsync a user of its own")]
        return well(found)

    def _flag(self, flag: Callable[[LiveTable], bool | None], good: str, bad: str, remedy: str) -> Sequence[Line]:
        off = [
            Line("failed", bad.format(kind), remedy) for kind, table in self._tables.items() if flag(table) is not True
        ]
        return off or well(good)

    def _the_connection(self) -> DynamicsConnection:
        assert self._connection is not None
        return self._connection

    def _the_client(self) -> DataverseClient:
        assert self._client is not None
        return self._client


def depths_of(privileges: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """Privilege -> its depth, the widest where several roles give it."""
    widths = [*DEPTHS, ORGANIZATION]
    found: dict[str, str] = {}
    for each in privileges:
        name, depth = str(each.get("PrivilegeName", "")), str(each.get("Depth", ""))
        if name not in found or (depth in widths and widths.index(depth) > widths.index(found[name])):
            found[name] = depth
    return found


def held(depths: Mapping[str, str], needed: Sequence[str], good: str) -> list[Line]:
    """One line for each privilege that is missing or does not reach far enough; `good` where there is none."""
    lines = []
    for name in needed:
        depth = depths.get(name)
        if depth is None:
            lines.append(Line("failed", f"{name} is missing", _grant(name)))
        elif depth != ORGANIZATION:
            lines.append(Line("failed", f"{name} reaches {DEPTHS.get(depth, depth)}", _grant(name)))
    return lines or well(good)


def _grant(name: str) -> str:
    return f"give the application user's security role {name} with the depth Organization"


def remedy_in_dynamics(step: str, error: Refused) -> str:
    """What to do about a refusal."""
    for code, remedy in AUTHORITY_REMEDIES.items():
        if code in error.message.replace(" ", ""):
            return remedy
    if step == "credentials":
        return "check LEADSYNC_DYNAMICS_TENANT, …_CLIENT_ID and …_CLIENT_SECRET against Entra ID, App registrations"
    if step == "user" and error.status in (401, 403):
        return "make an application user for this client id in the organisation (Power Platform admin center, S2S apps), and give it a security role"
    if error.status == 403:
        return "give the application user's security role the privilege that the message names"
    if error.status == 404:
        return "check LEADSYNC_DYNAMICS_URL: the organisation's address, such as https://org.crm.dynamics.com"
    return 'see "Web service error codes" of the Dataverse developer guide'
