"""What carries commands and answers: late, twice, with unknown outcomes, and yet everything once in the end."""

from __future__ import annotations

import random

from streams.demo.carrier import Carrier, Faults
from streams.demo.feeding import Feeding
from streams.demo.world import World, build_world
from streams.policy import default_policy
from streams.sync.messages import ApplyCommand, ApplyResult
from tests.builders import apply_command

FLAWLESS = Faults(
    out_of_order=0, applied_twice=0, outcome_unknown=0, broken_off=0, stale_write=0, answered_late=0, answered_twice=0
)
LONG = 60.0


def world() -> World:
    return build_world(default_policy(), seed=1, clock=lambda: 0.0)


def carrier(around: World, faults: Faults, seed: int = 1) -> Carrier:
    return Carrier(around.marketo, around.dynamics, random.Random(seed), faults)


def create(number: int = 1, revision: int = 1) -> ApplyCommand:
    key = f"person-{number}#1"
    return apply_command(
        "create", {"lastName": "Hopper"}, system="marketo", record=None, command_id=f"create-{number}",
        person_key=f"person-{number}", key=key, creation=1, revision=revision,
    )  # fmt: skip


def everything(carrying: Carrier, since: float = 0.0) -> list[ApplyResult]:
    """Run until nothing is left; at whole seconds, in order."""
    answers: list[ApplyResult] = []
    for second in range(1, int(LONG)):
        answers += carrying.run(since + second)
    assert carrying.waiting == 0
    return answers


def test_nothing_is_applied_before_its_time() -> None:
    """A command has a latency."""
    around = world()
    carrying = carrier(around, FLAWLESS)
    carrying.take(create(), 100.0)
    assert list(carrying.run(100.0)) == [] and not around.marketo.records
    assert [answer.answer for answer in carrying.run(101.0)] == ["created"]


def test_a_person_s_commands_are_applied_in_order() -> None:
    """One after the other, whatever their latencies; other people's are not waited for."""
    around = world()
    carrying = carrier(around, FLAWLESS)
    for revision in range(1, 20):
        carrying.take(create(revision=revision), 100.0)
    everything(carrying, 100.0)
    [held] = around.marketo.records.values()
    assert held.revision == 19 and carrying.applied == 19


def test_every_fault_at_once_still_makes_one_record() -> None:
    """Applied again and again, answered late and twice: one person, and at least one answer."""
    for seed in range(30):
        around = world()
        always = Faults(
            out_of_order=1,
            applied_twice=1,
            outcome_unknown=1,
            broken_off=1,
            stale_write=1,
            answered_late=1,
            answered_twice=1,
        )
        carrying = carrier(around, always, seed)
        carrying.take(create(), 100.0)
        answers = everything(carrying, 100.0)
        assert len(around.marketo.records) == 1 and answers


def test_an_announcement_precedes_its_row() -> None:
    """`linked` stands in a Dynamics stream before the record that a command creates, however it breaks off."""
    around = world()
    broken_off = Faults(broken_off=1, outcome_unknown=0)
    carrying, feeding = carrier(around, broken_off), Feeding(around.marketo, around.dynamics, random.Random(1))
    command = apply_command("create", {"lastname": "Hopper"}, creation=1)
    carrying.take(command, 100.0)
    kinds = []
    for second in range(101, 120):
        list(carrying.run(float(second)))
        kinds += [published.change.kind for _, published in feeding.collect(float(second))]
    assert kinds[:2] == ["linked", "linked"] and "created" in kinds[2:]
    assert feeding.waiting == 0
