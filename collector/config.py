"""The model of otel-config.yaml as the processes use it: `load` reads, checks everything, and reports every problem at once.

Grammar of the OpenTelemetry Collector: sections of components with ids `type[/name]`, and a `service` that says which of them run.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal, TypeVar

from pydantic import BaseModel, ValidationError

from collector import config_forwarding as forwarding
from collector.config_admission import (
    AUTHENTICATORS,
    BasicAuthConfig,
    BearerTokenAuthConfig,
    LimitsConfig,
    authenticator_problems,
    idle_authenticator_warnings,
    public_pages_warnings,
)
from collector.config_alert_receivers import ENVIRONMENT
from collector.config_anchors import idle_anchor_warnings
from collector.config_budgets import budget_endpoint_problems
from collector.config_fields import host_port
from collector.config_ledger import LedgerConfig
from collector.config_messages import worded
from collector.config_model import (
    COMPONENTS,
    SIGNALS,
    AlertsConfig,
    BatchConfig,
    DashboardConfig,
    HealthCheckConfig,
    MemoryLimiterConfig,
    ParquetExporterConfig,
    PricingConfig,
    ServiceConfig,
)
from collector.config_receivers import OtlpReceiverConfig, ProtocolsConfig
from collector.config_retention import RetentionConfig, idle_retention_warnings
from collector.config_source import ConfigError, KeyPath, Problem, Source, nearest, read
from collector.price_file import PriceFile, load_price_file
from redaction.policy import RedactionConfig

__all__ = ["DEFAULT", "Config", "ConfigError", "Problem", "host_port", "load", "parse"]

DEFAULT: Final = """\
receivers:
  otlp:
    protocols:
      grpc: {endpoint: "${env:AUDITLAKE_GRPC_ENDPOINT:-127.0.0.1:4317}", max_recv_msg_size_mib: 64}
      http: {endpoint: "${env:AUDITLAKE_HTTP_ENDPOINT:-127.0.0.1:4318}", max_request_body_size: 67108864}

processors:
  memory_limiter: {check_interval: 1s, limit_mib: 1024, spike_limit_mib: 256}
  redaction: # contrib-compatible options, plus ours; what the defaults look for and block stands in docs/configuration.md
    presidio: {language: en, nlp_engine: none, entities: default, score_threshold: 0.4}
    secrets: {enabled: true}

exporters:
  parquet: {path: "${env:AUDITLAKE_DATA:-./auditlake-data}", seal_interval: 1s}
  # otlp_grpc/jaeger: {endpoint: "localhost:14317", tls: {insecure: true}} # the redacted copy onward: name it in a pipeline, too

extensions:
  health_check: {endpoint: "${env:AUDITLAKE_HEALTH_ENDPOINT:-127.0.0.1:13133}"}
  alerts:
    rules: ["${env:AUDITLAKE_RULES:-alerts/packs/agent-ops.yaml}", "${env:AUDITLAKE_QUALITY_RULES:-alerts/packs/agent-quality.yaml}"]
    interval: ${env:AUDITLAKE_ALERT_INTERVAL:-30s}
    # receivers: [{name: on-call, webhook_configs: [{url: "${env:ONCALL_WEBHOOK}"}]}]
  dashboard: {endpoint: "${env:AUDITLAKE_DASHBOARD_ENDPOINT:-127.0.0.1:8501}"}

service:
  extensions: [health_check, alerts, dashboard]
  pipelines:
    traces: {receivers: [otlp], processors: [memory_limiter, redaction], exporters: [parquet]}
    logs: {receivers: [otlp], processors: [memory_limiter, redaction], exporters: [parquet]}
    metrics: {receivers: [otlp], processors: [memory_limiter, redaction], exporters: [parquet]}
"""
"""What runs without any file: the otel-config.yaml of the repository, without its first line."""

Model = TypeVar("Model", bound=BaseModel)


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """What runs; a component that is not enabled is None."""

    otlp: ProtocolsConfig
    redaction: RedactionConfig
    memory_limiter: MemoryLimiterConfig | None
    parquet: ParquetExporterConfig
    health_check: HealthCheckConfig | None
    alerts: AlertsConfig | None
    dashboard: DashboardConfig | None
    abandoned_after_seconds: float
    signals: frozenset[str]  # those that a pipeline takes
    unredacted_signals: frozenset[str]  # those whose pipeline says allow_unredacted and names no redaction
    warnings: tuple[str, ...]
    prices: PriceFile | None = None  # the user's, of processors.pricing
    audit_reads: Literal["when_possible", "required"] = "when_possible"  # whether reads need a record
    workers: int = 1  # receiving processes that share the ports
    forwards: tuple[forwarding.Forward, ...] = ()  # exporters that send the redacted copy onward
    limits: LimitsConfig = field(default_factory=LimitsConfig)  # how much each tenant may send
    authenticators: Mapping[str, BearerTokenAuthConfig | BasicAuthConfig] = field(default_factory=dict)  # by id, those that run
    ledger: LedgerConfig = field(default_factory=LedgerConfig)
    retention: RetentionConfig = field(default_factory=RetentionConfig)  # without rules everything is kept


def load(path: Path, environ: Mapping[str, str]) -> Config:
    """Read and check the file; raises ConfigError with every problem, each with its line."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(str(path), [Problem(path="", line=1, message=f"cannot be read: {error.strerror}")]) from None
    except UnicodeDecodeError:
        raise ConfigError(str(path), [Problem(path="", line=1, message="is not UTF-8 text")]) from None
    return parse(text, str(path), environ, folder=path.parent)


