"""Where a flow step service reports that it is done: `selfServiceFlowComplete` of the Service Provider Interface."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from aiohttp import web

from streams.simulators.marketo.coercion import coerced
from streams.simulators.marketo.envelope import Skipped
from streams.simulators.marketo.instance import MarketoInstance
from streams.simulators.marketo.origin import Origin

PATH = "/selfServiceFlow/v1/callback"
SERVICE_SOURCE = "leadsync (1)"


class Callbacks:
    """Takes the callbacks for one instance."""

    def __init__(self, instance: MarketoInstance) -> None:
        self.instance, self.flow_steps = instance, instance.flow_steps

    async def answer(self, request: web.Request) -> web.Response:
        """POST: 200, 400 for what can't be read, 401 for a wrong key, 404 for a token that is unknown or was used."""
        if request.headers.get("x-api-key") != self.flow_steps.key:
            return web.json_response({}, status=401)
        token = request.headers.get("x-callback-token", "")
        if not self.flow_steps.knows(token):
            return web.json_response({}, status=404)
        try:
            body = orjson.loads(await request.read())
            people = [_person(each, body.get("defaultValues") or {}) for each in body.get("objectData") or []]
        except (orjson.JSONDecodeError, AttributeError, KeyError, TypeError, ValueError):
            return web.json_response({}, status=400)
        if not body.get("munchkinId"):
            return web.json_response({}, status=400)
        campaign_id = self.flow_steps.report(token, body)
        if body.get("errorCode"):
            self.flow_steps.outcomes[str(body["errorCode"])] += 1
            return web.json_response({})
        for lead_id, lead, activity in people:
            self.flow_steps.outcomes[
                "success" if activity.get("success", True) else str(activity.get("errorCode"))
            ] += 1
            self._write(lead_id, lead, campaign_id)
        return web.json_response({})

    def _write(self, lead_id: str, lead: Mapping[str, Any], campaign_id: int) -> None:
        """Fields that the service sends back are a user's edit; one that can't be taken is passed over."""
        held = self.instance.living(lead_id)
        values = {}
        for name, value in lead.items():
            field = self.instance.catalog.get(name)
            if field is None or field.read_only or value is None:
                continue
            try:
                values[name] = coerced(field, None if value == "null" else value)
            except Skipped:
                continue
        if held is not None and values:
            with self.instance.origin(Origin(SERVICE_SOURCE, f"Smart Campaign: {campaign_id}, Step Seq ID: 1", "")):
                self.instance.enter(held, SERVICE_SOURCE, values, self.instance.clock())


def _person(each: Mapping[str, Any], defaults: Mapping[str, Any]) -> tuple[str, Mapping[str, Any], Mapping[str, Any]]:
    """Id, fields and outcome of one person. Raises KeyError, TypeError or ValueError."""
    lead = {**(defaults.get("leadDefaults") or {}), **each["leadData"]}
    activity = {**(defaults.get("activityDefaults") or {}), **(each.get("activityData") or {})}
    return str(int(lead.pop("id"))), lead, activity
