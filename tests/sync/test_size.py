"""State is compact: what is at rest costs its name and its value, and little else."""

from __future__ import annotations

from streams.sync.person import encode_person
from tests.sync.playbook import Playbook

FIELDS = 25
VALUE_CHARACTERS = 20
BYTES_MAX = 1024


def test_a_linked_person_with_25_fields_at_rest_takes_at_most_1_kb() -> None:
    """Both records linked and keyed, every field a text of 20 characters."""
    book = Playbook()
    rules = [each for each in book.policy.fields.values() if each.marketo and each.lead and each.direction == "both"]
    values = {
        "text": "x" * VALUE_CHARACTERS,
        "email": "ada.lovelace@abc.org",
        "phone": "+44 20 7946 0000 (1)",
        "boolean": False,
    }
    fields = [each.marketo for each in rules if each.type in values and each.default is None][
        : FIELDS - 1
    ]  # and the default
    types = {each.marketo: each.type for each in rules}
    book.marketo(kind="created", **{name: values[types[name]] for name in fields if name})
    create = book.sync_person().command()
    book.lead_id = create.record.id if create.record else ""
    book.lands(book.lands(create).to("marketo"))
    assert not book.known.moving and not book.out
    assert len([value for value in book.known.at_rest.values() if value is not None]) >= FIELDS
    assert len(encode_person(book.known)) <= BYTES_MAX
