"""`benchmarks.ingest --target` drives any OTLP server: over both protocols, counted by SQL or by a command, with the names of a phase."""

import json
import math
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks import ingest, peers
from benchmarks.load import Load, Sent
from tests.collector_process import CollectorProcess

SIZE = 16  # of a request: larger ones take the generator seconds to build
KNOWN = [
    "acknowledged",
    "acknowledged bytes",
    "OTLP bytes a span as sent",
    "requests refused",
    f"request of {SIZE} spans, in → acknowledged: p50",
    f"request of {SIZE} spans, in → acknowledged: p99",
    f"request of {SIZE} spans, in → acknowledged: max",
    "processor time a span, generator",
    "persisted",
    "acknowledged and persisted",
    "persisted completely after the last acknowledgement",
    "spans stored − spans acknowledged",
]
TARGET = ["--target", "http://127.0.0.1:4318/v1/traces"]
COUNT = ["--count-cmd", "echo 0"]


@pytest.fixture(scope="module")
def collector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CollectorProcess]:
    with CollectorProcess(tmp_path_factory.mktemp("target"), redacted=False) as running:
        yield running


def by_sql(data: Path) -> list[str]:
    query = "SELECT coalesce(sum(rows), 0) FROM files WHERE table_name = 'spans' AND retired_ns IS NULL"
    return ["--count-sql", f"sqlite:///{data}/catalog.sqlite {query}"]


def by_command(data: Path) -> list[str]:
    return ["--count-cmd", f"{sys.executable} -m cli query --data {data} --format csv 'SELECT count(*) FROM spans'"]


def measured(folder: Path, *arguments: str) -> tuple[int, dict[str, float]]:
    """Run the program; return its exit code and the measures of its JSON."""
    file = folder / "measures.json"
    with pytest.raises(SystemExit) as ended:
        ingest.main([*arguments, "--seconds", "0.5", "--request-spans", str(SIZE), "--json", str(file)])
    return int(ended.value.code or 0), {row["what"]: row["value"] for row in json.loads(file.read_text())}


@pytest.mark.parametrize(
    ("target", "count"),
    [("http://127.0.0.1:{http}/v1/traces", by_sql), ("grpc://127.0.0.1:{grpc}", by_sql), ("127.0.0.1:{grpc}", by_command)],
)
def test_a_target_is_measured_by_what_it_persists(target, count, collector, tmp_path, capsys):
    """The numbers agree with each other, whatever the machine does: all that was acknowledged was counted."""
    code, found = measured(tmp_path, "--target", target.format(**collector.ports), *count(collector.data))
    assert list(found) == KNOWN
    table = capsys.readouterr().out
    assert [line for line in KNOWN if line not in table] == []
    assert (code, found["spans stored − spans acknowledged"], found["requests refused"]) == (0, 0, 0)
    assert found["persisted"] > 0
    assert found["persisted"] % SIZE == 0
    assert 0 < found["acknowledged and persisted"] <= found["acknowledged"]
    assert found["acknowledged bytes"] == pytest.approx(found["acknowledged"] * found["OTLP bytes a span as sent"] / 1e6, rel=0.01)
    p50, p99, largest = (found[f"request of {SIZE} spans, in → acknowledged: {which}"] for which in ("p50", "p99", "max"))
    assert 0 < p50 <= p99 <= largest


def test_a_target_that_keeps_less_than_it_acknowledged_is_told(collector, tmp_path, monkeypatch):
    monkeypatch.setattr(peers, "STILL_SECONDS", 0.2)
    code, found = measured(tmp_path, "--target", f"127.0.0.1:{collector.ports['grpc']}", *COUNT)
    assert code == 1
    assert found["persisted"] == found["acknowledged and persisted"] == 0
    assert found["spans stored − spans acknowledged"] < 0


def test_a_target_that_refuses_everything_has_persisted_nothing(monkeypatch):
    """Nothing was acknowledged, so nothing is missing; a latency is not known."""
    monkeypatch.setattr(peers, "_generated", lambda _load: Sent(spans=0, seconds=0.5, latencies=[], failures=3, cpu_seconds=0.1))
    found = {row["what"]: row["value"] for row in ingest.of_target(Load("grpc", "127.0.0.1:1", 0.5, 0, 4, spans=SIZE), lambda: 7)}
    assert (found["acknowledged"], found["persisted"], found["spans stored − spans acknowledged"]) == (0, 0, 0)
    assert found["requests refused"] == 3
    assert math.isnan(found[f"request of {SIZE} spans, in → acknowledged: p50"])  # type: ignore[arg-type]


def test_a_target_where_nobody_listens_is_named(tmp_path):
    with socket.socket() as taken:  # bound and not listening
        taken.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(SystemExit, match=f"does a server take spans at {address}"):
            ingest.main(["--target", address, *COUNT, "--request-spans", str(SIZE)])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([*TARGET, *COUNT, "--phase", "grpc"], "--phase and --workers belong to a collector that is started here"),
        ([*TARGET, *COUNT, "--workers", "2"], "--phase and --workers belong to a collector that is started here"),
        (TARGET, "--target needs --count-sql 'URL QUERY' or --count-cmd 'COMMAND'"),
        ([*TARGET, *COUNT, "--count-sql", "sqlite:// SELECT 1"], "argument --count-sql: not allowed with argument --count-cmd"),
        (["--target", "localhost:4317", *COUNT, "--header", "a: b"], "--header belongs to a --target over HTTP"),
        (COUNT, "--count-sql, --count-cmd, --header and --request-spans belong to a --target"),
        (["--request-spans", "9"], "--count-sql, --count-cmd, --header and --request-spans belong to a --target"),
        (["--header", "a: b"], "--count-sql, --count-cmd, --header and --request-spans belong to a --target"),
    ],
)
def test_options_that_do_not_go_together_are_refused(arguments, said, capsys):
    """Not ignored: who gives an option wants something by it."""
    with pytest.raises(SystemExit, match="2"):
        ingest.main(arguments)
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("target", "read"),
    [
        ("http://a:4318/v1/traces", ("http", "http://a:4318/v1/traces")),
        ("grpc://a:4317", ("grpc", "a:4317")),
        ("grpc://a:4317/", ("grpc", "a:4317")),
        ("a:4317", ("grpc", "a:4317")),
    ],
)
def test_a_target_says_its_protocol(target, read):
    assert peers.destination(target) == read


@pytest.mark.parametrize(
    "target", ["https://a:4318/v1/traces", "grpcs://a:4317", "http://a/v1/traces", "http://a:4318", "a", "a:b", "a:4317/v1/traces", ":4317"]
)
def test_a_target_that_the_generator_cannot_speak_to_is_refused(target, capsys):
    with pytest.raises(SystemExit, match="2"):
        ingest.main(["--target", target, *COUNT])
    assert "is neither http://HOST:PORT/v1/traces nor grpc://HOST:PORT nor HOST:PORT (without TLS)" in capsys.readouterr().err
