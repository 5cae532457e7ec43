"""The commands of this package, where `streams/cli.py` looks for them."""

from __future__ import annotations

from streams.instances.doctor_command import doctor
from streams.instances.rules_import_command import rules
from streams.instances.setup_command import setup

__all__ = ["doctor", "rules", "setup"]
