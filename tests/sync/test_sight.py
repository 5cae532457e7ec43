"""Who saw what: landings, echoes, late repeats, conditional writes (design, "Sight, collisions, commands")."""

from __future__ import annotations

from tests.sync.playbook import COMPLETE, Playbook


def test_an_edit_goes_out_alone_with_key_revision_and_the_value_expected_in_dynamics() -> None:
    book = Playbook().linked_lead(phone="1")
    command = book.marketo(phone="2").command()
    assert (command.system, command.operation) == ("dynamics", "update")
    assert command.fields == {"telephone1": "2"} and command.expected == {"telephone1": "1"}
    assert command.key == f"{book.person_key}#1" and command.revision == 2


def test_a_landing_with_nothing_due_causes_nothing() -> None:
    book = Playbook().linked_lead(phone="1")
    book.lands(book.marketo(phone="2").command())
    assert book.out == [] and book.known.moving == {} and book.known.at_rest["phone"] == "2"


def test_edits_that_come_while_a_command_is_in_flight_travel_together_in_the_next() -> None:
    book = Playbook().linked_lead()
    first = book.marketo(phone="2").command()
    assert book.marketo(jobTitle="CTO").out == [] and book.marketo(city="London").out == []
    assert book.lands(first).command().fields == {"jobtitle": "CTO", "address1_city": "London"}


def test_of_a_lead_marketo_wins_a_collision_and_the_log_holds_base_both_values_rule_and_winner() -> None:
    book = Playbook().linked_lead(phone="1")
    book.marketo(phone="2")
    book.dynamics(telephone1="3", revision=1)
    [collision] = book.of_kind("collision")
    assert (collision.base, collision.winner, collision.rule) == ("1", "marketo", "authority")
    assert collision.marketo and collision.dynamics
    assert (collision.marketo.value, collision.dynamics.value) == ("2", "3")
    assert (collision.marketo.who, collision.dynamics.who) == ("mia", "sam")


def test_of_a_contact_dynamics_wins_a_collision() -> None:
    book = Playbook().linked_lead(phone="1").qualified()
    book.contact(telephone1="1")
    book.marketo(phone="2")
    to_marketo = book.contact(telephone1="3").to("marketo")
    assert to_marketo.fields == {"phone": "3"}
    assert book.of_kind("collision")[0].winner == "dynamics"


def test_an_edit_made_in_sight_of_the_other_stands_whatever_the_authority() -> None:
    book = Playbook().linked_lead(phone="1")
    command = book.marketo(phone="2").command()
    to_marketo = book.lands(command, telephone1="3", who="sam").to("marketo")
    assert to_marketo.fields == {"phone": "3"} and book.of_kind("collision") == []


def test_equal_edits_on_both_sides_are_no_collision_and_need_no_write_back() -> None:
    book = Playbook().linked_lead(phone="1")
    command = book.marketo(phone="2").command()
    assert book.dynamics(telephone1="2", revision=1).out == []
    book.lands(command)
    assert book.out == [] and book.of_kind("collision") == [] and book.known.moving == {}


def test_a_result_is_no_landing() -> None:
    book = Playbook().linked_lead(phone="1")
    command = book.marketo(phone="2").command()
    book.answers(command, "superseded")
    assert book.known.dynamics.flight is not None
    book.dynamics(telephone1="3", revision=1)  # read before our write, arrives after the answer: not in sight
    assert len(book.of_kind("collision")) == 1


def test_a_conflict_brings_the_row_and_the_next_command_expects_what_it_showed() -> None:
    book = Playbook().linked_lead(phone="1")
    command = book.marketo(phone="2").command()
    again = book.answers(command, "conflict", row=book.row(telephone1="3", revision=1, who="sam")).command()
    assert again.fields == {"telephone1": "2"} and again.expected == {"telephone1": "3"}
    assert again.revision == command.revision + 1 and len(book.of_kind("collision")) == 1


def test_a_row_that_is_not_newer_than_the_last_is_a_repeat() -> None:
    book = Playbook().linked_lead(phone="1")
    book.dynamics(telephone1="2", revision=1, version=50)
    assert book.dynamics(telephone1="9", revision=1, version=50).outcome.effect == "repeat"  # type: ignore[union-attr]
    assert book.known.moving["phone"].dynamics.held == "2"


def test_a_late_repeat_of_an_old_write_in_marketo_is_no_edit_and_is_written_over() -> None:
    book = Playbook().linked_lead(phone="1")
    old = book.dynamics(telephone1="2", revision=1).command()
    new = book.lands(old).dynamics(telephone1="3", revision=1).command()
    book.lands(new)
    repair = book.lands(old).command()  # the older write was carried out once more
    assert repair.system == "marketo" and repair.fields == {"phone": "3"} and book.of_kind("collision") == []


def test_null_and_empty_are_one_value() -> None:
    book = Playbook().linked_lead(phone="1")
    book.lands(book.marketo(phone="").command())
    assert book.dynamics(telephone1=None, revision=2).out == [] and book.known.at_rest["phone"] is None


def test_without_our_fields_the_first_change_that_reports_the_value_in_flight_is_the_landing() -> None:
    book = Playbook()
    book.marketo(kind="created", lastName="Lovelace")
    create = book.sync_person().command()
    assert create.record is not None
    book.lead_id = create.record.id
    book.dynamics(kind="created", who=None, **create.fields)  # type: ignore[arg-type]
    assert book.known.dynamics.link is not None and book.known.dynamics.flight is None
    update = book.marketo(phone="2").to("dynamics")
    assert book.dynamics(who=None, telephone1="2").known.dynamics.flight is None
    assert update.fields == {"telephone1": "2"}


def test_a_rewriting_is_sent_on_and_stops_with_an_error_of_its_own_at_three() -> None:
    book = Playbook().linked_lead(city="a")
    first = book.marketo(city="b").command()
    second = book.lands(first, address1_city="B").to("marketo")
    assert second.fields == {"city": "B"}
    third = book.lands(second, city="b").to("dynamics")
    assert third.fields == {"address1_city": "b"}
    book.lands(third, address1_city="B")
    assert book.out == [] and "rewriting/city" in book.known.errors and book.of_kind("collision") == []
    assert book.marketo(city="c").to("dynamics").fields == {"address1_city": "c"}
    assert "rewriting/city" not in book.known.errors and "closed" in book.kinds()


def test_a_rewriting_of_a_value_that_is_no_longer_settled_is_only_held() -> None:
    book = Playbook().linked_lead(city="a")
    first = book.marketo(city="b").command()
    book.marketo(city="c")
    assert book.lands(first, address1_city="B").command().fields == {"address1_city": "c"}


def test_a_rewriting_loses_to_an_edit_that_has_not_seen_it() -> None:
    book = Playbook().linked_lead(city="a").qualified()  # a contact: Dynamics would win a collision
    book.lands(book.contact(address1_city="a").to("dynamics"))
    first = book.marketo(city="b").command()
    book.marketo(city="c")
    book.lands(first, address1_city="B")
    assert book.known.moving["city"].dynamics.held == "B" and book.of_kind("collision") == []
    assert book.known.dynamics.flight and book.known.dynamics.flight.fields["city"].value == "c"


def test_a_repeat_of_a_landing_causes_nothing() -> None:
    book = Playbook().linked_lead()
    command = book.dynamics(telephone1="2", revision=1, **COMPLETE).to("marketo")
    book.lands(command)
    rest = book.known.at_rest
    assert book.lands(command).out == [] and book.known.at_rest == rest
