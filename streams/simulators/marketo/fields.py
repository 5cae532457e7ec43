"""The fields of a person: the standard ones, and custom ones that were made; as describe and the schema endpoints show them.

A field that the policy's rule file names and Marketo's list of standard fields does not is a custom one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from streams.simulators.marketo.envelope import Json, Skipped
from streams.sync.policy import AttributeRule, FieldType, Policy

KEY_FIELD = "leadsyncKey"
REVISION_FIELD = "leadsyncRevision"

STANDARD: Mapping[str, str] = {
    "id": "Id",
    "email": "Email Address",
    "firstName": "First Name",
    "lastName": "Last Name",
    "createdAt": "Created At",
    "updatedAt": "Updated At",
    "salutation": "Salutation",
    "middleName": "Middle Name",
    "jobTitle": "Job Title",
    "phone": "Phone Number",
    "mobilePhone": "Mobile Phone Number",
    "fax": "Fax Number",
    "dateOfBirth": "Date of Birth",
    "mktoPersonNotes": "Person Notes",
    "address": "Address",
    "city": "City",
    "state": "State",
    "postalCode": "Postal Code",
    "country": "Country",
    "leadSource": "Person Source",
    "leadStatus": "Person Status",
    "leadScore": "Person Score",
    "rating": "Lead Rating",
    "priority": "Priority",
    "urgency": "Urgency",
    "relativeScore": "Relative Score",
    "company": "Company Name",
    "website": "Website",
    "annualRevenue": "Annual Revenue",
    "numberOfEmployees": "Num Employees",
    "industry": "Industry",
    "sicCode": "SIC Code",
    "unsubscribed": "Unsubscribed",
    "doNotCall": "Do Not Call",
    "emailInvalid": "Email Invalid",
    "marketingSuspended": "Marketing Suspended",
}
"""REST name -> what users see. Of "Standard Fields", those that a policy is likely to map."""

SPECIAL_TYPES: Mapping[str, str] = {"leadScore": "score", "annualRevenue": "currency"}
SEARCHABLE_STANDARD = frozenset({"id", "email", "company"})
SEARCHABLE_TYPES = frozenset({"string", "email", "integer"})
DATA_TYPES = frozenset(
    {"boolean", "currency", "date", "datetime", "email", "float", "integer", "percent", "phone", "score", "string"}
    | {"text", "textArea", "url"}
)
LENGTHS: Mapping[str, int] = {"string": 255, "email": 255, "phone": 255, "url": 255, "text": 30_000, "textArea": 30_000}
_TYPE_OF_FORMAT = {"decimal": "float"}
_TYPE_OF_POLICY: Mapping[FieldType, str] = {
    "decimal": "float",
    "option": "string",
    "options": "string",
    "text": "string",
}
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_DISPLAY_NAME = re.compile(r"[\w .()-]+")
CHANGEABLE = ("displayName", "description", "isHidden", "isHtmlEncodingInEmail", "isSensitive")


@dataclass(frozen=True)
class FieldDefinition:
    """One field. `length` in characters, for text areas in bytes; None where the type has none."""

    id: int
    name: str
    display_name: str
    data_type: str
    is_custom: bool = False
    read_only: bool = False
    description: str | None = None
    is_hidden: bool = False
    is_html_encoded: bool = True
    is_sensitive: bool = False
    is_api_created: bool = False

    @property
    def length(self) -> int | None:
        """How long a value may be."""
        return LENGTHS.get(self.data_type)

    @property
    def searchable(self) -> bool:
        """Whether it can be a filterType, and a lookupField."""
        return self.data_type in SEARCHABLE_TYPES if self.is_custom else self.name in SEARCHABLE_STANDARD

    def described(self) -> Json:
        """As describe.json shows it."""
        access = {"name": self.name, "readOnly": self.read_only}
        shown = {"id": self.id, "displayName": self.display_name, "dataType": self.data_type, **self._length()}
        return {**shown, "rest": access, "soap": {**access, "name": self.name[:1].upper() + self.name[1:]}}

    def described_2(self) -> Json:
        """As describe2.json shows it."""
        shown = {"name": self.name, "displayName": self.display_name, "dataType": self.data_type, **self._length()}
        return {**shown, "updateable": not self.read_only, "crmManaged": False}

    def schema(self) -> Json:
        """As schema/fields.json shows it."""
        return {
            "displayName": self.display_name,
            "name": self.name,
            "description": self.description,
            "dataType": self.data_type,
            **self._length(),
            "isHidden": self.is_hidden,
            "isHtmlEncodingInEmail": self.is_html_encoded,
            "isSensitive": self.is_sensitive,
            "isCustom": self.is_custom,
            "isApiCreated": self.is_api_created,
        }

    def _length(self) -> Json:
        return {} if self.length is None else {"length": self.length}


class Catalog:
    """All fields by REST name, in the order in which they came."""

    def __init__(self, policy: Policy, with_our_fields: bool = False) -> None:
        self._fields: dict[str, FieldDefinition] = {}
        rules = policy.rules["person"]
        for name in dict.fromkeys([*STANDARD, *rules, *policy.inbound["person"]]):
            mapped = policy.inbound["person"].get(name)
            self._put(name, _type_of(name, rules.get(name), mapped.type if mapped else "text"), rules.get(name))
        if with_our_fields:
            self._put(KEY_FIELD, "string", None)
            self._put(REVISION_FIELD, "integer", None)

    def __contains__(self, name: object) -> bool:
        return name in self._fields

    def get(self, name: str) -> FieldDefinition | None:
        """The field of this REST name."""
        return self._fields.get(name)

    def all(self) -> list[FieldDefinition]:
        """Every field."""
        return list(self._fields.values())

    def create(self, asked: Mapping[str, Any], created_max: int) -> None:
        """Make a custom field. Raises Skipped."""
        for member in ("displayName", "name", "dataType"):
            if not asked.get(member):
                raise Skipped("1002", f"Missing value for the required parameter '{member}'")
        name, display_name, data_type = str(asked["name"]), str(asked["displayName"]), str(asked["dataType"])
        if not _NAME.fullmatch(name) or not _DISPLAY_NAME.fullmatch(display_name):
            raise Skipped("1003", f"Invalid data: '{name}' can't be the name of a field")
        if data_type not in DATA_TYPES:
            raise Skipped("1001", f"Invalid value '{data_type}'. Required of type 'dataType'")
        if name in self._fields or any(field.display_name == display_name for field in self.all()):
            raise Skipped("1017", f"Object already exists: field '{name}'")
        if sum(field.is_api_created for field in self.all()) >= created_max:
            raise Skipped("1028", "Max field limit reached")
        field = FieldDefinition(len(self._fields) + 1, name, display_name, data_type, is_custom=True)
        self._fields[name] = replace(_changed(field, asked), is_api_created=True)

    def update(self, name: str, asked: Mapping[str, Any]) -> None:
        """Change what is said about a field. Raises Skipped."""
        field = self._fields.get(name)
        if field is None:
            raise Skipped("1006", f"Field '{name}' not found")
        for member in asked:
            if member not in CHANGEABLE or (not field.is_custom and member in ("displayName", "isHidden")):
                raise Skipped("1003", f"Invalid data: '{member}' of field '{name}' can't be changed")
        self._fields[name] = _changed(field, asked)

    def _put(self, name: str, data_type: str, rule: AttributeRule | None) -> None:
        self._fields[name] = FieldDefinition(
            len(self._fields) + 1,
            name,
            STANDARD.get(name, name),
            data_type,
            is_custom=name not in STANDARD,
            read_only=name in ("id", "createdAt", "updatedAt") or (rule is not None and not rule.updatable),
        )


def names_in(text: Iterable[str]) -> list[str]:
    """Names of a query parameter, given several times, with commas, or both."""
    return [name.strip() for part in text for name in part.split(",") if name.strip()]


def _type_of(name: str, rule: AttributeRule | None, mapped: FieldType) -> str:
    if name in SPECIAL_TYPES:
        return SPECIAL_TYPES[name]
    if rule is not None and rule.format is not None:
        return _TYPE_OF_FORMAT.get(rule.format, rule.format)
    if rule is not None and rule.bytes_max is not None:
        return "text"
    return {"id": "integer", "createdAt": "datetime", "updatedAt": "datetime"}.get(
        name, _TYPE_OF_POLICY.get(mapped, mapped)
    )


def _changed(field: FieldDefinition, asked: Mapping[str, Any]) -> FieldDefinition:
    return replace(
        field,
        display_name=str(asked.get("displayName", field.display_name)),
        description=asked.get("description", field.description),
        is_hidden=bool(asked.get("isHidden", field.is_hidden)),
        is_html_encoded=bool(asked.get("isHtmlEncodingInEmail", field.is_html_encoded)),
        is_sensitive=bool(asked.get("isSensitive", field.is_sensitive)),
    )
