"""The SDK's names are those of the registry and of OpenTelemetry."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from auditlake import Settings, vocabulary
from auditlake._settings import Options
from opentelemetry.semconv._incubating.attributes import gen_ai_attributes

REGISTRY: dict[str, Any] = yaml.safe_load((Path(__file__).parents[2] / "collector/dialects/vocabulary.yaml").read_text())
NAMES = {key: value for key, value in vars(vocabulary).items() if key.isupper() and isinstance(value, str)}
OF_OUR_PROCESSES = (
    "auditlake.alert.",
    "auditlake.access.",
    "auditlake.vault.",
    "auditlake.config.",
    "auditlake.redaction.",
    "auditlake.forward.",
    "auditlake.anchor.",
    "auditlake.verify.",
    "auditlake.ledger.",
    "auditlake.recording.",
)
METRICS = {name: metric for name, metric in REGISTRY["metrics"].items() if metric["group"] != "self" or name == "auditlake.dropped"}
NOT_IN_OTEL_YET = {"gen_ai.prompt.version", "gen_ai.evaluation.result"}


def test_every_attribute_of_ours_is_in_the_registry() -> None:
    """A name that the decoder does not know would be lost on the way to its column."""
    ours = {name for key, name in NAMES.items() if name.startswith("auditlake.") and not key.startswith("METRIC_")}
    assert ours <= set(REGISTRY["attributes"])


def test_the_sdk_knows_every_name_of_the_registry() -> None:
    """What the registry names can be emitted; our own processes write theirs."""
    registered = {name for name in REGISTRY["attributes"] if not name.startswith(OF_OUR_PROCESSES)}
    assert registered <= set(NAMES.values())


def test_events_and_metrics_are_those_of_the_registry() -> None:
    """The event names and the metric names agree too."""
    assert {name for key, name in NAMES.items() if key.startswith("EVENT_")} == set(REGISTRY["events"]) - {"alert.transition"}
    assert {name for key, name in NAMES.items() if key.startswith("METRIC_")} == set(METRICS)


def test_units_and_buckets_are_those_of_the_registry() -> None:
    """Histograms of other buckets could not be added up."""
    assert {name: metric["unit"] for name, metric in METRICS.items()} == vocabulary.UNITS
    assert {name: tuple(metric["buckets"]) for name, metric in METRICS.items() if "buckets" in metric} == vocabulary.BUCKETS


def test_gen_ai_names_are_opentelemetrys_own() -> None:
    """Backends other than ours understand the same records."""
    known = {value for key, value in vars(gen_ai_attributes).items() if key.startswith("GEN_AI_") and isinstance(value, str)}
    assert {name for name in NAMES.values() if name.startswith("gen_ai.")} - NOT_IN_OTEL_YET <= known


@pytest.mark.parametrize("name", ["gen_ai.usage.input_tokens", "gen_ai.tool.call.arguments", "gen_ai.conversation.id"])
def test_well_known_names(name: str) -> None:
    """The commonest names, spelled out."""
    assert name in NAMES.values()


def test_options_name_every_field_of_the_settings() -> None:
    """Editors and type checkers see exactly what `configure` accepts."""
    assert set(Options.__annotations__) == set(Settings.__dataclass_fields__) - {"service_name"}
