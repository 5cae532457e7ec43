"""Both systems, before and after `leadsync setup`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from streams.policy import default_policy_text
from tests.instances.systems import Systems, both_running


@pytest.fixture
def bare() -> Iterator[Systems]:
    """Nothing of ours is there."""
    with both_running(with_our_fields=False) as systems:
        yield systems


@pytest.fixture
def systems(bare: Systems) -> Systems:
    """`leadsync setup` has run."""
    result = bare.run("setup", "--yes")
    assert result.exit_code == 0, result.output
    return bare


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    """A copy of the shipped policy in a folder of its own."""
    path = tmp_path / "crm.yaml"
    path.write_text(default_policy_text(), encoding="utf-8")
    return path
