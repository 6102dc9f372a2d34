"""The sections of otel-config.yaml, one frozen model each; the comment beside a field is its manual (docs/configuration.md shows them)."""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, Field, ValidationInfo, field_validator, model_validator

from collector.config_admission import BasicAuthConfig, BearerTokenAuthConfig
from collector.config_alert_receivers import AlertmanagerConfig, AlertReceivers, PlainUrl
from collector.config_alerts import DEFAULT_INHIBIT_RULES, InhibitRuleConfig, RouteConfig
from collector.config_exporters import OtlpGrpcExporterConfig, OtlpHttpExporterConfig
from collector.config_fields import Duration, Endpoint, NodeName, Section, UrlPath
from collector.config_filter import FilterConfig
from collector.config_ledger import LedgerConfig
from collector.config_receivers import OtlpReceiverConfig
from collector.config_retention import RetentionConfig
from collector.memory import memory_bytes
from redaction.policy import RedactionConfig

SIGNALS = ("traces", "logs", "metrics")


class MemoryLimiterConfig(Section):
    check_interval: Duration = 1.0  # accepted for compatibility: bytes in flight are counted at every request, not on a timer
    limit_mib: int | None = Field(None, ge=1)  # hard limit of bytes in flight
    limit_percentage: int | None = Field(None, ge=1, le=100)  # the same as a share of the memory of this machine or container
    spike_limit_mib: int | None = Field(None, ge=0)  # requests are refused (retryable) above limit − spike; default a fifth
    spike_limit_percentage: int | None = Field(None, ge=0, le=100)  # the same as a share of that memory

    @model_validator(mode="after")
    def _limit_over_spike(self) -> "MemoryLimiterConfig":
        if self.limit_mib is None and self.limit_percentage is None:
            raise ValueError("needs limit_mib or limit_percentage")
        if self.limit_bytes <= 0:
            raise ValueError("the spike limit must be below the limit")
        return self

    @property
    def limit_bytes(self) -> int:
        """Bytes in flight above which requests are refused: limit − spike."""
        limit = _mib_or_share(self.limit_mib, self.limit_percentage) or 0
        spike = _mib_or_share(self.spike_limit_mib, self.spike_limit_percentage)
        return limit - (limit // 5 if spike is None else spike)

    def share(self, parts: int) -> "MemoryLimiterConfig":
        """Return the limit of one of several processes that have this limit together."""
        limit_mib = max(1, self.limit_bytes // parts >> 20)
        return self.model_copy(
            update={"limit_mib": limit_mib, "limit_percentage": None, "spike_limit_mib": 0, "spike_limit_percentage": None}
        )


def _mib_or_share(mib: int | None, percentage: int | None) -> int | None:
    if mib is not None:
        return mib * 1024 * 1024
    if percentage is None:
        return None
    return memory_bytes() * percentage // 100


class BatchConfig(Section):
    timeout: Duration = 0.2  # accepted for compatibility, without effect: see the warning of `auditlake validate`
    send_batch_size: int = 8192  # likewise
    send_batch_max_size: int = 0  # likewise


class PricingConfig(Section):
    file: Path  # your prices by model (docs/cost.md), they go before the built-in list; relative to this file's folder

    @field_validator("file")
    @classmethod
    def _beside_the_configuration(cls, file: Path, info: ValidationInfo) -> Path:
        folder = (info.context or {}).get("folder")
        return file if folder is None else folder / file


class ParquetExporterConfig(Section):
    path: Path = Path("auditlake-data")  # the data directory, relative to the working directory
    seal_interval: Duration = Field(1.0, ge=0.1, le=60)  # how often what was acknowledged becomes Parquet
    node: NodeName | None = None  # name of this collector in origins; unset: the host name
    compact_interval: Duration = Field(10.0, ge=1)  # how often small files are looked for
    retired_grace: Duration = Field(600.0, ge=0)  # how long files that compaction replaced stay for readers that hold the old list


class HealthCheckConfig(Section):
    endpoint: Endpoint = "127.0.0.1:13133"  # host:port of the health answer
    path: UrlPath = "/"  # where it is asked


class AlertsConfig(Section):
    # rule files: looked up here, beside this file, in the package
    rules: tuple[Path, ...] = (Path("alerts/packs/agent-ops.yaml"), Path("alerts/packs/agent-quality.yaml"))
    slos: tuple[Path, ...] = (Path("alerts/packs/slos.yaml"),)  # files of service level objectives: looked up likewise
    interval: Duration = Field(30.0, ge=1)  # of groups that name none
    external_url: PlainUrl | None = None  # base of the deep links in notifications; default: the dashboard's
    receivers: AlertReceivers = ()  # who can be told, beside the log, which always gets transitions
    alertmanagers: tuple[AlertmanagerConfig, ...] = ()  # every one is told of every alert, in the place of receivers and route
    route: RouteConfig | None = None  # which receiver is told of which alerts; unset: every receiver of all, grouped by alertname, at once
    # alerts that keep others from being told; unset: those that go with the default rules (docs/alerts-routing.md)
    inhibit_rules: tuple[InhibitRuleConfig, ...] = DEFAULT_INHIBIT_RULES
    budgets: tuple[Path, ...] = ()  # budget files, looked up as rules are; `auditlake budget set` adds to them
    budget_endpoint: Endpoint | Literal[""] = "127.0.0.1:8503"  # where agents ask before spending, once there is a budget; "": nowhere

    def warnings(self) -> Iterator[str]:
        """Say which keys have no effect, and why."""
        given = [name for name in ("receivers", "route", "inhibit_rules") if name in self.model_fields_set]
        if self.alertmanagers and given:
            have = "has" if len(given) == 1 else "have"
            yield f"extensions.alerts: {', '.join(given)} {have} no effect beside alertmanagers: routing is theirs"


class DashboardConfig(Section):
    endpoint: Endpoint = "127.0.0.1:8501"  # host:port of the pages
    user_header: str | None = None  # the header in which your authenticating proxy names the reader; it must overwrite a client's own


class PipelineConfig(Section):
    receivers: tuple[str, ...] = Field(min_length=1)  # ids of receivers
    processors: tuple[str, ...] = ()  # ids of processors, in order
    exporters: tuple[str, ...] = Field(min_length=1)  # ids of exporters
    allow_unredacted: bool = False  # store this signal as it came; everything raw is then on the disk


class ServiceConfig(Section):
    extensions: tuple[str, ...] = ()  # ids of the extensions that run
    pipelines: dict[Literal["traces", "logs", "metrics"], PipelineConfig] = Field(min_length=1)  # one a signal
    abandoned_after: Duration = Field(900.0, gt=0)  # silence after which a run without an end is abandoned
    audit_reads: Literal["when_possible", "required"] = "when_possible"  # what cannot be recorded: is read with a warning, or is not read
    workers: int = Field(1, ge=1, le=64)  # receiving processes that share the ports (Linux); --workers goes before it


COMPONENTS: dict[str, dict[str, type[BaseModel]]] = {
    "receivers": {"otlp": OtlpReceiverConfig},
    "processors": {
        "memory_limiter": MemoryLimiterConfig,
        "redaction": RedactionConfig,
        "pricing": PricingConfig,
        "batch": BatchConfig,
        "filter": FilterConfig,
    },
    "exporters": {
        "parquet": ParquetExporterConfig,
        "otlp_grpc": OtlpGrpcExporterConfig,
        "otlp": OtlpGrpcExporterConfig,
        "otlp_http": OtlpHttpExporterConfig,
    },
    "extensions": {
        "health_check": HealthCheckConfig,
        "alerts": AlertsConfig,
        "dashboard": DashboardConfig,
        "bearertokenauth": BearerTokenAuthConfig,
        "basicauth": BasicAuthConfig,
        "ledger": LedgerConfig,
        "retention": RetentionConfig,
    },
}
"""Component kinds of each section; an id is `type` or `type/name`."""
