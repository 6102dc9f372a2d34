"""A strict reader of Prometheus' text format 0.0.4 and of OpenMetrics 1.0, after their grammars: it accepts nothing that they forbid."""

import re
from typing import NamedTuple

METRIC = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
LABEL = r"[a-zA-Z_][a-zA-Z0-9_]*"
VALUE = r'"(?:[^"\\\n]|\\["\\n])*"'
SAMPLE = re.compile(rf"({METRIC})(?:\{{((?:{LABEL}={VALUE})(?:,{LABEL}={VALUE})*)\}})? (\S+)")
PAIR = re.compile(rf"({LABEL})=({VALUE})")
NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?|[+-]Inf|NaN")
SUFFIXES = {"counter": ("_total",), "gauge": ("",), "histogram": ("_bucket", "_sum", "_count")}
Labels = tuple[tuple[str, str], ...]


class Family(NamedTuple):
    """A metric family: its samples by their name and labels, in order."""

    kind: str
    help: str
    unit: str
    samples: dict[tuple[str, Labels], float]


def parse(text: str, *, open_metrics: bool) -> dict[str, Family]:
    """Return the families by name; raises AssertionError, with the line, for whatever the format forbids."""
    assert not text or text.endswith("\n"), "the last line ends, too"
    lines = text.split("\n")[:-1]
    if open_metrics:
        assert lines.pop() == "# EOF", "OpenMetrics ends with # EOF"
    assert "# EOF" not in lines
    families: dict[str, Family] = {}
    for line in lines:
        if line.startswith("# "):
            _told(line, families, open_metrics=open_metrics)
        else:
            _sample(line, families, open_metrics=open_metrics)
    for name, family in families.items():
        assert family.kind, f"{name} has no TYPE"
        if family.unit:
            assert name.endswith(f"_{family.unit}"), f"{name} does not end with its unit"
        if family.kind == "histogram":
            _check_buckets(name, family)
    return families


def _told(line: str, families: dict[str, Family], *, open_metrics: bool) -> None:
    matched = re.fullmatch(rf"# (HELP|TYPE|UNIT) ({METRIC}) (.+)", line)
    assert matched is not None, line
    what, name, text = matched.groups()
    last = next(reversed(families), None)
    assert name not in families or name == last, f"{name} is interleaved"
    family = families.get(name, Family("", "", "", {}))
    assert not family.samples, f"{line}: behind its samples"
    if what == "TYPE":
        assert not family.kind
        assert text in SUFFIXES, line
        assert open_metrics or text != "counter" or name.endswith("_total")
        assert not (open_metrics and name.endswith("_total")), "an OpenMetrics family is named without _total"
        families[name] = family._replace(kind=text)
    elif what == "HELP":
        assert not family.help
        assert re.fullmatch(r'(?:[^"\\]|\\["\\n])*' if open_metrics else r"(?:[^\\]|\\[\\n])*", text), line
        families[name] = family._replace(help=text)
    else:
        assert open_metrics, "the older format has no UNIT"
        families[name] = family._replace(unit=text)


def _sample(line: str, families: dict[str, Family], *, open_metrics: bool) -> None:
    matched = SAMPLE.fullmatch(line)
    assert matched is not None, line
    name, inner, number = matched.groups()
    assert NUMBER.fullmatch(number), line
    family_name, family = next(reversed(families.items()))
    allowed = SUFFIXES[family.kind] if open_metrics or family.kind != "counter" else ("",)
    assert name in {family_name + suffix for suffix in allowed}, f"{line}: not of {family_name}"
    labels = tuple((key, _unescaped(text)) for key, text in PAIR.findall(inner or ""))
    assert len(dict(labels)) == len(labels), f"{line}: a label comes twice"
    assert (name, labels) not in family.samples, f"{line}: comes twice"
    assert family.kind == "gauge" or float(number) >= 0, line
    family.samples[name, labels] = float(number)


def _unescaped(text: str) -> str:
    return re.sub(r'\\(["\\n])', lambda escaped: {"n": "\n"}.get(escaped[1], escaped[1]), text[1:-1])


def _check_buckets(name: str, family: Family) -> None:
    """Buckets are cumulative, in order, and end with +Inf, which is the count; each set of labels has all three."""
    series: dict[Labels, list[tuple[float, float]]] = {}
    for (sample, labels), number in family.samples.items():
        if sample == f"{name}_bucket":
            rest = tuple(pair for pair in labels if pair[0] != "le")
            series.setdefault(rest, []).append((float(dict(labels)["le"]), number))
    assert series, f"{name} has no bucket"
    for labels, buckets in series.items():
        assert buckets == sorted(buckets), f"{name}: buckets out of order"
        assert [count for _, count in buckets] == sorted(count for _, count in buckets), f"{name}: buckets are not cumulative"
        assert buckets[-1][0] == float("inf")
        assert family.samples[f"{name}_count", labels] == buckets[-1][1]
        assert (f"{name}_sum", labels) in family.samples
