"""Values that no person enters: nothing raises on them, nothing takes for ever, nothing of ours outgrows its contract."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.limits import FIELDS_MAX, TEXT_CHARACTERS_MAX, VALUE_CHARACTERS_MAX
from streams.policy import default_policy, read_policy
from streams.sync.policy import AttributeRule, FieldRule
from streams.sync.step import step
from streams.sync.validation import first_violation
from streams.sync.values import Unconvertible, canonical, to_system
from tests.builders import person_change
from tests.sync.playbook import Playbook


class Counted(dict[str, int]):
    """A table of options that knows how often somebody went through it."""

    looked_up = 0

    def items(self) -> Any:
        self.looked_up += 1
        return super().items()


@pytest.mark.parametrize(
    "text",
    ["1;" * (VALUE_CHARACTERS_MAX // 2), ";".join(map(str, range(10**4, 3 * 10**4))), ";" * VALUE_CHARACTERS_MAX],
)
def test_a_text_with_thousands_of_options_is_not_looked_up_thousands_of_times(text: str) -> None:
    table = Counted({f"label {number}": number for number in range(500)})
    assert canonical(FieldRule("interests", "options", options=table), "marketo", text) is not None
    assert table.looked_up <= len(table) + 1


def test_a_known_option_over_and_over_is_that_option() -> None:
    rule = FieldRule("interests", "options", options={"Tea": 1, "Coffee": 2})
    assert canonical(rule, "dynamics", "2,1," * 1_000 + "2") == ("Tea", "Coffee")


def test_options_that_would_make_too_long_a_text_are_not_written() -> None:
    """A policy's labels may be of any length; its commands are not."""
    fits, too_long = ("x" * VALUE_CHARACTERS_MAX,), ("x" * VALUE_CHARACTERS_MAX, "y")
    rule = FieldRule("interests", "options", options=dict(zip(too_long, (1, 2), strict=True)))
    assert to_system(rule, "marketo", fits) == fits[0]
    with pytest.raises(Unconvertible, match=f"at most {VALUE_CHARACTERS_MAX} characters"):
        to_system(rule, "marketo", too_long)


def test_a_number_of_ten_thousand_digits_is_no_option() -> None:
    """Python itself refuses to read it."""
    rules = {"interests": AttributeRule("interests", options=frozenset({1, 2}), multiple=True)}
    found = first_violation(rules, {"interests": "9" * 10_000}, system="dynamics", creating=False)
    assert found is not None and "cannot take" in found.message


def test_a_message_that_names_endless_options_is_cut() -> None:
    """Or the activity that shows it would break its own contract."""
    labels = ", ".join(f"{'x' * 1_000}{number}: {number}" for number in range(20))
    policy = read_policy(
        f"""version: 1
fields:
  last_name: {{marketo: lastName, dynamics: lastname}}
  rating: {{marketo: rating, lead: leadqualitycode, type: option, options: {{{labels}}}}}
""",
        {},
    )
    book = Playbook(policy)
    book.linked_lead().marketo(rating="Tepid")
    (failure,) = book.of_kind("failed")
    assert failure.message is not None and len(failure.message) == TEXT_CHARACTERS_MAX
    assert len(book.known.errors["dynamics"].message) == TEXT_CHARACTERS_MAX


@pytest.mark.parametrize("value", [None, "x"])
def test_a_field_that_the_policy_does_not_know_is_not_kept(value: str | None) -> None:
    """Intake passes none on; somebody who writes to `person.changes` might, and a state would grow without end."""
    policy = default_policy()
    strange = {f"field {number}": value for number in range(FIELDS_MAX - 1)}
    first = person_change("created", {"last_name": "Lovelace", **strange}, policy=policy.digest)
    second = person_change("updated", {"phone": None, **strange}, policy=policy.digest, version=2)
    state = step(step(None, first, policy).state, second, policy).state
    assert state is not None
    assert {*state.at_rest, *state.moving} == {"last_name", "phone"}
