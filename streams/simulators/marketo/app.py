"""The Marketo simulator as an application: which path leads to which endpoint."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from functools import partial

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from streams.simulators.faults import Faults
from streams.simulators.marketo import (
    bulk,
    campaigns,
    custom_activities,
    feed,
    lead_endings,
    lead_reads,
    lead_writes,
    schema,
    stats,
)
from streams.simulators.marketo.call import Answer, Call, Endpoint
from streams.simulators.marketo.callbacks import PATH, Callbacks
from streams.simulators.marketo.exports import Exports
from streams.simulators.marketo.gate import Gate
from streams.simulators.marketo.identity import Identity, MarketoCredentials
from streams.simulators.marketo.instance import MarketoInstance
from streams.simulators.marketo.limits import Limits, Meter

__all__ = ["METER", "Limits", "MarketoCredentials", "build_marketo_app"]

METER: web.AppKey[Meter] = web.AppKey("meter", Meter)

REST = "/rest/v1"
CUSTOM_TYPE = f"{REST}/activities/external/type"

ENDPOINTS: tuple[Endpoint, ...] = (
    Endpoint("GET", f"{REST}/lead/{{id}}.json", lead_reads.get_lead),
    Endpoint("GET", f"{REST}/leads.json", lead_reads.get_leads),
    Endpoint("POST", f"{REST}/leads.json", lead_writes.sync_leads, writes=True),
    # An older form of the delete call, which clients still use.
    Endpoint("DELETE", f"{REST}/leads.json", lead_endings.delete_leads, writes=True),
    Endpoint("POST", f"{REST}/leads/delete.json", lead_endings.delete_leads, writes=True),
    Endpoint("DELETE", f"{REST}/leads/delete.json", lead_endings.delete_leads, writes=True),
    Endpoint("POST", f"{REST}/leads/{{id}}/merge.json", lead_endings.merge_leads, writes=True),
    Endpoint("GET", f"{REST}/leads/describe.json", schema.describe),
    Endpoint("GET", f"{REST}/leads/describe2.json", schema.describe_2),
    Endpoint("GET", f"{REST}/leads/partitions.json", schema.get_partitions),
    Endpoint("GET", f"{REST}/leads/schema/fields.json", schema.get_fields),
    Endpoint("POST", f"{REST}/leads/schema/fields.json", schema.create_fields, writes=True),
    Endpoint("GET", f"{REST}/leads/schema/fields/{{id}}.json", schema.get_field),
    Endpoint("POST", f"{REST}/leads/schema/fields/{{id}}.json", schema.update_field, writes=True),
    Endpoint("GET", f"{REST}/activities/pagingtoken.json", feed.get_paging_token),
    Endpoint("GET", f"{REST}/activities/leadchanges.json", feed.get_lead_changes),
    Endpoint("GET", f"{REST}/activities.json", feed.get_activities),
    Endpoint("GET", f"{REST}/activities/deletedleads.json", feed.get_deleted_leads),
    Endpoint("GET", f"{REST}/activities/types.json", custom_activities.get_types),
    Endpoint("POST", f"{REST}/activities/external.json", custom_activities.add_custom_activities, writes=True),
    Endpoint("GET", f"{REST}/activities/external/types.json", custom_activities.get_custom_types),
    Endpoint("POST", f"{CUSTOM_TYPE}.json", custom_activities.create_custom_type, writes=True),
    Endpoint("POST", f"{CUSTOM_TYPE}/{{id}}.json", custom_activities.update_custom_type, writes=True),
    Endpoint("GET", f"{CUSTOM_TYPE}/{{id}}/describe.json", custom_activities.describe_custom_type),
    Endpoint("POST", f"{CUSTOM_TYPE}/{{id}}/approve.json", custom_activities.approve_custom_type, writes=True),
    Endpoint("POST", f"{CUSTOM_TYPE}/{{id}}/discardDraft.json", custom_activities.discard_draft, writes=True),
    Endpoint("POST", f"{CUSTOM_TYPE}/{{id}}/delete.json", custom_activities.delete_custom_type, writes=True),
    Endpoint("POST", f"{CUSTOM_TYPE}/{{id}}/attributes/create.json", custom_activities.create_attributes, writes=True),
    Endpoint("POST", f"{CUSTOM_TYPE}/{{id}}/attributes/update.json", custom_activities.update_attributes, writes=True),
    Endpoint("POST", f"{CUSTOM_TYPE}/{{id}}/attributes/delete.json", custom_activities.delete_attributes, writes=True),
    Endpoint("GET", f"{REST}/stats/usage.json", stats.get_usage),
    Endpoint("GET", f"{REST}/stats/usage/last7days.json", stats.get_usage_of_a_week),
    Endpoint("GET", f"{REST}/stats/errors.json", stats.get_errors),
    Endpoint("GET", f"{REST}/stats/errors/last7days.json", stats.get_errors_of_a_week),
    Endpoint("GET", f"{REST}/campaigns.json", campaigns.get_campaigns),
    Endpoint("GET", f"{REST}/campaigns/{{id}}.json", campaigns.get_campaign),
    Endpoint("POST", f"{REST}/campaigns/{{id}}/trigger.json", campaigns.trigger_campaign, writes=True),
    Endpoint("POST", f"{REST}/campaigns/{{id}}/schedule.json", campaigns.schedule_campaign, writes=True),
)

EXPORT = "/bulk/v1/leads/export"
BULK_ENDPOINTS: tuple[tuple[str, str, bulk.BulkHandler, bool], ...] = (
    ("POST", f"{EXPORT}/create.json", bulk.create_job, True),
    ("GET", f"{EXPORT}.json", bulk.get_jobs, False),
    ("POST", f"{EXPORT}/{{id}}/enqueue.json", bulk.enqueue_job, True),
    ("POST", f"{EXPORT}/{{id}}/cancel.json", bulk.cancel_job, True),
    ("GET", f"{EXPORT}/{{id}}/status.json", bulk.get_status, False),
    ("GET", f"{EXPORT}/{{id}}/file.json", bulk.get_file, False),
)


def build_marketo_app(
    instance: MarketoInstance,
    faults: Faults,
    *,
    credentials: MarketoCredentials,
    others: Iterable[MarketoCredentials] = (),
    limits: Limits | None = None,
) -> web.Application:
    """An application that answers for `instance`. `credentials`: the connector's; `others`: of clients that are users."""
    limits = limits or Limits()
    meter = Meter(limits)
    identity = Identity([credentials, *others], limits.token_seconds, instance.clock)
    gate = Gate(instance, faults, limits, meter, identity, credentials.client_id)
    app = web.Application(client_max_size=limits.body_bytes, middlewares=[_learning_the_address(instance)])
    app[METER] = meter
    app.router.add_route("*", "/identity/oauth/token", identity.answer)
    app.router.add_post(PATH, Callbacks(instance).answer)
    by_path: dict[str, dict[str, Endpoint]] = defaultdict(dict)
    for endpoint in (*ENDPOINTS, *_bulk_endpoints(Exports(instance, limits))):
        by_path[endpoint.path][endpoint.method] = endpoint
    # What stands literally in a path comes before what a placeholder would take.
    for path in sorted(by_path, key=lambda path: (path.count("{"), path)):
        app.router.add_route("*", path, partial(_answer, gate, by_path[path]))
    app.router.add_route("*", "/{unknown:.*}", partial(_answer, gate, {}))
    return app


def _learning_the_address(instance: MarketoInstance) -> Middleware:
    @web.middleware
    async def learn(request: web.Request, handler: Handler) -> web.StreamResponse:
        instance.address = f"{request.scheme}://{request.host}"
        return await handler(request)

    return learn


async def _answer(gate: Gate, endpoints: dict[str, Endpoint], request: web.Request) -> web.StreamResponse:
    return await gate.answer(request, endpoints)


def _bulk_endpoints(exports: Exports) -> list[Endpoint]:
    return [
        Endpoint(method, path, partial(_bulk, handler, exports), writes)
        for method, path, handler, writes in BULK_ENDPOINTS
    ]


async def _bulk(handler: bulk.BulkHandler, exports: Exports, call: Call) -> Answer:
    return await handler(call, exports)
