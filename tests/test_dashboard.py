"""The Grafana dashboard shows every metric of the table and no other, in the table's units and words.

What a failing test wants stands in its message; after an edit of the file, `python -m tests.test_dashboard` writes it in
its stable form again and takes the descriptions over from the table.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from streams.metric_table import CONNECTOR_METRICS, METRICS, MetricSpec

DASHBOARD = Path(__file__).parent.parent / "deploy" / "grafana" / "dashboards" / "leadsync.json"
COLUMNS = 24
SERIES = {"counter": ("",), "gauge": ("",), "histogram": ("_bucket", "_sum", "_count")}
ALL: dict[str, MetricSpec] = {**METRICS, **CONNECTOR_METRICS}
EXPOSED: dict[str, MetricSpec] = {spec.name + suffix: spec for spec in ALL.values() for suffix in SERIES[spec.kind]}
"""The names that Prometheus stores, and the metric each belongs to."""

GRAFANA_UNITS = {
    "seconds": "s",
    "seconds/s": "percentunit",  # seconds spent per second
    "seconds/changes": "s",  # per one change
    "ratio": "percentunit",
}
"""Grafana's word for a unit; every other unit is counted in its own words."""


def dashboard() -> dict[str, Any]:
    found = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    assert isinstance(found, dict)
    return found


def panels(kind: str | None = None) -> list[dict[str, Any]]:
    """All that show something; or all of one type."""
    every = dashboard()["panels"]
    return [panel for panel in every if (panel["type"] == kind if kind else panel["type"] != "row")]


def expressions(panel: dict[str, Any]) -> list[str]:
    return [target["expr"] for target in panel["targets"]]


def names(expression: str) -> list[str]:
    """The metrics' names in an expression, as Prometheus stores them."""
    return re.findall(r"\bleadsync_\w+", expression)


def strings(part: Any) -> Iterator[str]:
    """Every text anywhere in the dashboard."""
    if isinstance(part, str):
        yield part
    elif isinstance(part, dict | list):
        for each in part.values() if isinstance(part, dict) else part:
            yield from strings(each)


def unit(expression: str) -> str:
    """What an expression counts, from the table: `rate` is per second, `a / b` cancels what both have."""
    parts = [_unit_of_part(part) for part in expression.split(" / ")]
    if len(parts) == 1:
        return parts[0]
    above, below = (part.removesuffix("/s") for part in parts)
    return "ratio" if above == below else f"{above}/{below}"


def _unit_of_part(part: str) -> str:
    (spec,) = {EXPOSED[name] for name in names(part)}
    per_second = "rate(" in part and "histogram_quantile(" not in part
    return f"{spec.unit}/s" if per_second else spec.unit


def description(panel: dict[str, Any]) -> str:
    """The table's words on every metric that the panel shows."""
    shown = {EXPOSED[name] for expression in expressions(panel) for name in names(expression)}
    return "\n\n".join(f"**{spec.name}**: {spec.meaning}" for spec in ALL.values() if spec in shown)


def stable(found: dict[str, Any]) -> str:
    """The one way to write the file, so that a change of it shows as what it is."""
    return json.dumps(found, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


each_panel = pytest.mark.parametrize("panel", panels(), ids=lambda panel: panel["title"])


# -- The metrics ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ALL)
def test_every_metric_is_shown(name: str) -> None:
    """A metric that nobody looks at is not worth its scrape."""
    shown = {EXPOSED[each].name for panel in panels() for each in names(" ".join(expressions(panel)))}
    assert name in shown, f"{name}: give it a panel in {DASHBOARD.name}, or take it out of the table"


def test_every_name_on_the_dashboard_is_a_metric() -> None:
    """In expressions, variables, titles and texts; a name of a metric that is no more would show an empty panel."""
    mentioned = {name for text in strings(dashboard()) for name in names(text)}
    strangers = mentioned - EXPOSED.keys() - ALL.keys()
    assert not strangers, f"not in the table: {sorted(strangers)}"


@each_panel
def test_every_expression_is_about_metrics_and_the_chosen_processes(panel: dict[str, Any]) -> None:
    """Each metric in it is narrowed to the workers chosen above, a connector's to the chosen systems, of which each has one."""
    for expression in expressions(panel):
        selected = re.findall(r'\b(leadsync_\w+)\{(\w+)=~"\$(\w+)"\}', expression)
        assert [name for name, *_ in selected] == names(expression) != []
        for name, label, variable in selected:
            assert label == variable == ("system" if EXPOSED[name].name in CONNECTOR_METRICS else "instance")
        assert expression.count("(") == expression.count(")")


@each_panel
def test_counters_are_shown_by_their_change_and_gauges_as_they_are(panel: dict[str, Any]) -> None:
    """A counter's height says nothing, since each process begins at nought; a rate of a gauge says nothing either."""
    for expression in expressions(panel):
        changing = re.findall(r"(?:rate|increase)\((leadsync_\w+)", expression)
        assert changing == [name for name in names(expression) if EXPOSED[name].kind != "gauge"]


@each_panel
def test_labels_are_those_of_the_table(panel: dict[str, Any]) -> None:
    """In `by (…)` and in legends; `instance` is Prometheus's own, `le` that of histograms."""
    for target in panel["targets"]:
        allowed = {label for name in names(target["expr"]) for label in EXPOSED[name].labels} | {"instance", "le"}
        grouped = {label for by in re.findall(r"by \(([^)]*)\)", target["expr"]) for label in by.split(", ")}
        legend = set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
        assert grouped | legend <= allowed
        if "by (" in target["expr"]:
            assert legend == grouped - {"le"}, "a series' legend names what it is grouped by"


@each_panel
def test_units_agree_with_the_table(panel: dict[str, Any]) -> None:
    """One panel, one unit: that of the table, through rates and quotients."""
    (found,) = {unit(expression) for expression in expressions(panel)}
    expected = GRAFANA_UNITS.get(found, f"count:{found}")
    assert panel["fieldConfig"]["defaults"]["unit"] == expected


@each_panel
def test_descriptions_are_the_tables(panel: dict[str, Any]) -> None:
    """What Grafana shows at the (i) of a panel is what the code says of its metrics."""
    assert panel["description"] == description(panel), "run: python -m tests.test_dashboard"


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("sum(leadsync_ready)", "workers"),
        ("rate(leadsync_outputs_total[1m])", "messages/s"),
        ("increase(leadsync_outputs_total[1m])", "messages"),
        ("rate(leadsync_core_seconds_total[1m]) / rate(leadsync_changes_folded_total[1m])", "seconds/changes"),
        ("leadsync_lag_offsets / leadsync_lag_offsets", "ratio"),
        ("histogram_quantile(0.5, rate(leadsync_batch_seconds_bucket[1m]))", "seconds"),
    ],
)
def test_units_follow_from_expressions(expression: str, expected: str) -> None:
    """The rule that the test above goes by."""
    assert unit(expression) == expected


