"""Validation: each rule broken once, with the receiver's code, and the order and scope of what is checked."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.vocabulary import SYSTEMS, System
from streams.policy import default_policy
from streams.sync.policy import AttributeRule, FieldRule
from streams.sync.validation import CODES, Violation, first_violation, is_email, is_phone, is_url, violation_of
from streams.sync.values import Unconvertible, to_system


def rules(**columns: Any) -> dict[str, AttributeRule]:
    return {name: AttributeRule(name=name, **asked) for name, asked in columns.items()}


def found(asked: dict[str, Any], value: Any, system: System = "dynamics", creating: bool = False) -> Violation | None:
    return first_violation(rules(column=asked), {"column": value}, system=system, creating=creating)


BROKEN: tuple[tuple[str, dict[str, Any], Any, str, str], ...] = (
    ("too long", {"length_max": 3}, "four", "0x80044331", "1003"),
    ("too many bytes", {"bytes_max": 5}, "äöü", "0x80044331", "1003"),
    ("below the range", {"minimum": 0}, -1, "0x80044330", "1003"),
    ("above the range", {"maximum": 10}, 10.5, "0x80044330", "1003"),
    ("unknown option number", {"options": frozenset((1, 2))}, 3, "0x8004431A", "1003"),
    ("unknown option word", {"options": frozenset(("Hot",))}, "Tepid", "0x8004431A", "1003"),
    ("one unknown of several numbers", {"options": frozenset((1, 2)), "multiple": True}, "1,3", "0x8004431A", "1003"),
    ("one unknown of several words", {"options": frozenset(("A",)), "multiple": True}, "A;B", "0x8004431A", "1003"),
    ("true is not option 1", {"options": frozenset((1, 2))}, True, "0x8004431A", "1003"),
    ("required and emptied", {"required": True}, None, "0x80040203", "1002"),
    ("required and blank", {"required": True}, "", "0x80040203", "1002"),
    ("no e-mail", {"format": "email"}, "ada", "0x80040203", "1003"),
    ("e-mail not ASCII", {"format": "email"}, "adä@example.com", "0x80040203", "1003"),
    ("no phone", {"format": "phone"}, "unknown", "0x80040203", "1003"),
    ("no web address", {"format": "url"}, "see below", "0x80040203", "1003"),
    ("no date", {"format": "date"}, "2026-02-30", "0x80048d19", "1001"),
    ("no time", {"format": "datetime"}, "2026-02-28", "0x80048d19", "1001"),
    ("no whole number", {"format": "integer"}, 1.5, "0x80048d19", "1001"),
    ("no number", {"format": "decimal"}, "1.5", "0x80048d19", "1001"),
    ("neither true nor false", {"format": "boolean"}, 1, "0x80048d19", "1001"),
    ("not to be updated", {"updatable": False}, "x", "0x80040203", "1003"),
)


@pytest.mark.parametrize(
    ("asked", "value", "dynamics", "marketo"), [row[1:] for row in BROKEN], ids=[r[0] for r in BROKEN]
)
def test_a_broken_rule_has_the_receivers_code(asked: dict[str, Any], value: Any, dynamics: str, marketo: str) -> None:
    """An error found here reads like one that the receiver answers."""
    for system, code in (("dynamics", dynamics), ("marketo", marketo)):
        violation = found(asked, value, system)  # type: ignore[arg-type]
        assert violation is not None
        assert (violation.code, violation.field, violation.value) == (code, "column", value or None)
        assert violation.message.startswith("column ")


KEPT: tuple[tuple[dict[str, Any], Any], ...] = (
    ({"length_max": 4}, "four"),
    ({"length_max": 3}, "äöü"),
    ({"bytes_max": 6}, "äöü"),
    ({"minimum": 0, "maximum": 10}, 0),
    ({"minimum": 0, "maximum": 10}, 10),
    ({"options": frozenset((1, 2))}, 2),
    ({"options": frozenset((1, 2)), "multiple": True}, "2,1"),
    ({"options": frozenset((-1, 2)), "multiple": True}, "-1,2"),
    ({"options": frozenset(("A", "B")), "multiple": True}, "A;B"),
    ({"format": "email"}, "ada.lovelace+crm@mail.example.co.uk"),
    ({"format": "date"}, "2028-02-29"),
    ({"format": "datetime"}, "2026-09-01T09:14:07.5+02:00"),
    ({"format": "decimal"}, 12),
    ({"length_max": 1, "format": "email", "options": frozenset((1,))}, None),
    ({"creatable": False}, "x"),
)


@pytest.mark.parametrize(("asked", "value"), KEPT)
def test_a_kept_rule_is_no_violation(asked: dict[str, Any], value: Any) -> None:
    """The limits themselves are within; an empty value keeps every rule but `required`."""
    assert found(asked, value) is None


def test_a_120_character_job_title_breaks_the_stock_lead() -> None:
    """Scenario 48: Dataverse's own code, both lengths in the message, the value whole."""
    violation = first_violation(
        default_policy().rules["lead"], {"jobtitle": "x" * 120}, system="dynamics", creating=False
    )
    assert violation == Violation(
        "0x80044331", "jobtitle", "jobtitle has 120 characters; the maximum allowed length is 100", "x" * 120
    )


def test_a_new_lead_needs_its_last_name_though_the_api_would_take_it_without() -> None:
    """Scenario 49: ApplicationRequired is checked here, because Dataverse does not."""
    lead = default_policy().rules["lead"]
    violation = first_violation(lead, {"subject": "(no topic)"}, system="dynamics", creating=True)
    assert violation is not None
    assert (violation.code, violation.field) == ("0x80040203", "lastname")
    whole = {"subject": "(no topic)", "lastname": "Lovelace"}
    assert first_violation(lead, whole, system="dynamics", creating=True) is None


