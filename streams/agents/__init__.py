"""The two agents, with no decision in them: read a batch, let the pure core decide, pack what it decided.

`intake` turns records' changes and systems' answers into changes of persons; `sync` folds those into the persons and sends
commands and activities. A message that cannot be read, or on which the core raises, is rejected as a whole and its person
is left as it was; the partition goes on. (Design, "Bad input".)
"""

from streams.agents.intake import INTAKE, Intake
from streams.agents.packing import Policies
from streams.agents.sync import SYNC, Sync

__all__ = ["INTAKE", "SYNC", "Intake", "Policies", "Sync"]