# -- The file ------------------------------------------------------------------------------------------------------


def test_the_file_is_written_in_its_stable_form() -> None:
    """Sorted and indented, whoever edited it and with what."""
    assert DASHBOARD.read_text(encoding="utf-8") == stable(dashboard()), "run: python -m tests.test_dashboard"


def test_panels_have_ids_and_titles_of_their_own() -> None:
    """Links and alerts go by them."""
    every = dashboard()["panels"]
    for member in ("id", "title"):
        twice = [found for found, count in Counter(panel[member] for panel in every).items() if count > 1]
        assert not twice, f"{member} used more than once: {twice}"
    for panel in panels():
        references = [target["refId"] for target in panel["targets"]]
        assert len(set(references)) == len(references)


def test_no_panel_covers_another() -> None:
    """Each cell of the grid belongs to one panel, and none lies beyond its 24 columns."""
    taken: dict[tuple[int, int], str] = {}
    for panel in dashboard()["panels"]:
        at = panel["gridPos"]
        assert at["x"] >= 0 and at["x"] + at["w"] <= COLUMNS, panel["title"]
        for cell in ((x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])):
            assert cell not in taken, f"{panel['title']!r} lies on {taken.get(cell)!r}"
            taken[cell] = panel["title"]


def test_the_rows_ask_what_an_operator_asks() -> None:
    """Health first; the file lists panels in the order in which they are read."""
    titles = [panel["title"] for panel in panels("row")]
    assert titles == ["Is it healthy?", "Flow", "Collisions and errors", "Speed", "Recovery", "Connectors"]
    places = [(panel["gridPos"]["y"], panel["gridPos"]["x"]) for panel in dashboard()["panels"]]
    assert places == sorted(places)


def test_every_query_goes_to_the_chosen_data_source() -> None:
    """No uid of somebody's Grafana is left in it; the choice begins with the one that we provision."""
    chosen = {"type": "prometheus", "uid": "${datasource}"}
    source, *variables = dashboard()["templating"]["list"]
    assert (source["name"], source["type"], source["query"]) == ("datasource", "datasource", "prometheus")
    assert source["current"]["value"] == "prometheus"
    assert [(each["name"], each["datasource"]) for each in variables] == [("instance", chosen), ("system", chosen)]
    for each in variables:
        assert each["query"]["query"] == each["definition"]
        (name,) = names(each["definition"])
        assert each["definition"] == f"label_values({name}, {each['name']})" and name in EXPOSED
    for panel in panels():
        assert panel["datasource"] == chosen
        assert all(target["datasource"] == chosen for target in panel["targets"])


def test_thresholds_begin_at_the_bottom_and_rise() -> None:
    """Grafana takes the first step as the base and expects it without a value."""
    for panel in panels():
        base, *others = [step["value"] for step in panel["fieldConfig"]["defaults"]["thresholds"]["steps"]]
        assert base is None
        assert others == sorted(set(others))


def rewrite() -> None:
    """Write the file in its stable form, with the table's descriptions."""
    found = dashboard()
    for panel in found["panels"]:
        if panel["type"] != "row":
            panel["description"] = description(panel)
    DASHBOARD.write_text(stable(found), encoding="utf-8")


if __name__ == "__main__":
    rewrite()
