"""The Self-Service Flow Step "Sync Person to Microsoft": what Marketo asks of a service before it shows the step to marketers.

The shapes are those of Adobe's Service Provider Interface (adobe/Marketo-SSFS-Service-Provider-Interface, 1.0.0): a definition,
choices of a parameter, a status, and the call back that says what became of a chunk of people.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from streams.connectors.marketo.asked import Asked

API_NAME = "leadsyncSyncPerson"
CHOICES: Mapping[str, str] = {"lead": "Lead", "contact": "Contact"}

DEFINITION: Mapping[str, Any] = {
    "apiName": API_NAME,
    "i18n": {
        "en_US": {
            "name": "Sync Person to Microsoft Dynamics",
            "filterName": "Was Synced to Microsoft Dynamics",
            "triggerName": "Is Synced to Microsoft Dynamics",
            "description": "Creates a lead, or a contact, in Dynamics where the person has no record there.",
        }
    },
    "primaryAttribute": "syncAs",
    "invocationPayloadDef": {
        "flowAttributes": [
            {
                "apiName": "syncAs",
                "i18n": {"en_US": {"name": "Sync As"}},
                "dataType": "string",
                "hasPicklist": True,
                "enforcePicklistSelect": True,
            },
            {"apiName": "assignTo", "i18n": {"en_US": {"name": "Assign To"}}, "dataType": "string"},
        ],
        "userDrivenMapping": True,
        "campaignContext": True,
        "subscriptionContext": True,
    },
    "callbackPayloadDef": {"attributes": [], "fields": [], "userDrivenMapping": False},
}

STATUS: Mapping[str, Any] = {"info": [], "warnings": [], "errors": []}


def choices(asked: Any) -> dict[str, Any] | None:
    """The choices of a parameter; None for one that has none. `asked`: {"name", "type"}."""
    if not isinstance(asked, Mapping) or asked.get("name") != "syncAs":
        return None
    return {
        "choices": [{"displayValue": {"en_US": label}, "submittedValue": value} for value, label in CHOICES.items()]
    }


def completed(munchkin_id: str, people: Sequence[Asked]) -> dict[str, Any]:
    """What the call back says: the request was taken. What becomes of it is an activity of its own, later."""
    done = {"success": True, "reason": "", "errorCode": ""}
    return {
        "munchkinId": munchkin_id,
        "objectData": [{"leadData": {"id": int(each.lead_id)}, "activityData": done} for each in people],
    }


def openapi(server: str) -> dict[str, Any]:
    """The document that an administrator names when the service is added. It holds nothing secret."""

    def operation(summary: str, answers: str = "200") -> dict[str, Any]:
        return {"summary": summary, "responses": {answers: {"description": "taken"}}}

    return {
        "openapi": "3.0.2",
        "info": {
            "title": "leadsync",
            "version": "1.0.0",
            "description": "Sync Person to Microsoft Dynamics",
            "x-self-service-flow-spi": {"apiName": API_NAME},
        },
        "servers": [{"url": server}],
        "security": [{"apiKey": []}],
        "components": {"securitySchemes": {"apiKey": {"type": "apiKey", "in": "header", "name": "x-api-key"}}},
        "paths": {
            "/submitAsyncAction": {"post": operation("Sync people to Microsoft Dynamics", "201")},
            "/getServiceDefinition": {"get": operation("What the step is called and takes")},
            "/getPicklist": {"post": operation("Choices of a parameter")},
            "/status": {"get": operation("How the service is")},
        },
    }
