"""Refuses to run on versions of Faust and aiokafka that the crash tests have not passed on.

The lane overrides methods of these three that are nobody's public interface. A new release may rename one and fail
loudly, or change an order of steps and lose an event now and then. So: pin, run `pytest tests/lane` on the new version
with the override below, then change the pin, this table and streams/workarounds.md, where a test that passes unexpectedly
says what upstream has mended.
"""

import os
from collections.abc import Mapping
from importlib.metadata import version

from streams.lane.batch import LaneError

TESTED: Mapping[str, str] = {"faust-streaming": "0.15.3", "mode-streaming": "0.7.1", "aiokafka": "0.14.0"}
OVERRIDE = "LEADSYNC_UNTESTED_VERSIONS"


def refuse_untested_versions(environ: Mapping[str, str] = os.environ) -> None:
    """Raise `LaneError` with one line unless the installed versions are the tested ones."""
    if environ.get(OVERRIDE) == "1":
        return
    found = {name: version(name) for name in TESTED}
    wrong = [f"{name} {found[name]} (tested: {TESTED[name]})" for name in TESTED if found[name] != TESTED[name]]
    if wrong:
        raise LaneError(
            f"untested versions: {', '.join(wrong)}; {OVERRIDE}=1 runs the crash tests on them, nothing else"
        )
