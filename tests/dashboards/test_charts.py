"""Charts are valid, hold what they were given, name their units, and break where there is no data."""

from typing import Any

import altair as alt
import pytest

from dashboards import charts
from dashboards.design import KINDS, PERCENTILES, STATUSES, Theme

DOMAIN = (1_795_180_800_000, 1_795_184_400_000)
LINES = [{"time": DOMAIN[0] + step * 60_000, "series": name, "value": 10.0 * step} for step in range(5) for name in ("p50", "p95", "p99")]


def drawn(chart: alt.LayerChart) -> dict[str, Any]:
    """The specification, validated against Vega-Lite's schema."""
    found: dict[str, Any] = chart.to_dict(validate=True)
    return found


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_chart_is_valid_in_both_themes(theme: Theme) -> None:
    outcomes = [{"time": DOMAIN[0], "status": "ok", "runs": 3}, {"time": DOMAIN[0], "status": "error", "runs": 1}]
    received = [{"time": DOMAIN[0], "received": 600, "lost": 2}]
    spend = [{"name": "a", "cost_usd": 0.5, "calls": 3, "unknown": 1}]
    for chart in (
        charts.latency(LINES, theme, domain=DOMAIN),
        charts.audit_writes([line for line in LINES if line["series"] != "p95"], theme, domain=DOMAIN),
        charts.run_outcomes(outcomes, theme, domain=DOMAIN, bucket_seconds=60),
        charts.ingest(received, theme, domain=DOMAIN, bucket_seconds=60),
        charts.cost(spend, theme),
    ):
        assert drawn(chart)["layer"]


def test_audit_writes_show_their_thresholds_by_name() -> None:
    spec = drawn(charts.audit_writes(LINES, "light", domain=DOMAIN, thresholds_ms=(5.0, 20.0)))
    named = [layer["data"]["values"] for layer in spec["layer"] if layer["mark"]["type"] == "text"]
    assert named == [[{"limit": 5.0, "name": "5 ms"}, {"limit": 20.0, "name": "20 ms"}]]


def test_lines_differ_by_dash_and_not_only_by_colour() -> None:
    layer = drawn(charts.latency(LINES, "light", domain=DOMAIN))["layer"][0]
    assert len({tuple(dash) for dash in layer["encoding"]["strokeDash"]["scale"]["range"]}) == 3


def test_time_axes_are_in_utc_and_say_so() -> None:
    x = drawn(charts.latency(LINES, "light", domain=DOMAIN))["layer"][0]["encoding"]["x"]
    assert (x["title"], x["scale"]["type"]) == ("time, UTC", "utc")


def test_an_unknown_cost_is_not_written_as_zero() -> None:
    rows = [{"name": "house", "cost_usd": 0, "calls": 7, "unknown": 7}, {"name": "mixed", "cost_usd": 2.5, "calls": 7, "unknown": 3}]
    spec = drawn(charts.cost(rows, "light"))
    assert [row["amount"] for row in spec["data"]["values"]] == ["unknown (7 calls)", "$2.50 + 3 unpriced"]


def test_a_gap_in_the_data_is_a_gap_in_the_line() -> None:
    rows = [{"time": DOMAIN[0], "p50": 1.0}, {"time": DOMAIN[0] + 180_000, "p50": 2.0}]
    found = charts.with_gaps(rows, series=("p50",), domain=DOMAIN, bucket_seconds=60)
    assert [(row["time"] - DOMAIN[0], row["value"]) for row in found] == [(0, 1.0), (60_000, None), (180_000, 2.0), (240_000, None)]


def contrast(first: str, second: str) -> float:
    """WCAG 2 contrast ratio of two #RRGGBB colours."""

    def luminance(colour: str) -> float:
        parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    light, dark = sorted((luminance(first), luminance(second)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_every_colour_stands_out_from_its_background() -> None:
    """WCAG 2.2, 1.4.11: 3:1 for graphics; our words in these colours are bold or large."""
    for look in (*KINDS.values(), *STATUSES.values(), *PERCENTILES.values()):
        assert contrast(look.light, "#FFFFFF") >= 4.5, look.label
        assert contrast(look.dark, "#0F151C") >= 4.5, look.label


def test_every_kind_has_its_own_icon_and_word() -> None:
    assert len({look.icon for look in KINDS.values()}) == len(KINDS)
    assert len({look.label for look in KINDS.values()}) == len(KINDS)
