"""Marketo's REST API, simulated: `build_marketo_app` over a `MarketoInstance`, and a `CampaignEngine` for Sync Person."""

from streams.simulators.marketo.app import METER, build_marketo_app
from streams.simulators.marketo.engine import CampaignEngine
from streams.simulators.marketo.identity import MarketoCredentials
from streams.simulators.marketo.instance import MarketoInstance
from streams.simulators.marketo.limits import Limits

__all__ = [
    "METER",
    "CampaignEngine",
    "Limits",
    "MarketoCredentials",
    "MarketoInstance",
    "build_marketo_app",
]
