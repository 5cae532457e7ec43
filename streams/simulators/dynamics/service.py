"""Who answers what: the paths below `/api/data/v9.2/`, on a socket or in a batch.

An answer to a request by id is told to the witness at once, and then, where `edited_between` strikes, somebody edits the record.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager

from streams.simulators.dynamics import actions, batch, fetching, listing, metadata, records, several, sql, tracking
from streams.simulators.dynamics.answers import ApiError, Reply, method_not_allowed, no_resource, not_simulated
from streams.simulators.dynamics.call import Call, Segment
from streams.simulators.dynamics.directory import API_USER
from streams.simulators.dynamics.instance import DynamicsInstance
from streams.simulators.dynamics.limits import Limits
from streams.simulators.dynamics.rows import context_of, directory_row, selected
from streams.simulators.dynamics.schema import Table
from streams.simulators.faults import Faults

ACTION_PREFIX = "Microsoft.Dynamics.CRM."
RECORD_TABLES = ("lead", "contact")


class Service:
    """Answers calls; `is_sent`: whether the answer will reach the client. Batches call the parts of it."""

    def __init__(self, instance: DynamicsInstance, faults: Faults, limits: Limits) -> None:
        self._instance, self._faults, self._limits = instance, faults, limits

    def answer(self, call: Call, is_sent: bool = True) -> Reply:
        """The reply to a call from a socket."""
        if _path(call) != "$batch":
            return Answerer(self._instance, self._faults, "", is_sent).one(call)
        self._instance.calls[f"{call.method} $batch"] += 1
        try:
            if call.method != "POST":
                raise method_not_allowed(call.method, "$batch")
            parts = batch.parts_of(call.headers.get("content-type", ""), call.content)
            most = self._limits.batch_operations_max
            if batch.operations_in(parts) > most:
                raise ApiError(
                    400, "0x80060888", f"Only batches with a maximum number of '{most}' operations are allowed."
                )
            return batch.answered(parts, call, Answerer(self._instance, self._faults, "batch ", is_sent))
        except ApiError as error:
            return error.reply()


class Answerer:
    """Answers one call at a time, and counts it under `prefix` and its name."""

    def __init__(self, instance: DynamicsInstance, faults: Faults, prefix: str, is_sent: bool) -> None:
        self._instance, self._faults, self._prefix, self._is_sent = instance, faults, prefix, is_sent

    def one(self, call: Call) -> Reply:
        """Carry out a call. A refusal is a reply too."""
        self._instance.calls[self._prefix + name_of(call)] += 1
        try:
            self._expire(call)
            reply = self.attempt(call)
        except ApiError as error:
            reply = error.reply()
        for note in reply.notes:
            self._faults.note(note)
        if self._is_sent:
            self._tell(reply)
        return reply

    def attempt(self, call: Call) -> Reply:
        """Carry out a call that nobody is told of. Raises ApiError."""
        return _dispatch(self._instance, call, _caller(self._instance, call.headers))

    def tried(self) -> AbstractContextManager[None]:
        """What happens within is taken back at the end."""
        return self._instance.tried()

    def _expire(self, call: Call) -> None:
        token = call.query.get("$deltatoken")
        if token is not None and self._faults.strikes("expired_delta"):
            self._instance.expired_tokens.add(token)

    def _tell(self, reply: Reply) -> None:
        for held in reply.shown:
            self._instance.note_shown(held)
        for held in reply.read:
            if held.state == "open" and self._faults.strikes("edited_between"):
                self._instance.edit_between(held)


def name_of(call: Call) -> str:
    """The endpoint's name: method and path with `(id)` for whatever is named; ` delta` for change tracking."""
    parts = [f"{part.name}(id)" if part.is_keyed else part.name for part in call.path]
    return f"{call.method} {'/'.join(parts)}{' delta' if tracking.is_tracked(call) else ''}"


def _path(call: Call) -> str:
    return "/".join(part.name for part in call.path)


def _caller(instance: DynamicsInstance, headers: Mapping[str, str]) -> str:
    """Who acts: the application user, or the one that it acts for."""
    wanted = headers.get("mscrmcallerid") or headers.get("callerobjectid")
    if wanted is None:
        return API_USER
    for user_id in instance.users:
        row = instance.users.row(user_id)
        if wanted.lower() in (user_id, row["azureactivedirectoryobjectid"]):
            return str(row["fullname"])
    raise ApiError(403, "0x80041d1e", f"systemuser With Id = {wanted} Does Not Exist")


def _dispatch(instance: DynamicsInstance, call: Call, who: str) -> Reply:
    if not call.path:
        return _service_root(instance, call)
    first = call.path[0]
    name = first.name.removeprefix(ACTION_PREFIX)
    if name in _METADATA:
        return metadata.answer(instance, call)
    if len(call.path) == 1 and name in ("WhoAmI", "Merge", "PublishXml", "PublishAllXml", "BulkDelete"):
        return _unbound(instance, name, call, who)
    if first.name == "organizations" and call.method == "GET":
        return actions.organizations(call)
    table = instance.schema.by_set.get(first.name)
    if table is None:
        raise no_resource(first.name)
    if len(call.path) == 1:
        return _of_record(instance, table, first, call, who) if first.is_keyed else _of_set(instance, table, call, who)
    if len(call.path) == 2:
        return _below(instance, table, first, call.path[1], call, who)
    raise not_simulated(f"The path {_path(call)}")