def parse(text: str, name: str, environ: Mapping[str, str], *, folder: Path | None = None) -> Config:
    """Check a configuration given as text; `name` stands in its errors, files of recognizers are looked for in `folder`."""
    return _Check(read(text, name, environ), folder).run()


class _Check:
    """One pass over a document that collects problems instead of stopping at the first."""

    def __init__(self, source: Source, folder: Path | None) -> None:
        self._source = source
        self._context = {"folder": folder, ENVIRONMENT: source.expanded}
        self._problems: list[Problem] = []
        self._components: dict[str, dict[str, BaseModel]] = {section: {} for section in COMPONENTS}
        self._declared: dict[str, set[str]] = {section: set() for section in COMPONENTS}

    def run(self) -> Config:
        values = self._source.values
        if not isinstance(values, dict):
            self._report((), "must be a mapping with receivers, processors, exporters, extensions and service")
            raise ConfigError(self._source.name, self._problems)
        for key in values:
            if key not in (*COMPONENTS, "service"):
                self._report((key,), _unknown("section", key, (*COMPONENTS, "service")))
        for section in COMPONENTS:
            self._read_components(section, values.get(section) or {})
        service = self._model(ServiceConfig, values.get("service"), ("service",)) if "service" in values else None
        if "service" not in values:
            self._report((), "has no `service` section: it says which components run")
        if service is not None:
            self._check_references(service)
        if self._problems or service is None:
            raise ConfigError(self._source.name, self._problems)
        return self._assemble(service)

    def _read_components(self, section: str, components: Any) -> None:
        if not isinstance(components, dict):
            self._report((section,), "must be a mapping of component ids")
            return
        for identifier, values in components.items():
            kind, _, name = identifier.partition("/")
            model = COMPONENTS[section].get(kind)
            self._declared[section].add(identifier)
            if model is None or (name == "" and "/" in identifier):
                self._report((section, identifier), _unknown(section.removesuffix("s"), kind, COMPONENTS[section]))
                continue
            component = self._model(model, values, (section, identifier))
            if component is not None:
                self._components[section][identifier] = component

    def _model(self, model: type[Model], values: Any, path: KeyPath) -> Model | None:
        try:
            return model.model_validate({} if values is None else values, context=self._context)
        except ValidationError as error:
            for detail in error.errors(include_url=False, include_context=True, include_input=False):
                where = (*path, *detail["loc"])
                if detail["type"] == "extra_forbidden":
                    valid = _fields_at(model, detail["loc"][:-1])
                    self._report(where, _unknown("key", str(detail["loc"][-1]), valid))
                else:
                    self._report(where, worded(detail))
            return None

    def _check_references(self, service: ServiceConfig) -> None:
        for index, identifier in enumerate(service.extensions):
            self._check_declared("extensions", identifier, ("service", "extensions", index))
        for signal, pipeline in service.pipelines.items():
            path = ("service", "pipelines", signal)
            for section, identifiers in (
                ("receivers", pipeline.receivers),
                ("processors", pipeline.processors),
                ("exporters", pipeline.exporters),
            ):
                for index, identifier in enumerate(identifiers):
                    self._check_declared(section, identifier, (*path, section, index))
            kinds = {identifier.partition("/")[0] for identifier in pipeline.processors}
            if "redaction" not in kinds and not pipeline.allow_unredacted:
                self._report(path, "stores what agents send without redaction: add the processor, or say allow_unredacted: true")
        for identifier, receiver in self._components["receivers"].items():
            assert isinstance(receiver, OtlpReceiverConfig)  # noqa: S101 - the one kind there is
            protocols = {"grpc": receiver.protocols.grpc, "http": receiver.protocols.http}
            for place, message in authenticator_problems(protocols, self._declared["extensions"], service.extensions):
                self._report(("receivers", identifier, *place), message)
        self._check_kinds(service)
        for where, message in forwarding.problems(service, self._components):
            self._report(where, message)
        for where, message in budget_endpoint_problems(service, self._components):
            self._report(where, message)

    def _check_kinds(self, service: ServiceConfig) -> None:
        for _, enabled in self._enabled(service):
            kinds_seen: dict[str, str] = {}
            for identifier in enabled:
                kind = identifier.partition("/")[0]
                if kind in AUTHENTICATORS:
                    continue
                if kind not in forwarding.MANY and kinds_seen.setdefault(kind, identifier) != identifier:
                    self._report(("service",), f"{kinds_seen[kind]} and {identifier} are both enabled: one {kind} runs in one collector")

    def _check_declared(self, section: str, identifier: str, path: KeyPath) -> None:
        if identifier not in self._declared[section]:
            close = nearest(identifier, self._declared[section])
            self._report(path, f"{identifier} is not declared under {section}" + (f": did you mean {close}?" if close else ""))

    @staticmethod
    def _enabled(service: ServiceConfig) -> Iterator[tuple[str, list[str]]]:
        pipelines = service.pipelines.values()
        yield "receivers", sorted({identifier for pipeline in pipelines for identifier in pipeline.receivers})
        yield "processors", sorted({identifier for pipeline in pipelines for identifier in pipeline.processors})
        yield "exporters", sorted({identifier for pipeline in pipelines for identifier in pipeline.exporters})
        yield "extensions", sorted(set(service.extensions))

    def _assemble(self, service: ServiceConfig) -> Config:
        enabled = dict(self._enabled(service))

        def one(section: str, model: type[Model]) -> Model | None:
            found = [self._components[section][identifier] for identifier in enabled[section]]
            return next((component for component in found if isinstance(component, model)), None)

        receiver = one("receivers", OtlpReceiverConfig)
        parquet = one("exporters", ParquetExporterConfig)
        assert receiver is not None and parquet is not None  # noqa: S101, PT018 - every pipeline names one of each, and each is declared
        pricing = one("processors", PricingConfig)
        warnings = list(receiver.protocols.warnings())
        unguarded = {"health_check": one("extensions", HealthCheckConfig), "dashboard": one("extensions", DashboardConfig)}
        warnings += public_pages_warnings(unguarded)
        authenticators = self._authenticators(enabled["extensions"])
        warnings += idle_authenticator_warnings(authenticators, (receiver.protocols.grpc, receiver.protocols.http))
        if one("processors", BatchConfig) is not None:
            warnings.append("processors.batch has no effect: an acknowledgement is always durable here, and batching happens in the WAL")
        missing = [signal for signal in SIGNALS if signal not in service.pipelines]
        warnings += [f"service.pipelines has no {signal}: such requests are answered with 404 / UNIMPLEMENTED" for signal in missing]
        warnings += forwarding.warnings(service, self._components)
        retention = one("extensions", RetentionConfig)
        warnings += idle_retention_warnings(self._components["extensions"].values(), retention)
        ledger = next((found for found in self._components["extensions"].values() if isinstance(found, LedgerConfig)), LedgerConfig())
        warnings += idle_anchor_warnings(ledger.anchors, parquet.path)
        alerts = one("extensions", AlertsConfig)
        warnings += alerts.warnings() if alerts is not None else ()
        return Config(
            otlp=receiver.protocols,
            redaction=one("processors", RedactionConfig) or RedactionConfig(),
            memory_limiter=one("processors", MemoryLimiterConfig),
            parquet=parquet,
            health_check=one("extensions", HealthCheckConfig),
            alerts=alerts,
            dashboard=one("extensions", DashboardConfig),
            abandoned_after_seconds=service.abandoned_after,
            signals=frozenset(service.pipelines),
            unredacted_signals=frozenset(
                signal
                for signal, pipeline in service.pipelines.items()
                if not any(identifier.partition("/")[0] == "redaction" for identifier in pipeline.processors)
            ),
            warnings=tuple(warnings),
            prices=None if pricing is None else load_price_file(pricing.file),
            forwards=forwarding.forwards(service, self._components),
            audit_reads=service.audit_reads,
            workers=service.workers,
            limits=receiver.limits,
            authenticators=authenticators,
            retention=retention or RetentionConfig(),
            ledger=ledger,
        )

    def _authenticators(self, identifiers: list[str]) -> dict[str, BearerTokenAuthConfig | BasicAuthConfig]:
        components = {identifier: self._components["extensions"][identifier] for identifier in identifiers}
        return {name: found for name, found in components.items() if isinstance(found, BearerTokenAuthConfig | BasicAuthConfig)}

    def _report(self, path: KeyPath, message: str) -> None:
        self._problems.append(self._source.problem(path, message))


def _unknown(what: str, word: str, valid: Any) -> str:
    close = nearest(word, valid)
    return f"unknown {what} {word!r}: " + (f"did you mean {close!r}?" if close else f"known are {', '.join(sorted(valid))}")


def _fields_at(model: type[BaseModel], path: tuple[str | int, ...]) -> list[str]:
    """Return the field names of the model that stands at `path` below `model`."""
    for part in path:
        field = model.model_fields.get(part) if isinstance(part, str) else None
        if field is None:
            continue
        nested = _models_in(field.annotation)
        if nested:
            model = nested[0]
    return list(model.model_fields)


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for argument in getattr(annotation, "__args__", ()) for model in _models_in(argument)]
