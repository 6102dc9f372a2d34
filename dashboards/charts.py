"""Every chart of the pages as a pure function: rows in, Altair chart out. No Streamlit, no data access, no clock.

Rules: one time axis in UTC (tooltips give local time too), units on every axis, series told apart by dash or texture as well as colour,
thresholds drawn and named, a gap in the data is a gap in the line.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import altair as alt

from dashboards import units
from dashboards.design import PERCENTILES, STATUSES, Theme

Row = Mapping[str, Any]
HEIGHT: Final = 210
_DURATION: Final = (
    "datum.value == 0 ? '0' : datum.value < 1 ? format(datum.value * 1000, '~r') + ' µs' : "
    "datum.value < 1000 ? format(datum.value, '~r') + ' ms' : "
    "datum.value < 60000 ? format(datum.value / 1000, '.3~r') + ' s' : format(datum.value / 60000, '.3~r') + ' min'"
)
_MONEY: Final = "datum.value == 0 ? '$0' : '$' + format(datum.value, datum.value < 0.01 ? '.1~e' : '.2~r')"
_TIMES: Final = {
    "utc": "utcFormat(datum.time, '%Y-%m-%d %H:%M:%S') + ' UTC'",
    "local": "timeFormat(datum.time, '%Y-%m-%d %H:%M:%S')",
}
_WHEN: Final = [alt.Tooltip("utc:N", title="Time"), alt.Tooltip("local:N", title="Local")]


def latency(rows: Sequence[Row], theme: Theme, *, domain: tuple[int, int]) -> alt.LayerChart:
    """p50, p95 and p99 over time. Rows: `time` (unix ms), `series` (p50 p95 p99), `value` (ms or None for a gap)."""
    return _lines(rows, theme, domain=domain, names=("p50", "p95", "p99"), scale=alt.Scale(zero=True, nice=True))


def audit_writes(
    rows: Sequence[Row], theme: Theme, *, domain: tuple[int, int], thresholds_ms: tuple[float, ...] = (5.0, 20.0)
) -> alt.LayerChart:
    """p50 and p99 of durable acknowledgements on a logarithmic axis, with a named line at every threshold. Rows as of `latency`."""
    lines = _lines(
        rows,
        theme,
        domain=domain,
        names=("p50", "p99"),
        scale=alt.Scale(type="log", nice=False, domainMin=0.2, domainMax=_top(rows, thresholds_ms)),
        ticks=(0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 1000, 10_000),
    )
    colour = STATUSES["error"].colour(theme)
    marks = alt.Chart(_data([{"limit": limit, "name": f"{limit:g} ms"} for limit in thresholds_ms]))
    rules = marks.mark_rule(strokeDash=[6, 3], color=colour, opacity=0.9).encode(y="limit:Q")
    names = marks.mark_text(align="right", dy=-6, fontWeight="bold", color=colour, fontSize=11).encode(
        y="limit:Q", x=alt.value("width"), text="name:N"
    )
    return _layered([*lines.layer, rules, names])


def run_outcomes(rows: Sequence[Row], theme: Theme, *, domain: tuple[int, int], bucket_seconds: int) -> alt.LayerChart:
    """Runs started per bucket, stacked by status. Rows: `time` (unix ms), `status`, `runs`."""
    names = [name for name in ("error", "abandoned", "running", "ok", "unset") if any(row["status"] == name for row in rows)]
    order = {name: place for place, name in enumerate(names)}
    values = [{**row, "end": row["time"] + bucket_seconds * 1000, "order": order[row["status"]]} for row in rows]
    bars = (
        alt.Chart(_data(values))
        .transform_calculate(**_TIMES)
        .mark_bar(stroke=None, binSpacing=1)
        .encode(
            x=_time_axis(domain, binned=True),
            x2="end:T",
            y=alt.Y("runs:Q", stack="zero", title="runs", axis=alt.Axis(tickMinStep=1, format="~s")),
            color=alt.Color(
                "status:N",
                title=None,
                scale=alt.Scale(domain=names, range=[STATUSES[name].colour(theme) for name in names]),
                legend=_LEGEND,
            ),
            order=alt.Order("order:Q"),
            tooltip=[*_WHEN, alt.Tooltip("status:N", title="Status"), alt.Tooltip("runs:Q", title="Runs", format=",")],
        )
    )
    return _layered([bars, _edges(domain)], height=HEIGHT + 46)


def ingest(rows: Sequence[Row], theme: Theme, *, domain: tuple[int, int], bucket_seconds: int) -> alt.LayerChart:
    """Records received a second per bucket. Rows: `time` (unix ms), `received`, `lost` (rejected + quarantined)."""
    colour, bad = STATUSES["running"].colour(theme), STATUSES["error"].colour(theme)
    values = [
        {
            **row,
            "end": row["time"] + bucket_seconds * 1000,
            "rate": row["received"] / bucket_seconds,
            "lost_rate": row["lost"] / bucket_seconds,
        }
        for row in rows
    ]
    base = alt.Chart(_data(values)).transform_calculate(**_TIMES)
    tips = [
        *_WHEN,
        alt.Tooltip("rate:Q", title="Received/s", format=",.2~f"),
        alt.Tooltip("lost:Q", title="Rejected or quarantined", format=","),
    ]
    axis = alt.Axis(format="~s")
    bars = base.mark_bar(color=colour, binSpacing=1).encode(
        x=_time_axis(domain, binned=True), x2="end:T", y=alt.Y("rate:Q", title="records/s", axis=axis), tooltip=tips
    )
    lost = (
        base.transform_filter("datum.lost > 0")
        .mark_bar(color=bad, binSpacing=1)
        .encode(x=_time_axis(domain, binned=True), x2="end:T", y=alt.Y("lost_rate:Q", title="records/s"), tooltip=tips)
    )
    return _layered([bars, lost, _edges(domain)])


def cost(rows: Sequence[Row], theme: Theme) -> alt.LayerChart:
    """Spend by name, largest first, with the amount written at each bar. Rows: `name cost_usd calls unknown` (calls without a price)."""
    top = max((row["cost_usd"] for row in rows), default=0.0) or 1.0
    scale, axis = alt.Scale(domain=[0, top * 1.5]), alt.Axis(labelExpr=_MONEY, tickCount=4, labelFlush=True)
    base = alt.Chart(_data([{**row, "amount": _amount(row)} for row in rows])).encode(
        y=alt.Y("name:N", sort=None, title=None, axis=alt.Axis(labelLimit=170, ticks=False, domain=False)),
        x=alt.X("cost_usd:Q", title="US dollars", axis=axis, scale=scale),
        tooltip=[
            alt.Tooltip("name:N", title="Name"),
            alt.Tooltip("cost_usd:Q", title="US dollars", format="$,.6~f"),
            alt.Tooltip("calls:Q", title="Model calls", format=","),
            alt.Tooltip("unknown:Q", title="Calls without a price", format=","),
        ],
    )
    bars = base.mark_bar(color=PERCENTILES["p50"].colour(theme), height=14, cornerRadiusEnd=3)
    ink = "#E6EBF0" if theme == "dark" else "#17202B"
    names = base.mark_text(align="left", dx=5, color=ink, fontSize=12).encode(text="amount:N")
    return _layered([bars, names], height=max(30 * len(rows) + 34, 90))


def _amount(row: Row) -> str:
    if row["unknown"] == row["calls"]:
        return f"unknown ({row['unknown']:,} {'call' if row['unknown'] == 1 else 'calls'})"
    return units.cost(row["cost_usd"]) + (f" + {row['unknown']:,} unpriced" if row["unknown"] else "")


def with_gaps(rows: Sequence[Row], *, series: Sequence[str], domain: tuple[int, int], bucket_seconds: int) -> list[dict[str, Any]]:
    """Long rows (`time`, `series`, `value`) of wide ones (`time` in unix ms, a column a series).

    The first empty bucket of every gap gets a None, so that lines break there instead of inventing values.
    """
    step, found = bucket_seconds * 1000, []
    by_time = {row["time"]: row for row in rows}
    for time in sorted(by_time):
        found += [{"time": time, "series": name, "value": by_time[time].get(name)} for name in series]
        if time + step not in by_time and time + step < domain[1]:
            found += [{"time": time + step, "series": name, "value": None} for name in series]
    return found


_LINE_LEGEND: Final = alt.Legend(orient="top", direction="horizontal", title=None, offset=2, symbolType="stroke", symbolSize=300)
_LEGEND: Final = alt.Legend(orient="top", direction="horizontal", title=None, offset=2)


def _time_axis(domain: tuple[int, int], *, binned: bool = False) -> alt.X:
    clock = "%H:%M" if domain[1] - domain[0] <= 2 * 86_400_000 else "%d %b"
    axis = alt.Axis(grid=False, labelFlush=True, labelOverlap=True, tickCount=7, labelExpr=f"utcFormat(datum.value, '{clock}')")
    return alt.X("time:T", title="time, UTC", scale=alt.Scale(type="utc", nice=False), axis=axis, bin="binned" if binned else alt.Undefined)


def _edges(domain: tuple[int, int]) -> Any:
    """Invisible marks at both ends of the window: the axis always shows all of it, also where there is no data."""
    return alt.Chart(_data([{"time": edge} for edge in domain])).mark_rule(opacity=0).encode(x=_time_axis(domain))


def _lines(
    rows: Sequence[Row],
    theme: Theme,
    *,
    domain: tuple[int, int],
    names: tuple[str, ...],
    scale: alt.Scale,
    ticks: Sequence[float] | None = None,
) -> alt.LayerChart:
    dashes = {"p50": [1, 0], "p95": [6, 2], "p99": [2, 2]}
    base = (
        alt.Chart(_data(rows))
        .transform_calculate(**_TIMES)
        .encode(
            x=_time_axis(domain),
            y=alt.Y(
                "value:Q", title="duration", scale=scale, axis=alt.Axis(labelExpr=_DURATION, tickCount=5, values=ticks or alt.Undefined)
            ),
            color=alt.Color(
                "series:N",
                title=None,
                scale=alt.Scale(domain=list(names), range=[PERCENTILES[name].colour(theme) for name in names]),
                legend=_LINE_LEGEND,
            ),
            strokeDash=alt.StrokeDash("series:N", title=None, scale=alt.Scale(domain=list(names), range=[dashes[name] for name in names])),
            tooltip=[*_WHEN, alt.Tooltip("series:N", title="Percentile"), alt.Tooltip("value:Q", title="ms", format=",.3~f")],
        )
    )
    lines = base.mark_line(strokeWidth=2, interpolate="monotone", invalid="break-paths-show-domains")
    dots = base.transform_filter("isValid(datum.value)").mark_point(size=22, filled=True, opacity=0.9).encode(strokeDash=alt.Undefined)
    return _layered([lines, dots, _edges(domain)])


def _data(rows: Sequence[Row]) -> alt.Data:
    return alt.Data(values=[dict(row) for row in rows])  # type: ignore[no-untyped-call]


def _layered(layers: Sequence[Any], *, height: int = HEIGHT) -> alt.LayerChart:
    return alt.LayerChart(layer=list(layers)).properties(height=height)


def _top(rows: Sequence[Row], thresholds_ms: tuple[float, ...]) -> float:
    return float(max([*(row["value"] for row in rows if row["value"] is not None), max(thresholds_ms)]) * 1.6)
