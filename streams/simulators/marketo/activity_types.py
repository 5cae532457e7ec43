"""Activity types: those of every instance that matter here, and custom ones with their drafts ("Custom Activity Types")."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from streams.simulators.marketo.coercion import in_seconds
from streams.simulators.marketo.envelope import Json, Refused

FIRST_CUSTOM_ID = 100_001
REQUIRED = ("apiName", "name", "triggerName", "filterName", "primaryAttribute")
CHANGEABLE = ("name", "description", "triggerName", "filterName", "primaryAttribute")
DATA_TYPES = frozenset(
    ("string", "boolean", "integer", "float", "link", "email", "currency", "date", "datetime", "phone", "text")
)

_ORIGIN = (("API Method Name", "string"), ("Modifying User", "string"), ("Request Id", "string"))
_BUILT_IN: tuple[tuple[int, str, str, tuple[str, str], tuple[tuple[str, str], ...]], ...] = (
    (
        12,
        "New Lead",
        "New person/record is added to the lead database",
        ("Lead ID", "integer"),
        (("Created Date", "date"), ("Source Type", "string"), *_ORIGIN),
    ),
    (
        13,
        "Change Data Value",
        "Changed attribute value for a person/record",
        ("Attribute Name", "string"),
        (("New Value", "text"), ("Old Value", "text"), ("Reason", "string"), ("Source", "string"), *_ORIGIN),
    ),
    (
        32,
        "Merge Leads",
        "Leads have been merged into a single record",
        ("Lead ID", "integer"),
        (
            ("Master Updated", "boolean"),
            ("Merge Fields", "string"),
            ("Merge IDs", "string"),
            ("Merge Source", "string"),
            ("Merged in Sales", "boolean"),
        ),
    ),
    (37, "Delete Lead", "Delete lead from Marketo database", ("Lead ID", "integer"), ()),
    (
        110,
        "Call Webhook",
        "Call webhook",
        ("Webhook", "integer"),
        (("Error Type", "integer"), ("Response", "text")),
    ),
)


@dataclass
class CustomType:
    """One custom type. `live` is what was approved last; None while there is only a draft."""

    id: int
    api_name: str
    draft: Json
    created_at: str
    updated_at: str
    live: Json | None = None
    has_draft: bool = True

    @property
    def status(self) -> str:
        """As Marketo says it."""
        if self.live is None:
            return "draft"
        return "approved with draft" if self.has_draft else "approved"

    def shown(self, draft: bool = False, attributes: bool = True) -> Json:
        """The live version, or the draft where there is no other or it is asked for."""
        version = self.draft if draft or self.live is None else self.live
        shown = {"id": self.id, "apiName": self.api_name, **version}
        if not attributes:
            shown = {name: value for name, value in shown.items() if name not in ("primaryAttribute", "attributes")}
        return {**shown, "createdAt": self.created_at, "updatedAt": self.updated_at, "status": self.status}


class ActivityTypes:
    """The custom types of one instance."""

    def __init__(self) -> None:
        self.custom: dict[str, CustomType] = {}
        self._created = 0

    def all(self) -> list[Json]:
        """As activities/types.json shows them; a draft is none yet."""
        custom = [_as_type(each) for each in self.custom.values() if each.live is not None]
        return [*(_built_in(*each) for each in _BUILT_IN), *custom]

    def get(self, api_name: str) -> CustomType:
        """The custom type. Raises Refused (1013)."""
        found = self.custom.get(api_name)
        if found is None:
            raise Refused("1013", f"Object not found: custom activity type '{api_name}'")
        return found

    def approved(self, type_id: int) -> CustomType | None:
        """The live type of this id."""
        return next((each for each in self.custom.values() if each.id == type_id and each.live is not None), None)

    def create(self, asked: Mapping[str, Any], types_max: int, now: float) -> CustomType:
        """A draft. Raises Refused."""
        for member in REQUIRED:
            if not asked.get(member):
                raise Refused("1002", f"Missing value for the required parameter '{member}'")
        api_name = str(asked["apiName"])
        if not api_name.isalnum():
            raise Refused("1003", f"Invalid data: apiName '{api_name}' must be alphanumeric")
        if api_name in self.custom or any(each.draft["name"] == asked["name"] for each in self.custom.values()):
            raise Refused("1017", f"Object already exists: custom activity type '{api_name}'")
        if len(self.custom) >= types_max:
            raise Refused("1027", "Max Activity Type Limit Reached")
        draft = {name: asked[name] for name in CHANGEABLE if name in asked}
        draft["primaryAttribute"] = {"dataType": "string", **asked["primaryAttribute"]}
        made = CustomType(FIRST_CUSTOM_ID + self._created, api_name, draft, in_seconds(now), in_seconds(now))
        self._created += 1
        self.custom[api_name] = made
        return made

    def update(self, api_name: str, asked: Mapping[str, Any], now: float) -> CustomType:
        """Change the draft. Raises Refused."""
        found = self._with_draft(api_name, now)
        found.draft |= {name: asked[name] for name in CHANGEABLE if name in asked}
        return found

    def approve(self, api_name: str, now: float) -> CustomType:
        """The draft goes live. Raises Refused: 709 where there is none."""
        found = self.get(api_name)
        if not found.has_draft:
            raise Refused("709", f"Business Rule Violation: '{api_name}' has no draft")
        found.live, found.has_draft, found.updated_at = deepcopy(found.draft), False, in_seconds(now)
        return found

    def discard(self, api_name: str) -> None:
        """The draft is dropped. Raises Refused: 709 where nothing else is there."""
        found = self.get(api_name)
        if found.live is None or not found.has_draft:
            raise Refused("709", f"Business Rule Violation: the draft of '{api_name}' can't be discarded")
        found.draft, found.has_draft = deepcopy(found.live), False

    def delete(self, api_name: str) -> None:
        """The type is no more. Raises Refused."""
        self.get(api_name)
        del self.custom[api_name]

    def change_attributes(
        self, api_name: str, how: str, asked: list[Mapping[str, Any]], attributes_max: int, now: float
    ) -> CustomType:
        """Create, update or delete attributes of the draft, by their apiName. Raises Refused."""
        found = self._with_draft(api_name, now)
        attributes = {each["apiName"]: each for each in found.draft.get("attributes", [])}
        for each in asked:
            name = str(each.get("apiName", ""))
            if not name or (how == "create") == (name in attributes):
                raise Refused("1013" if how != "create" else "1017", f"Attribute '{name}' of '{api_name}'")
            if how == "delete":
                del attributes[name]
                continue
            attributes[name] = {**attributes.get(name, {}), **_attribute(each, how)}
        if len(attributes) > attributes_max:
            raise Refused("1028", "Max field limit reached")
        found.draft["attributes"] = list(attributes.values())
        return found

    def _with_draft(self, api_name: str, now: float) -> CustomType:
        found = self.get(api_name)
        found.has_draft, found.updated_at = True, in_seconds(now)
        return found


def _attribute(asked: Mapping[str, Any], how: str) -> Json:
    for member in ("name", "dataType") if how == "create" else ():
        if not asked.get(member):
            raise Refused("1002", f"Missing value for the required parameter '{member}'")
    if "dataType" in asked and asked["dataType"] not in DATA_TYPES:
        raise Refused("1001", f"Invalid value '{asked['dataType']}'. Required of type 'dataType'")
    return {name: asked[name] for name in ("apiName", "name", "description", "dataType") if name in asked}


def _built_in(
    type_id: int, name: str, description: str, primary: tuple[str, str], attributes: tuple[tuple[str, str], ...]
) -> Json:
    return {
        "id": type_id,
        "name": name,
        "description": description,
        "primaryAttribute": {"name": primary[0], "dataType": primary[1]},
        "attributes": [{"name": each, "dataType": data_type} for each, data_type in attributes],
    }


def _as_type(custom: CustomType) -> Json:
    shown = custom.shown()
    members = ("id", "apiName", "name", "description", "primaryAttribute")
    return {**{name: shown[name] for name in members if name in shown}, "attributes": shown.get("attributes", [])}