_METADATA = ("EntityDefinitions", "RetrieveMetadataChanges", "GlobalOptionSetDefinitions")


def _service_root(instance: DynamicsInstance, call: Call) -> Reply:
    sets = [{"name": t.entity_set, "kind": "EntitySet", "url": t.entity_set} for t in instance.schema]
    return Reply(200, {"@odata.context": f"{call.base}$metadata", "value": sets})


def _unbound(instance: DynamicsInstance, name: str, call: Call, who: str) -> Reply:
    if call.method != ("GET" if name == "WhoAmI" else "POST"):
        raise method_not_allowed(call.method, name)
    if name == "WhoAmI":
        return actions.who_am_i(call)
    if name == "BulkDelete":
        return several.bulk_delete(instance, call, who)
    return actions.merge(instance, call, who) if name == "Merge" else actions.publish(instance)


def _of_set(instance: DynamicsInstance, table: Table, call: Call, who: str) -> Reply:
    if call.method == "GET":
        return _reading(call)(instance, table, call)
    if call.method != "POST":
        raise method_not_allowed(call.method, table.entity_set)
    _need_records(table, call)
    return records.post(instance, table, call, who)


def _reading(call: Call) -> Callable[[DynamicsInstance, Table, Call], Reply]:
    """How the rows of a set are asked for."""
    if tracking.is_tracked(call):
        return tracking.pages
    if "fetchXml" in call.query:
        return fetching.rows
    return sql.rows if "sql" in call.query else listing.rows


def _of_record(instance: DynamicsInstance, table: Table, segment: Segment, call: Call, who: str) -> Reply:
    if table.logical_name not in RECORD_TABLES:
        return _directory_row(instance, table, segment, call)
    if call.method == "GET":
        return records.get(instance, table, segment, call)
    if call.method == "PATCH":
        return records.patch(instance, table, segment, call, who)
    if call.method == "DELETE":
        return records.delete(instance, table, segment, call, who)
    raise method_not_allowed(call.method, f"{table.entity_set}({segment.id})")


def _below(instance: DynamicsInstance, table: Table, segment: Segment, part: Segment, call: Call, who: str) -> Reply:
    """What follows a set or a record: a count, an action, a property."""
    if not segment.is_keyed:
        return _of_whole_set(instance, table, part.name, call, who)
    name = part.name.removeprefix(ACTION_PREFIX)
    if table.logical_name == "systemuser":
        return _of_user(instance, name, segment, call)
    _need_records(table, call)
    if name == "QualifyLead" and table.logical_name == "lead" and call.method == "POST":
        return actions.qualify(instance, table, segment, call, who)
    if call.method == "GET":
        return records.get_property(instance, table, segment, part.name, call)
    if call.method in ("PUT", "DELETE"):
        value = call.body().get("value") if call.method == "PUT" else None
        return records.put_property(instance, table, segment, part.name, call, value, who)
    raise method_not_allowed(call.method, part.name)


def _of_whole_set(instance: DynamicsInstance, table: Table, name: str, call: Call, who: str) -> Reply:
    if name == "$count" and call.method == "GET":
        return (tracking.count if tracking.is_tracked(call) else listing.count)(instance, table, call)
    action = several.ACTIONS.get(name.removeprefix(ACTION_PREFIX))
    if action is None or call.method != "POST":
        raise no_resource(name)
    _need_records(table, call)
    return action(instance, table, call, who)


def _of_user(instance: DynamicsInstance, name: str, segment: Segment, call: Call) -> Reply:
    if name == "RetrieveUserPrivileges":
        return actions.user_privileges(instance, segment.id or "", call)
    if name == "systemuserroles_association":
        return actions.user_roles(instance, segment.id or "", call)
    raise no_resource(name)


def _directory_row(instance: DynamicsInstance, table: Table, segment: Segment, call: Call) -> Reply:
    if call.method != "GET":
        raise not_simulated(f"{call.method} of {table.entity_set}")
    directory = instance.users if table.logical_name == "systemuser" else instance.accounts
    if segment.id is None or segment.id not in directory:
        raise ApiError(404, "0x80040217", f"{table.logical_name} With Id = {segment.id} Does Not Exist")
    row = directory_row(directory, segment.id, selected(table, call), call.prefer.annotations, instance)
    return Reply(200, {"@odata.context": context_of(call, table, "/$entity"), **row})


def _need_records(table: Table, call: Call) -> None:
    if table.logical_name not in RECORD_TABLES:
        raise not_simulated(f"{call.method} of {table.entity_set}")
