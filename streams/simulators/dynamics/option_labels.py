"""The words of Dynamics' option sets as shipped, and which status reasons go with which state."""

from __future__ import annotations

from collections.abc import Mapping

from schemas.vocabulary import RecordType

INDUSTRIES = (
    "Accounting", "Agriculture and Non-petrol Natural Resource Extraction", "Broadcasting Printing and Publishing",
    "Brokers", "Building Supply Retail", "Business Services", "Consulting", "Consumer Services",
    "Design, Direction and Creative Management", "Distributors, Dispatchers and Processors",
    "Doctor's Offices and Clinics", "Durable Manufacturing", "Eating and Drinking Places", "Entertainment Retail",
    "Equipment Rental and Leasing", "Financial", "Food and Tobacco Processing", "Inbound Capital Intensive Processing",
    "Inbound Repair and Services", "Insurance", "Legal Services", "Non-Durable Merchandise Retail",
    "Outbound Consumer Service", "Petrochemical Extraction and Distribution", "Service Retail", "SIG Affiliations",
    "Social Services", "Special Outbound Trade Contractors", "Specialty Realty", "Transportation",
    "Utility Creation and Distribution", "Vehicle Retail", "Wholesale",
)  # fmt: skip

OPTION_LABELS: Mapping[tuple[RecordType | None, str], Mapping[int, str]] = {
    (None, "preferredcontactmethodcode"): {1: "Any", 2: "Email", 3: "Phone", 4: "Fax", 5: "Mail"},
    (None, "industrycode"): dict(enumerate(INDUSTRIES, 1)),
    (None, "leadqualitycode"): {1: "Hot", 2: "Warm", 3: "Cold"},
    ("lead", "statecode"): {0: "Open", 1: "Qualified", 2: "Disqualified"},
    ("lead", "statuscode"): {
        1: "New", 2: "Contacted", 3: "Qualified", 4: "Lost", 5: "Cannot Contact", 6: "No Longer Interested", 7: "Canceled",
    },
    ("contact", "statecode"): {0: "Active", 1: "Inactive"},
    ("contact", "statuscode"): {1: "Active", 2: "Inactive"},
}  # fmt: skip
"""(record type or any, column) -> number -> word. The policy's own words go before these."""

_ALLOW: Mapping[int, str] = {0: "Allow", 1: "Do Not Allow"}
BOOLEAN_LABELS: Mapping[str, Mapping[int, str]] = {
    "new_synctomkto": {0: "No", 1: "Yes"},
    "merged": {0: "No", 1: "Yes"},
    **dict.fromkeys(
        ("donotphone", "donotemail", "donotfax", "donotbulkemail", "donotpostalmail"),
        _ALLOW,
    ),
    "donotsendmm": {0: "Send", 1: "Do Not Send"},
}

STATUS_STATES: Mapping[RecordType, Mapping[int, int]] = {
    "lead": {1: 0, 2: 0, 3: 1, 4: 2, 5: 2, 6: 2, 7: 2},
    "contact": {1: 0, 2: 1},
}
"""Status reason -> the state that it goes with."""

CLOSED_STATUSES: Mapping[tuple[RecordType, str], tuple[int, int]] = {
    ("lead", "qualified"): (1, 3),
    ("lead", "deactivated"): (2, 7),
    ("contact", "deactivated"): (1, 2),
}
"""(record type, how it was closed) -> statecode, statuscode."""
