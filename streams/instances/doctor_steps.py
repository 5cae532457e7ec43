"""The steps of a check-up: each once, in order, none whose prerequisite failed.

A step's check returns what it found, as lines; what it raises is a failed line. Only the words of a system's own refusal come
along, never what was sent to it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from schemas.vocabulary import System
from streams.connectors.rest import CallFailed, OutcomeUnknown, Refused, Unreachable
from streams.settings import SettingsError

Outcome = Literal["ok", "warned", "failed", "skipped"]

Remedies = Callable[[str, Refused], str]
"""What to do about a refusal, by the step that met it."""


class Line(NamedTuple):
    """What was found, and what to do about it."""

    outcome: Outcome
    found: str
    remedy: str = ""


def well(found: str) -> list[Line]:
    """All is well."""
    return [Line("ok", found)]


def failed(found: str, remedy: str) -> list[Line]:
    """It can't work like this."""
    return [Line("failed", found, remedy)]


@dataclass(frozen=True)
class Step:
    """One thing that is checked. `needs`: names of steps without which it makes no sense."""

    name: str
    check: Callable[[], Awaitable[Sequence[Line]]]
    needs: tuple[str, ...] = ()


class Checked(NamedTuple):
    """One line of a check-up."""

    system: System
    step: str
    outcome: Outcome
    found: str
    remedy: str


async def run_steps(
    system: System, steps: Sequence[Step], remedies: Remedies, told: Callable[[Checked], None]
) -> list[Checked]:
    """Every line, in order; each is `told` as soon as it is known."""
    lines: list[Checked] = []
    lost: dict[str, str] = {}
    for step in steps:
        cause = next((lost[need] for need in step.needs if need in lost), None)
        found = (
            await _found(step, remedies) if cause is None else [Line("skipped", f"not checked, since {cause} failed")]
        )
        if cause is not None or any(line.outcome == "failed" for line in found):
            lost[step.name] = cause or step.name
        for line in found:
            lines.append(Checked(system, step.name, line.outcome, line.found, line.remedy))
            told(lines[-1])
    return lines


async def _found(step: Step, remedies: Remedies) -> Sequence[Line]:
    try:
        return await step.check()
    except SettingsError as error:
        return failed(str(error), "set it in the environment, or in a file that NAME_FILE names")
    except Refused as error:
        return failed(str(error), remedies(step.name, error))
    except Unreachable as error:
        return failed(str(error), "check the address, and what stands between (firewall, proxy)")
    except (OutcomeUnknown, CallFailed) as error:
        return failed(str(error), "try again; if it stays so, ask whoever runs the system")
