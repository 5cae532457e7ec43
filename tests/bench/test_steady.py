"""A steady stream of edits: whose turn it is, and delays counted from what the broker said."""

from __future__ import annotations

from collections import Counter
from itertools import islice

from prometheus_client.exposition import generate_latest

from schemas.vocabulary import DYNAMICS, MARKETO
from streams.agents import INTAKE, SYNC
from streams.bench.at_rest import PeopleAtRest
from streams.bench.latency import batch_sums, delays_ms
from streams.bench.load import Load
from streams.bench.restart import worst_gap, worst_wait
from streams.bench.steady import Place, Told, one_after_another, partition_by_partition, partition_of
from streams.lane.observer import BatchDone
from streams.metrics import Metrics
from streams.tally import Tally

MANY = PeopleAtRest(Load(people=400), range(400))
HERE, THERE = Place("marketo.changes", 0), Place("marketo.changes", 1)


def told(edited: Place, appended: float, seen: float, commanded: int = 0) -> Told:
    return Told(edited, appended, Place("dynamics.commands", commanded), seen)


def test_everybody_is_edited_in_turn_and_in_both_systems_in_turn() -> None:
    """The same again when all have been."""
    turns = list(islice(one_after_another(MANY), 800))
    assert [person for person, _ in turns] == MANY.people * 2
    assert [system for _, system in turns[:4]] == [MARKETO, DYNAMICS] * 2


def test_partitions_have_their_edits_at_even_times() -> None:
    """Of every eight edits each partition of both source topics has one; of `person.changes` each has as many in the end."""
    partitions = 4
    turns = list(islice(partition_by_partition(MANY, partitions), 320))
    places = [
        (system, partition_of(person.lead.id if system == DYNAMICS else person.marketo.id, partitions))
        for person, system in turns
    ]
    for begin in range(0, 320, 8):
        assert len(set(places[begin : begin + 8])) == 8
    assert set(Counter(partition_of(person.key, partitions) for person, _ in turns).values()) == {80}


def test_delays_are_from_the_time_stamp_to_the_sight_of_the_command() -> None:
    """Percentiles of the milliseconds between."""
    found = delays_ms([told(HERE, 100.0, 100.0 + number / 1000) for number in range(101)])
    assert found == {"p50_ms": 50.0, "p90_ms": 90.0, "p99_ms": 99.0, "max_ms": 100.0}


def test_a_partition_goes_on_with_the_command_of_an_edit_that_came_later() -> None:
    """What was on its way when the worker was killed does not count, and the last partition decides."""
    edits = [
        told(HERE, 9.0, 10.1),  # before the kill at 10
        told(THERE, 10.2, 12.5, commanded=1),
        Told(THERE, 10.3),  # has no command yet
        told(HERE, 10.5, 11.2),
        told(HERE, 10.6, 11.0, commanded=1),
    ]
    assert worst_wait(edits, 10.0) == 2.5


def test_the_partition_of_the_commands_counts_as_well() -> None:
    """A source partition may go on while one of `person.changes` stands still."""
    edits = [told(HERE, 10.5, 11.0, commanded=0), told(HERE, 10.6, 14.0, commanded=1)]
    assert worst_wait(edits, 10.0) == 4.0


def test_the_longest_gap_is_that_of_one_partition_and_reaches_to_both_ends() -> None:
    """That others go on meanwhile does not shorten it; neither does a partition that never went on."""
    steady = [told(THERE, 0.0, number / 10, commanded=1) for number in range(100, 121)]
    interrupted = [told(HERE, 0.0, seen) for seen in (10.1, 10.2, 10.9, 11.0, 11.9)]
    assert round(worst_gap(steady + interrupted, 10.0, 12.0), 6) == 0.9
    assert round(worst_gap(steady + interrupted[:2], 10.0, 12.0), 6) == 1.8
    assert round(worst_gap(steady, 10.0, 12.0), 6) == 0.1


def test_what_a_batch_took_is_read_off_the_workers_own_metrics() -> None:
    """Both agents, both phases."""
    metrics = Metrics(Tally())
    for agent, records, handle_seconds in ((INTAKE, 3, 0.5), (INTAKE, 1, 0.25), (SYNC, 8, 0.125)):
        metrics.batch_done(BatchDone(agent, "topic", 0, records, handle_seconds, 1.0, 0, 0, {}, 0))
    assert batch_sums(generate_latest(metrics.registry).decode()) == {
        INTAKE: {"batches": 2, "records": 4, "handle": 0.75, "commit": 2.0},
        SYNC: {"batches": 1, "records": 8, "handle": 0.125, "commit": 1.0},
    }
