"""A plan's summary for eyes, and for programs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from streams.instances.bootstrapping.plan import ACTIONS, OUTCOMES, Action, Summary
from streams.operating.display import note, print_rows

MEANING: Mapping[Action, tuple[str, str]] = {
    "link_by_key": ("linked by key", "both records hold one person's key"),
    "link_by_email": ("linked by e-mail", "one record each has this address"),
    "already_linked": ("already linked", "only what is newer is told"),
    "create_in_marketo": ("created in Marketo", "a Dynamics record without a Marketo person"),
    "stays_in_marketo": ("only in Marketo", "until a Sync Person asks for a lead"),
    "kept_out": ("kept out", "the sync filter says No"),
    "ambiguous": ("ambiguous", "several could be meant: left alone, see the plan's file"),
    "closed": ("closed in Dynamics", "merged away, or a qualified lead"),
    "known": ("known already", "only what is newer is told"),
    "gone": ("gone", "known before and deleted since"),
}


def print_summary(summary: Summary) -> None:
    """The tables of a plan."""
    rows = [
        (MEANING[action][0], f"{summary.actions[action]:,}", MEANING[action][1])
        for action in ACTIONS
        if summary.actions[action]
    ]
    rows += [row for row in _besides(summary) if row[1] != "0"]
    print_rows(("what would be done", "how many", ""), rows)
    if summary.differences:
        note("")
        print_rows(
            ("field that differs", "pairs", "Marketo's stays", "Dynamics' stays", "both stay", "filled in"),
            _fields(summary),
        )


def _besides(summary: Summary) -> list[tuple[str, str, str]]:
    return [
        ("pairs kept out", f"{summary.kept_out_pairs:,}", "linked, but the sync filter says No: nothing is sent"),
        ("pairs in conflict", f"{summary.in_conflict:,}", "both hold a value in some field, and not the same"),
        *(
            (f"invalid for {to}", f"{count:,}", "its rules refuse what would be sent: a sync error opens")
            for to, count in sorted(summary.invalid.items())
        ),
    ]


def _fields(summary: Summary) -> list[tuple[str, ...]]:
    """Conflicts first."""
    counts = {name: [summary.differences[name, outcome] for outcome in OUTCOMES] for name in _names(summary)}
    names = sorted(counts, key=lambda name: (-sum(counts[name][:-1]), -sum(counts[name]), name))
    return [(name, f"{sum(counts[name]):,}", *(f"{count:,}" for count in counts[name])) for name in names]


def _names(summary: Summary) -> list[str]:
    return sorted({name for name, _ in summary.differences})


def as_json(summary: Summary) -> dict[str, Any]:
    """The same members whatever was found."""
    return {
        "actions": {action: summary.actions[action] for action in ACTIONS},
        "kept_out_pairs": summary.kept_out_pairs,
        "in_conflict": summary.in_conflict,
        "invalid": dict(summary.invalid),
        "fields": {
            name: {outcome: summary.differences[name, outcome] for outcome in OUTCOMES} for name in _names(summary)
        },
    }
