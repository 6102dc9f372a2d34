"""`auditlake doctor`: is the installation sound, and the lake?"""

import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from cli.options import EXIT_NO, ConfigOption, DataOption, FormatOption, OutputFormat, print_rows

if TYPE_CHECKING:
    from collector.config import Config
    from storage.catalog import Catalog

LIBRARIES: Final = ("duckdb", "pyarrow", "presidio-analyzer", "sqlalchemy", "grpcio", "protobuf", "streamlit")
FREE_BYTES: Final = 1 << 30
FREE_SHARE: Final = 0.05
BACKLOG_SECONDS: Final = 60
LAG_SECONDS: Final = 30
PORTS: Final = {
    "receivers.otlp.protocols.grpc.endpoint": "gRPC",
    "receivers.otlp.protocols.http.endpoint": "HTTP",
    "extensions.health_check.endpoint": "health",
    "extensions.dashboard.endpoint": "dashboard",
    "extensions.alerts.budget_endpoint": "budgets",
}
MARKS: Final = {"ok": "✓", "warning": "!", "failed": "✗"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One finding; a failed one makes the command exit with 1."""

    check: str
    state: str = "ok"  # ok | warning | failed
    finding: str
    remedy: str = ""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("doctor")(doctor)


def doctor(
    config: ConfigOption = None,
    data: DataOption = None,
    deep: Annotated[bool, typer.Option("--deep", help="Also read every file and compare its SHA-256.")] = False,
    output: FormatOption = OutputFormat.table,
) -> None:
    """Check the installation and the lake; exit with 1 when something is wrong."""
    from cli.alert_checks import alerts, budgets
    from cli.configuration import load_or_fail
    from cli.ledger_checks import anchors, verification

    loaded = load_or_fail(config)
    directory = data or loaded.parquet.path
    checks = [*installation(), *redaction(loaded), *disk(directory), *ports(loaded), *lake(directory, deep=deep, now_ns=time.time_ns())]
    checks += [*alerts(directory, time.time_ns(), configured=loaded.alerts is not None)]
    checks += [*budgets(directory, loaded.alerts.budget_endpoint, encrypted=_is_encrypted(loaded))] if loaded.alerts is not None else []
    checks += [*forwarding(directory), *verification(directory, time.time_ns()), *anchors(directory)]
    rows = [{"check": f"{MARKS[check.state]} {check.check}", "finding": check.finding, "remedy": check.remedy} for check in checks]
    if output is OutputFormat.table:
        print_rows(rows, output)
    else:
        fields = ("check", "state", "finding", "remedy")
        print_rows([{name: getattr(check, name) for name in fields} for check in checks], output)
    if any(check.state == "failed" for check in checks):
        raise typer.Exit(EXIT_NO)


def installation() -> Iterator[Check]:
    """Python and the libraries that matter."""
    import platform
    from importlib.metadata import PackageNotFoundError, version

    yield Check(check="python", finding=f"{platform.python_version()} on {platform.system()} {platform.machine()}")
    found, missing = [], []
    for name in LIBRARIES:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            missing.append(name)
    yield Check(check="libraries", finding=", ".join(found))
    if missing:
        yield Check(check="libraries", state="failed", finding=f"not installed: {', '.join(missing)}", remedy="install auditlake again")


def redaction(config: "Config") -> Iterator[Check]:
    """What the policy looks for, with which model, and how quickly it is decided which texts need a closer look."""
    from cli.configuration import cache_folder
    from redaction.errors import RedactionError
    from redaction.offline import forbid_downloads

    forbid_downloads()
    from redaction.presidio.description import describe

    try:
        found = describe(config.redaction, cache_folder=cache_folder())
    except RedactionError as error:
        yield Check(check="redaction", state="failed", finding=str(error), remedy=error.hint)
        return
    finding = f"{found.recognizers} recognizers of {len(found.entities)} entities, {found.model or 'no model'}"
    decides = ", Hyperscan decides which of them look at a text" if found.is_fast else ""
    yield Check(check="redaction", finding=finding + decides)
    if not found.is_fast:
        remedy = "install the hyperscan wheel if there is one for this platform; results are the same without it"
        yield Check(check="redaction", state="warning", finding="without Hyperscan every recognizer looks at every text", remedy=remedy)
    elif found.slow:
        remedy = "" if found.model else "give their patterns something that Hyperscan can look for"
        state = "ok" if found.model else "warning"
        yield Check(check="redaction", state=state, finding=f"look at every text: {', '.join(found.slow)}", remedy=remedy)


def disk(directory: Path) -> Iterator[Check]:
    """Room for more."""
    place = directory.absolute()
    existing = next(parent for parent in (place, *place.parents) if parent.exists())
    usage = shutil.disk_usage(existing)
    full = usage.free < FREE_BYTES or usage.free < FREE_SHARE * usage.total
    finding = f"{usage.free / 1e9:.1f} GB free of {usage.total / 1e9:.1f} GB at {existing}"
    yield Check(check="disk", state="failed" if full else "ok", finding=finding, remedy="free space or lower retention" if full else "")


def ports(config: "Config") -> Iterator[Check]:
    """Whether the configured ports are free, or ours."""
    from cli.commands.validate import endpoints, is_free
    from collector.config import host_port

    taken = {key: endpoint for key, endpoint in endpoints(config).items() if not is_free(*host_port(endpoint))}
    health = taken.get("extensions.health_check.endpoint")
    running = health is not None and _answers(health)
    finding = ", ".join(f"{PORTS[key]} {endpoint} in use" for key, endpoint in taken.items()) or "all configured ports are free"
    if running:
        yield Check(check="ports", finding=f"a collector runs: {finding}")
    elif taken:
        remedy = "stop what listens there, or choose other ports in otel-config.yaml"
        yield Check(check="ports", state="warning", finding=f"{finding}, and no collector answers", remedy=remedy)
    else:
        yield Check(check="ports", finding=finding)


def lake(directory: Path, *, deep: bool, now_ns: int) -> Iterator[Check]:
    """Catalog, files, WAL and sealing of a data directory."""
    from storage.catalog import Catalog
    from storage.errors import StorageError

    if not (directory / "catalog.sqlite").exists():
        remedy = "start the collector, or name the lake with --data"
        yield Check(check="lake", state="warning", finding=f"there is no lake at {directory}", remedy=remedy)
        return
    try:
        catalog = Catalog.open(directory, read_only=True)
    except StorageError as error:
        yield Check(check="catalog", state="failed", finding=str(error), remedy=error.hint)
        return
    try:
        yield from _files(directory, catalog, deep=deep)
        yield from _sealing(directory, catalog, now_ns)
    finally:
        catalog.close()


def forwarding(directory: Path) -> Iterator[Check]:
    """What waits to be sent to other backends."""
    from collector.forwarding.queue import configured, exporter_folder, left_over
    from collector.forwarding.status import state

    for exporter in configured(directory):
        said = state(directory, exporter)
        remedy = "see that the collector runs and the backend takes what it is sent; the queue keeps it meanwhile" if said != "ok" else ""
        yield Check(check="forwarding", state="ok" if said == "ok" else "warning", finding=f"{exporter}: {said}", remedy=remedy)
    for exporter in left_over(directory):
        finding = f"{exporter}: configured no more, and its queue is not empty"
        remedy = f"configure it again to send the rest, or delete {exporter_folder(directory, exporter)}"
        yield Check(check="forwarding", state="warning", finding=finding, remedy=remedy)


def _files(directory: Path, catalog: "Catalog", *, deep: bool) -> Iterator[Check]:
    from storage.damage import REMEDY, damage_in

    live = catalog.live_files()
    rows, size = sum(file.rows for file in live), sum(file.bytes for file in live)
    yield Check(check="catalog", finding=f"version {catalog.version}: {len(live)} files, {rows} rows, {size / 1e6:.1f} MB")
    damaged = [(file.path, file.damaged or "") for file in catalog.damaged_files()]
    damaged += [(damage.path, damage.reason) for damage in damage_in(directory, live, thorough=deep)]
    for name, reason in damaged:
        yield Check(check="file", state="failed", finding=f"{name}: {reason}", remedy=REMEDY)
    if not damaged:
        yield Check(
            check="files", finding="every live file is " + ("what was written" if deep else "there and whole (--deep compares contents)")
        )
    quarantined = sum(1 for _ in (directory / "quarantine").glob("**/*.json"))
    if quarantined:
        remedy = "read the .json files in quarantine/: they say what happened to each"
        yield Check(check="quarantine", state="warning", finding=f"{quarantined} damaged WAL ranges were set aside", remedy=remedy)


def _sealing(directory: Path, catalog: "Catalog", now_ns: int) -> Iterator[Check]:
    from cli.reading import READS_TOGETHER
    from storage.orphans import unclosed_origins
    from storage.wal import closed_segments

    segments = closed_segments(directory)
    reads = [segment for segment in segments if segment.origin.endswith("/access")]
    if len(reads) <= READS_TOGETHER:  # they wait for each other
        segments = [segment for segment in segments if segment not in reads]
    oldest = min((_modified_ns(segment.path) for segment in segments), default=now_ns)
    waiting = (now_ns - oldest) / 1e9
    finding = f"{len(segments)} closed segments wait to be sealed" + (f", the oldest for {waiting:.0f} s" if segments else "")
    stuck = waiting > BACKLOG_SECONDS
    remedy = "nothing seals: start the collector, which seals what is left over" if stuck else ""
    yield Check(check="WAL", state="failed" if stuck else "ok", finding=finding, remedy=remedy)
    for origin in unclosed_origins(directory):
        if not _is_locked(directory / "wal" / origin / "LOCK"):
            remedy = "start the collector: it takes over what was acknowledged"
            yield Check(check="WAL", state="warning", finding=f"{origin}: its writer died with an open segment", remedy=remedy)
    last: dict[str, float] = {}
    for entry in catalog.entries():
        if entry.last_received_ns is not None:
            last[entry.origin] = (entry.sealed_ns - entry.last_received_ns) / 1e9
    for origin, lag in sorted(last.items()):
        late = lag > LAG_SECONDS
        remedy = "the machine is too busy to seal in time, or the sealer was down" if late else ""
        yield Check(
            check="sealing",
            state="warning" if late else "ok",
            finding=f"{origin}: last entry sealed {lag:.1f} s after its data",
            remedy=remedy,
        )


def _answers(endpoint: str) -> bool:
    import httpx

    try:
        return "application/json" in httpx.get(f"http://{endpoint}/", timeout=2, trust_env=False).headers.get("content-type", "")
    except httpx.HTTPError:
        return False


def _is_encrypted(config: "Config") -> bool:
    """Whether budgets are asked for over TLS: with the certificates of the protocol whose credentials they have."""
    from collector.config_budgets import guard

    wanted = guard(config.otlp)
    protocol = None if wanted is None else getattr(config.otlp, wanted)
    return protocol is not None and protocol.tls is not None


def _modified_ns(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:  # sealed meanwhile
        return time.time_ns()


def _is_locked(path: Path) -> bool:
    import fcntl

    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False
