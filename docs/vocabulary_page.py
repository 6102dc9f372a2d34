"""docs/vocabulary.md from the registry, collector/dialects/vocabulary.yaml."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

REGISTRY = Path(__file__).parents[1] / "collector/dialects/vocabulary.yaml"

HEAD = """\
# The agent-operations vocabulary

What no OpenTelemetry convention names yet, version {version}. The [SDK](sdk.md) emits it; with plain OpenTelemetry, send a log record
with the event's name, a span with the attributes, or a metric of that name. Standard names (`gen_ai.*`, `user.id`, `session.id`,
`service.*`, `deployment.environment.name`, `error.type`) are used wherever they exist and are not repeated here. Which view answers what
is in [Querying](query.md).

*required*: a record of that kind says nothing without it; nothing is ever rejected, and for the event types of the contract `auditlake
contract` reports the gap. *recommended*: a view or a page loses an answer without it. Whatever fills no column stays in `attributes`, as
sent and redacted. Times are RFC 3339.

This page is generated from the registry `collector/dialects/vocabulary.yaml` (`make docs`).
"""

BOUNDS = """
## Bounded names

A name that holds an id (`agent.execution.7f3a…`, a tool per customer) would make a series, an alert or a metric stream of its own each
time. Where names become series, they are bounded, and what was folded is shown:

| where | bound | beyond it |
|---|---|---|
| charts and tables by agent, model or tool | the 12 largest names of each | one row `(other)`, with how many names it stands for |
| alerts of one rule | 500 label sets | one alert, `(other)` in every label that differs; its annotation `folded` says how many |
| metrics of the SDK | 100 values of a label, for the life of the process | the value `(other)`, and one warning in the log |
| the collector's own metrics | labels have closed sets of values | – |

Names in rows are never changed: `tool_calls` and the others show what was sent. In SQL, `normalised_name(name)` puts `*` for ids inside a
name, for grouping: `agent.execution.9c1b7e52a04f` → `agent.execution.*`, `step.12.search` → `step.*.search`,
`GET /orders/40181` → `GET /orders/*`; words with digits (`gpt-4o`, `s3.get`, `v2`) stay. `bounded_name(name, kept)` gives `(other)` for a name outside the list
`kept`, and `top_names(name, number)` is an aggregate that returns the most frequent:

```sql
WITH named AS (SELECT normalised_name(name) AS name, duration_ms FROM steps WHERE kind = 'other'),
kept AS (SELECT top_names(name, 12) AS names FROM named)
SELECT bounded_name(name, kept.names) AS name, count(*) AS steps, count(DISTINCT named.name) AS names
FROM named, kept GROUP BY 1 ORDER BY steps DESC
```
"""


def vocabulary_page() -> str:
    """Return docs/vocabulary.md."""
    registry = yaml.safe_load(REGISTRY.read_text(encoding="utf-8"))
    return "".join(
        [
            HEAD.format(version=registry["version"]),
            "\n## Events\n\n| event | step | says | required |\n|---|---|---|---|\n",
            *(
                f"| `{name}` | {event['kind']} | {event['text']} | {_names(event['required'])} |\n"
                for name, event in registry["events"].items()
            ),
            "\n## Attributes\n\n| attribute | type | unit | requirement | on | says | example |\n|---|---|---|---|---|---|---|\n",
            *_attributes(registry["attributes"]),
            "\n## Metrics\n\n| metric | type | unit | group | labels | says | buckets |\n|---|---|---|---|---|---|---|\n",
            *_metrics(registry["metrics"]),
            "\n## What auditlake writes about itself\n\nThese records have one of the scopes below and are in no run.\n",
            "\n| scope | whose |\n|---|---|\n",
            *(f"| `{name}` | {text} |\n" for name, text in registry["scopes"].items()),
            "\n| event | scope | says | required |\n|---|---|---|---|\n",
            *(
                f"| `{name}` | `{event['scope']}` | {event['text']} | {_names(event['required'])} |\n"
                for name, event in registry["own_events"].items()
            ),
            BOUNDS,
        ]
    )


def _attributes(attributes: Mapping[str, Any]) -> Iterator[str]:
    for name, one in attributes.items():
        example = one["example"] if isinstance(one["example"], str) else json.dumps(one["example"])
        unit = f"`{one['unit']}`" if "unit" in one else "–"
        yield f"| `{name}` | {one['type']} | {unit} | {one['requirement']} | {one['record']} | {one['text']} | `{example}` |\n"


def _metrics(metrics: Mapping[str, Any]) -> Iterator[str]:
    for name, one in metrics.items():
        buckets = ", ".join(f"{bound:g}" for bound in one.get("buckets", [])) or "–"
        labels = _names(one["attributes"]) or "–"
        yield f"| `{name}` | {one['type']} | `{one['unit']}` | {one['group']} | {labels} | {one['text']} | {buckets} |\n"


def _names(names: list[str]) -> str:
    return " ".join(f"`{name}`" for name in names)
