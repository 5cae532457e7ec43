"""A Hypothesis state machine over the core with two fake systems: it chooses what happens next, and shrinks what breaks.

Each rule lets one part of a world move: somebody edits, a feed is read, an applier works, intake or sync takes a batch. At the
end everything runs until nothing is left to do; then the oracle and the laws of the design's "Always true" must all agree. The
seeded simulation beside this reaches further; this one tells a shorter story when a rule is broken.
"""

from __future__ import annotations

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from tests.simulation.profiles import PROFILES
from tests.simulation.world import World

ACTIONS_MAX = 12


class TwoSystems(RuleBasedStateMachine):
    """One world whose scheduler is Hypothesis."""

    world: World
    actions = 0

    @initialize(seed=st.integers(0, 2**32), profile=st.sampled_from(sorted(PROFILES)))
    def begin(self, seed: int, profile: str) -> None:
        """Linked pairs stand, or nothing does, as the profile has it."""
        self.world = World(seed, PROFILES[profile])
        for move in self.world.beginning():
            self.world.do(move)

    @rule()
    def time_passes(self) -> None:
        """Nothing happens; there is a moment like this even when everything is done."""
        self.world.now += 1

    @precondition(lambda self: self.actions < ACTIONS_MAX)
    @rule()
    def somebody_acts(self) -> None:
        """A user edits, creates, deletes, qualifies, merges, asks for Sync Person."""
        self.actions += 1
        self.world.act()

    @precondition(lambda self: bool(self.world.marketo.feed))
    @rule()
    def marketo_is_read(self) -> None:
        """Some of what its feed lists."""
        self.world.read_marketo()

    @precondition(lambda self: bool(self.world.dynamics.unread))
    @rule()
    def dynamics_is_read(self) -> None:
        """One row as it is now."""
        self.world.read_dynamics()

    @precondition(lambda self: bool(self.world.marketo.announced or self.world.dynamics.announced))
    @rule()
    def requests_arrive(self) -> None:
        """What people asked for reaches the streams."""
        self.world.announce()

    @precondition(lambda self: bool(self.world.appliers.ready))
    @rule()
    def an_applier_works(self) -> None:
        """Once, twice, without an answer, or not at all."""
        self.world.apply()

    @precondition(lambda self: bool(self.world.processor.sources))
    @rule()
    def intake_takes_changes(self) -> None:
        """A batch, perhaps crashing before or after its commit."""
        self.world.take_in()

    @precondition(lambda self: bool(self.world.processor.results))
    @rule()
    def intake_takes_results(self) -> None:
        """A batch of answers."""
        self.world.take_in_result()

    @precondition(lambda self: bool(self.world.processor.changes))
    @rule()
    def sync_folds(self) -> None:
        """A batch of a person's changes."""
        self.world.fold()

    def teardown(self) -> None:
        """Everything runs to its end, and is right."""
        if not hasattr(self, "world"):
            return
        for move in self.world.ending():
            self.world.do(move)
        wrong = self.world.verdict()
        assert not wrong, "\n".join(map(str, wrong))


TestTwoSystems = TwoSystems.TestCase
TestTwoSystems.settings = settings(max_examples=150, stateful_step_count=60, suppress_health_check=list(HealthCheck))
