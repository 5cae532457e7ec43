"""Headers of what we write, by the CloudEvents Kafka binding in binary mode."""

from __future__ import annotations

import pytest
from jsonschema import Draft202012Validator, ValidationError

from schemas.asyncapi import CLOUD_EVENTS_HEADERS
from schemas.export import contracts
from streams.cloudevents import headers, source_of, type_of


def test_headers_of_a_message_whose_cause_has_a_time() -> None:
    assert headers("marketo-8801", type_of("person-change/1"), source_of("intake"), "2026-09-01T09:14:07Z") == [
        ("content-type", b"application/json"),
        ("ce_specversion", b"1.0"),
        ("ce_type", b"leadsync.person-change.v1"),
        ("ce_source", b"/leadsync/intake"),
        ("ce_id", b"marketo-8801"),
        ("ce_time", b"2026-09-01T09:14:07Z"),
    ]


def test_without_a_known_time_there_is_no_time_header() -> None:
    """A clock's time would make the same batch, carried out again, write other bytes."""
    assert "ce_time" not in dict(headers("1", "leadsync.activity.v1", "/leadsync/sync"))


def test_an_id_in_any_script_is_written_as_utf_8() -> None:
    assert dict(headers("Zoë-😀", "leadsync.activity.v1", "/leadsync/sync"))["ce_id"] == "Zoë-😀".encode()


@pytest.mark.parametrize("contract", [str(model.model_fields["contract"].default) for model in contracts().values()])
def test_headers_are_those_that_the_asyncapi_document_promises(contract: str) -> None:
    written = headers("8801", type_of(contract), source_of("sync"), "2026-09-01T09:14:07.5+02:00")
    told = {name: value.decode() for name, value in written}
    assert set(told) == set(CLOUD_EVENTS_HEADERS["properties"])
    Draft202012Validator(CLOUD_EVENTS_HEADERS).validate(told)


def test_the_promise_refuses_other_headers() -> None:
    with pytest.raises(ValidationError):
        Draft202012Validator(CLOUD_EVENTS_HEADERS).validate({"ce_specversion": "0.3"})
