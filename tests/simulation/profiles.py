"""What may happen in a world: profiles from the plain to the wild, so that rules can be had one after another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from streams.demo.users import Mix

EDITS = {"edit_marketo": 4, "edit_dynamics": 4, "edit_both": 2}
CREATIONS = {"create_in_marketo": 1.0, "create_in_dynamics": 1.0, "sync_person": 1.5}


@dataclass(frozen=True)
class Faults:
    """How often the world around the processor fails, as shares between 0 and 1."""

    crashes: float = 0.1  # a batch is computed and never committed
    repeats: float = 0.08  # a run of a stream is published again at once
    again: float = 0.15  # a command is delivered again
    unknown: float = 0.03  # a system leaves an applier without a word, for a day
    unanswered: float = 0.25  # a result that ends nothing never comes
    answered_twice: float = 0.1
    announced_only: float = 0.1  # an applier dies between `linked` and the create
    misreported: float = 0.0  # a record is made, and the answer is that it was refused
    upsets: float = 0.03  # after any step, one of the world's UPSETS


NO_FAULTS = Faults(0, 0, 0, 0, 0, 0, 0, 0, 0)


Judge = Literal["oracle", "alike", "links", "twins", "asked"]


@dataclass(frozen=True)
class Profile:
    """A sort of world. `pairs`: linked pairs that stand before the story begins; `share`: its part of the seeds.

    `judge`: who says what is right at the end: the `oracle`; or, where it cannot know, nobody, and records that the oracle
    (`alike`) or the processor (`links`) takes for one person must agree, whatever on; and nobody be left alone (`twins`);
    and no lead be made that nobody asked for (`asked`).
    """

    name: str
    mix: Mix
    pairs: tuple[int, int] = (1, 1)
    starts: tuple[str, ...] = ("lead", "contact", "synced")
    actions: tuple[int, int] = (8, 24)
    faults: Faults = Faults()
    rewriting: bool = False
    fighting: bool = False
    few_values: tuple[str, ...] = ()  # people enter only these: edits meet in one value and return to where they began
    policies: tuple[str, ...] = ("small",)  # one of these is in force
    blind: bool = False  # a system's stream does not show our fields
    judge: Judge = "oracle"
    share: float = 1.0


def _profiles(*profiles: Profile) -> Mapping[str, Profile]:
    return {profile.name: profile for profile in profiles}


PROFILES: Mapping[str, Profile] = _profiles(
    Profile("calm", Mix(EDITS), faults=NO_FAULTS, share=0.3),
    Profile("edits", Mix(EDITS), share=2),
    Profile("few_values", Mix(EDITS), few_values=("A", "B", "C"), judge="alike", share=0.5),
    Profile("a_switch", Mix({**EDITS, "qualify": 0.6}), few_values=("A", "B"), judge="alike", share=0.5),
    Profile("one_way", Mix(EDITS, wrong_side=0.3), share=0.5),
    Profile("bootstrap", Mix(EDITS, cleared=0), starts=("bootstrapped",), share=0.5),
    Profile("creations", Mix({**EDITS, **CREATIONS}, fields_per_edit_max=3), pairs=(0, 1), share=1.5),
    Profile(
        "misreported",
        Mix(
            {
                **EDITS,
                "create_in_marketo": 2,
                "create_in_dynamics": 2,
                "sync_person": 0.3,
                "delete_in_marketo": 1,
                "delete_in_dynamics": 2,
            }
        ),
        pairs=(0, 1),
        faults=Faults(misreported=0.5),
        judge="asked",
        share=0.7,
    ),
    Profile(  # nobody edits a lead: whether that was in sight of what a create wrote, its answer hides
        "misreported_leads",
        Mix({"edit_marketo": 6, "create_in_marketo": 2, "sync_person": 3}),
        pairs=(0, 1),
        faults=Faults(misreported=0.5),
        share=0.5,
    ),
    Profile(
        "deletes",
        Mix({**EDITS, "delete_in_marketo": 1, "delete_in_dynamics": 1, "sync_person": 1.5}),
        share=1.5,
    ),
    Profile("conversions", Mix({**EDITS, "qualify": 1.2}), pairs=(1, 2), starts=("lead", "synced"), share=1.5),
    Profile(
        "contact_only",
        Mix({**EDITS, "qualify": 1.2, "delete_in_marketo": 0.2}),
        starts=("lead", "synced", "contact"),
        policies=("contact-only",),
        share=0.7,
    ),
    Profile(
        "merges",
        Mix({**EDITS, "merge_in_marketo": 1, "merge_in_dynamics": 1, "sync_person": 0.5}),
        pairs=(2, 3),
    ),
    Profile("rewriting", Mix({**EDITS, "create_in_marketo": 0.5}, spoiled=0.7), rewriting=True, share=1.5),
    Profile("fighting", Mix(EDITS), fighting=True, share=0.3),
    Profile("validation", Mix({**EDITS, "break_value": 2, "create_in_marketo": 0.5, "retry": 0.5}), share=1.5),
    Profile(
        "broken_life",
        Mix({**EDITS, **CREATIONS, "break_value": 2, "delete_in_marketo": 1, "delete_in_dynamics": 1, "qualify": 0.4}),
        pairs=(0, 1),
    ),
    Profile("filter", Mix({**EDITS, **CREATIONS, "turn_filter": 2}, kept_out=0.5), pairs=(0, 1)),
    Profile(
        "filter_life",
        Mix(
            {
                **EDITS,
                **CREATIONS,
                "turn_filter": 2,
                "delete_in_marketo": 0.7,
                "delete_in_dynamics": 0.7,
                "qualify": 0.4,
                "merge_in_dynamics": 0.3,
            },
            kept_out=0.3,
        ),
        pairs=(0, 2),
        policies=("small", "deletes-in-both"),
    ),
    Profile(
        "life",
        Mix(
            {**EDITS, **CREATIONS, "delete_in_marketo": 0.7, "delete_in_dynamics": 0.7, "qualify": 0.7},
            owner_unknown=0.3,
        ),
        pairs=(0, 1),
        share=2,
    ),
    Profile(
        "shipped",
        Mix(
            {**EDITS, **CREATIONS, "delete_in_dynamics": 0.3, "qualify": 0.4, "break_value": 0.4},
            fields_per_edit_max=4,
            spoiled=0.5,
            wrong_side=0.1,
        ),
        pairs=(1, 2),
        rewriting=True,
        policies=("shipped",),
        share=0.5,
    ),
    Profile(
        "winners",
        Mix({**EDITS, "edit_both": 6, "qualify": 0.4, "delete_in_dynamics": 0.2, "sync_person": 0.3}, cleared=0.2),
        policies=("winners",),
    ),
    Profile("window", Mix({**EDITS, "edit_both": 6, "qualify": 0.4}), policies=("window",)),
    Profile("blocked", Mix({**EDITS, **CREATIONS}, cleared=0.15), pairs=(0, 1), policies=("blocked",), share=0.7),
    Profile(
        "blocked_life",
        Mix({**EDITS, **CREATIONS, "delete_in_marketo": 0.7, "delete_in_dynamics": 0.7, "qualify": 0.7}),
        pairs=(0, 1),
        policies=("blocked",),
        share=0.7,
    ),
    Profile(
        "delete_policy",
        Mix({**EDITS, "delete_in_marketo": 1, "delete_in_dynamics": 1, "sync_person": 0.7, "qualify": 0.4}),
        policies=("deletes-in-marketo", "deletes-in-dynamics", "deletes-in-both"),
    ),
    Profile(
        "links",
        Mix({**EDITS, **CREATIONS, "link_two": 3, "qualify": 0.4, "delete_in_marketo": 0.2, "delete_in_dynamics": 0.2}),
        pairs=(0, 1),
        judge="links",
    ),
    Profile(
        "twins",
        Mix(
            {
                **EDITS,
                **CREATIONS,
                "type_in_a_twin": 3,
                "qualify": 0.4,
                "delete_in_marketo": 0.2,
                "delete_in_dynamics": 0.2,
            }
        ),
        pairs=(0, 1),
        policies=("dedupe",),
        judge="twins",
    ),
    Profile("blind", Mix({**EDITS, **CREATIONS, "qualify": 0.3}), blind=True, judge="alike", share=0.7),
    Profile(
        "everything",
        Mix(
            {
                **EDITS,
                **CREATIONS,
                "delete_in_marketo": 0.5,
                "delete_in_dynamics": 0.5,
                "qualify": 0.6,
                "merge_in_marketo": 0.4,
                "merge_in_dynamics": 0.4,
                "break_value": 0.6,
                "turn_filter": 0.4,
                "retry": 0.3,
            },
            spoiled=0.5,
            kept_out=0.1,
            owner_unknown=0.2,
            wrong_side=0.1,
        ),
        pairs=(0, 2),
        actions=(10, 30),
        rewriting=True,
        share=2,
    ),
)
"""By name; each adds to the plain ones what its name says."""
