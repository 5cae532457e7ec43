"""The composition root."""

from __future__ import annotations

import faust

from streams.app import build_app
from streams.settings import Security, Settings


def test_the_app_is_one_faust_app_with_both_agents_and_all_three_tables() -> None:
    """One Faust agent for each source topic, named after ours; nothing is connected to."""
    app = build_app(Settings("nowhere:9092", "x.", security=Security()))
    assert isinstance(app, faust.App) and app.conf.id == "x.leadsync"
    assert {name.split(".", 1)[0] for name in app.agents} == {"intake", "sync"}
    assert set(app.tables) == {"people", "marketo-links", "dynamics-links"}
