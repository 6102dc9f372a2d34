"""The collector's numbers as Prometheus reads them: exposition format 0.0.4, and OpenMetrics 1.0 for who asks for it.

Names follow OpenTelemetry's rules for Prometheus ("Prometheus and OpenMetrics Compatibility"): what is no letter or digit becomes an
underscore, the unit is spelled out at the end unless the name says it, `_total` ends a counter. Several processes are one target:
counters, histograms and most gauges are summed, of others the largest or smallest counts.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from collector.instruments import Kind, Merge, merged

TEXT: Final = "text/plain; version=0.0.4; charset=utf-8"
OPEN_METRICS: Final = "application/openmetrics-text; version=1.0.0; charset=utf-8"
UNITS: Final = {"s": "seconds", "ms": "milliseconds", "By": "bytes", "%": "percent"}
_Labels = tuple[tuple[str, str], ...]


def content_type(accept: str) -> str:
    """Return the format for an Accept header: OpenMetrics where it is named and not liked less than plain text (RFC 9110, 12.5.1)."""
    liked = {"application/openmetrics-text": 0.0, "text/plain": 0.0}
    for part in accept.lower().split(","):
        media_type, *parameters = (piece.strip() for piece in part.split(";"))
        if media_type in liked:
            liked[media_type] = max(liked[media_type], _quality(parameters))
    open_metrics, text = liked.values()
    return OPEN_METRICS if open_metrics and open_metrics >= text else TEXT


def _quality(parameters: Iterable[str]) -> float:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            return float(value) if re.fullmatch(r"\s*(0(\.\d{0,3})?|1(\.0{0,3})?)\s*", value) else 0.0
    return 1.0


def exposition(snapshots: Sequence[Mapping[str, Any]], *, open_metrics: bool = False) -> bytes:
    """Return the text for what `collector.telemetry.Telemetry.snapshot` returned in each process of one collector."""
    families: dict[str, list[Mapping[str, Any]]] = {}
    for snapshot in snapshots:
        for metric in snapshot["metrics"]:
            families.setdefault(metric["name"], []).append(metric)
    lines = [line for family in families.values() for line in _family(family, open_metrics=open_metrics)]
    if open_metrics:
        lines.append("# EOF")
    return "".join(f"{line}\n" for line in lines).encode()


def prometheus_name(name: str, unit: str) -> str:
    """Return the name of a metric family, without `_total`."""
    said = re.sub(r"[^a-zA-Z0-9_]+", "_", name)
    word = UNITS.get(unit, "")
    return said if not word or said.endswith(f"_{word}") else f"{said}_{word}"


def _family(metrics: Sequence[Mapping[str, Any]], *, open_metrics: bool) -> Iterator[str]:
    """Yield the lines of one metric, as several processes have it."""
    first = metrics[0]
    kind = Kind(first["kind"])
    name = prometheus_name(first["name"], first["unit"])
    sample = f"{name}_total" if kind is Kind.COUNTER else name
    shown = name if open_metrics else sample
    points = _points(kind, Merge(first["merge"]), metrics)
    if not points:
        return
    yield f"# HELP {shown} {_help(first['text'], open_metrics=open_metrics)}"
    yield f"# TYPE {shown} {kind.value}"
    if open_metrics and (word := UNITS.get(first["unit"])):
        yield f"# UNIT {shown} {word}"
    for labels, value in sorted(points.items()):
        if kind is Kind.HISTOGRAM:
            yield from _buckets(name, labels, first["bounds"], value)
        else:
            yield f"{sample}{_labels(labels)} {_number(value)}"


def _points(kind: Kind, merge: Merge, metrics: Iterable[Mapping[str, Any]]) -> dict[_Labels, Any]:
    by_labels: dict[_Labels, list[Any]] = {}
    for metric in metrics:
        for labels, value in metric["points"]:
            by_labels.setdefault(tuple((key, text) for key, text in labels), []).append(value)
    if kind is not Kind.HISTOGRAM:
        return {labels: merged(kind, merge, values) for labels, values in by_labels.items()}
    return {
        labels: {
            "counts": [sum(counts) for counts in zip(*(value["counts"] for value in values), strict=True)],
            "sum": sum(value["sum"] for value in values),
        }
        for labels, values in by_labels.items()
    }


def _buckets(name: str, labels: _Labels, bounds: Sequence[float], value: Mapping[str, Any]) -> Iterator[str]:
    """Yield the samples of a histogram: its buckets are cumulative, the last one holds everything."""
    so_far = 0
    for bound, count in zip((*bounds, float("inf")), value["counts"], strict=True):
        so_far += count
        yield f"{name}_bucket{_labels((*labels, ('le', _number(float(bound)))))} {so_far}"
    yield f"{name}_sum{_labels(labels)} {_number(value['sum'])}"
    yield f"{name}_count{_labels(labels)} {so_far}"


def _labels(labels: _Labels) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{re.sub("[^a-zA-Z0-9_]", "_", key)}="{_escaped(value)}"' for key, value in labels) + "}"


def _number(value: float) -> str:
    if value == float("inf"):
        return "+Inf"
    return str(value)


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


def _help(text: str, *, open_metrics: bool) -> str:
    """OpenMetrics escapes quotes in a help text, the older format must not."""
    return _escaped(text) if open_metrics else text.replace("\\", "\\\\").replace("\n", "\\n")