def test_an_update_needs_only_what_it_would_leave_empty() -> None:
    """A required column that is not written counts as present unless it is known to be empty."""
    asked = rules(lastname={"required": True}, jobtitle={})
    writes = {"jobtitle": "CTO"}
    assert first_violation(asked, writes, system="dynamics", creating=False) is None
    empty = first_violation(asked, writes, system="dynamics", creating=False, known_empty=("lastname", "jobtitle"))
    assert empty is not None
    assert empty.field == "lastname"


def test_a_required_column_that_this_write_fills_is_not_empty() -> None:
    """What the caller knew to be empty is overtaken by what it writes."""
    asked = rules(lastname={"required": True})
    writes = {"lastname": "Lovelace"}
    assert first_violation(asked, writes, system="dynamics", creating=False, known_empty=("lastname",)) is None


def test_the_receivers_own_values_are_not_checked() -> None:
    """A value that came from there is none of our business, empty or not."""
    asked = rules(jobtitle={"length_max": 2}, lastname={"required": True})
    writes = {"jobtitle": "CTO", "lastname": None}
    unchecked = ("jobtitle", "lastname")
    assert first_violation(asked, writes, system="dynamics", creating=False, unchecked=unchecked) is None
    assert first_violation(asked, writes, system="dynamics", creating=False, unchecked=("lastname",)) is not None


def test_a_column_without_a_rule_takes_anything() -> None:
    """Rule files may be partial: the receiver has the last word."""
    assert first_violation({}, {"new_colour": "x" * 10_000}, system="dynamics", creating=True) is None


def test_creating_and_updating_are_allowed_apart() -> None:
    """`statecode` of a lead may be changed, but not chosen at birth."""
    assert found({"creatable": False}, "x", creating=True) is not None
    assert found({"creatable": False}, "x", creating=False) is None


@given(st.permutations(["e", "d", "c", "b", "a"]))
def test_the_violation_of_the_first_column_by_name_is_told(order: list[str]) -> None:
    """Whatever order the fields come in, the same error opens."""
    asked = rules(a={}, b={"required": True}, c={"length_max": 1}, d={"length_max": 1}, e={"options": frozenset((1,))})
    writes = {column: "long" for column in order if column != "b"}
    written = first_violation(asked, writes, system="marketo", creating=False)
    assert written is not None
    assert written.field == "c"
    created = first_violation(asked, writes, system="marketo", creating=True)
    assert created is not None
    assert created.field == "b"


def test_an_unknown_option_keeps_its_code_when_it_cannot_even_be_converted() -> None:
    """Scenario 50: a label that the policy's table lacks has no number, yet fails as an option, a bad date as a type."""
    option = FieldRule(name="rating", type="option", options={"Hot": 1})
    date = FieldRule(name="birthday", type="date")
    for rule, value, code in ((option, "Tepid", "0x8004431A"), (date, "someday", "0x80048d19")):
        with pytest.raises(Unconvertible) as caught:
            to_system(rule, "dynamics", value)
        violation = violation_of(caught.value, "dynamics", "column")
        assert (violation.code, violation.field, violation.value) == (code, "column", value)
        assert value in violation.message


def test_both_systems_have_a_code_for_each_fault() -> None:
    """A fault without a code would be a crash in the middle of someone's sync."""
    assert {frozenset(CODES[system]) for system in SYSTEMS} == {frozenset(CODES["dynamics"])}


@pytest.mark.parametrize("text", ["a@b.co", "o'hara@x-y.example.com", "A.B+c@EXAMPLE.COM", "1@1.io"])
def test_plausible_email_addresses(text: str) -> None:
    """ASCII, one @, a domain with a dot."""
    assert is_email(text)


@pytest.mark.parametrize(
    "text", ["a", "a@b", "a b@c.de", "a@b..de", "a@@b.de", "ä@b.de", "a@b.de\n", "a@-", "@b.de", "a@b.de, c@d.ef"]
)
def test_implausible_email_addresses(text: str) -> None:
    """What no mail server would take, and lists of several."""
    assert not is_email(text)


@pytest.mark.parametrize("text", ["555", "+44 (0)20 7946-0018", "555.0100 ext. 12", "0800 FLOWERS1", "#31#555/12"])
def test_plausible_phone_numbers(text: str) -> None:
    """Neither system asks for one notation."""
    assert is_phone(text)


@pytest.mark.parametrize("text", ["none", "n/a", "555\n556", "call <me> 5"])
def test_implausible_phone_numbers(text: str) -> None:
    """Words where a number should be."""
    assert not is_phone(text)


@pytest.mark.parametrize(
    "text", ["example.com", "https://www.example.com/a?b=c#d", "http://example.com:8080/", "bücher.example"]
)
def test_plausible_web_addresses(text: str) -> None:
    """With or without a scheme."""
    assert is_url(text)


@pytest.mark.parametrize("text", ["none", "see example.com", "https://", "http://localhost", "ada@example.com", "a..b"])
def test_implausible_web_addresses(text: str) -> None:
    """No host with a dot in it."""
    assert not is_url(text)


@given(st.text(max_size=200))
def test_formats_answer_for_any_text_in_no_time(text: str) -> None:
    """No text makes a pattern run away."""
    for fits in (is_email, is_phone, is_url):
        fits(text)
        fits(text * 20)
