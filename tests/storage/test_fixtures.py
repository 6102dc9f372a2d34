"""A run as a fixture: sent again it is reconstructed to the same, whatever framework it came from."""

import ast
import shlex
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path

import orjson
import pytest
from auditlake import _state

from collector.receivers import otlp_json
from collector.sealer import seal_pending
from collector.signals import SIGNALS
from examples import sdk_agent
from storage.catalog import Catalog
from storage.errors import StorageError
from storage.fixtures import Fixture, make_fixture
from storage.fixtures.otlp import any_value
from storage.fixtures.readme import readme
from storage.lake import Lake
from storage.wal import BatchHeader, RecordType, WalWriter
from tests.collector.otlp_samples import NOW_NS, complete_messages
from tests.lake_builder import span, write_lake
from tests.lake_checks import check_lake
from tests.sdk.otlp_server import serving

CAPTURES = sorted((Path(__file__).parents[1] / "captures").glob("*.pb"))
YEAR_NS = 365 * 86_400 * 1_000_000_000
LATER_NS = NOW_NS + YEAR_NS
Sent = Sequence[tuple[str, bytes]]
"""Requests: signal and message."""


def sealed(data: Path, requests: Sent, *, received_ns: int = NOW_NS, tenant: str | None = None) -> Path:
    """The lake of a collector that received these requests."""
    with closing(WalWriter(data, "node/collector")) as writer:
        for number, (signal, payload) in enumerate(requests):
            header = BatchHeader(signal=signal, tenant=tenant, received_ns=received_ns, policy_hash="p", records=1, digest=f"d{number}")
            writer.append([(RecordType.BATCH, header.to_bytes(), payload)])
    with closing(Catalog.open(data)) as catalog:
        seal_pending(data, catalog, clock=lambda: received_ns)
    return data


def fixtures(data: Path) -> dict[str, Fixture]:
    """Every run of a lake as a fixture, as of a time when nothing is running any more."""
    with Lake.open(data, clock=lambda: LATER_NS + YEAR_NS) as lake:
        ids = lake.sql("SELECT run_id FROM runs ORDER BY run_id").column("run_id").to_pylist()
        made = {run_id: make_fixture(lake, run_id) for run_id in ids}
    check_lake(data)
    return {run_id: fixture for run_id, fixture in made.items() if fixture is not None}


def requests_of(made: Mapping[str, Fixture]) -> Sent:
    """The bodies of all fixtures, each once, through the decoder of OTLP/JSON."""
    found = {orjson.dumps(body): signal for fixture in made.values() for signal, body in fixture.requests.items()}
    requests = []
    for body, signal in found.items():
        message = SIGNALS[signal].request()
        otlp_json.fill(message, body)
        requests.append((signal, message.SerializeToString()))
    return requests


def assert_round_trip(data: Path, made: Mapping[str, Fixture], *, received_ns: int = LATER_NS) -> None:
    again = fixtures(sealed(data, requests_of(made), received_ns=received_ns))
    assert again.keys() == made.keys()
    for run_id, fixture in made.items():
        for part, expected in fixture.expected.items():
            assert again[run_id].expected[part] == expected, (run_id, part)
        assert again[run_id].requests == fixture.requests


@pytest.fixture(scope="module")
def captured(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Fixture]:
    """Every run of every capture."""
    requests = [(path.stem.rpartition("-")[2], path.read_bytes()) for path in CAPTURES]
    return fixtures(sealed(tmp_path_factory.mktemp("captures") / "lake", requests))


def test_every_captured_run_is_the_same_when_it_is_sent_again(captured: dict[str, Fixture], tmp_path: Path) -> None:
    assert len(captured) >= 16
    assert_round_trip(tmp_path / "lake", captured)


def test_expectations_hold_nothing_of_this_import(captured: dict[str, Fixture]) -> None:
    for fixture in captured.values():
        text = orjson.dumps(fixture.expected, default=str).decode()
        assert "node/collector" not in text
        for name in ("origin", "entry", "received_ns", "redactions"):
            assert f'"{name}"' not in text
        assert [step["record_id"] for step in fixture.expected["steps"]][:1] == ["step-1"]


def test_a_run_of_the_sdk_is_the_same_when_it_is_sent_again(tmp_path: Path) -> None:
    """The sample program: a numbered run with a decision, an approval, a tool and an audit record; a token says whose it is."""
    with serving() as server:
        assert sdk_agent.main(server.endpoint) == 0
        sent = [(path.removeprefix("/v1/"), body) for path, _, body in server.requests]
    _state.replace(None)
    made = fixtures(sealed(tmp_path / "first", sent, received_ns=time.time_ns(), tenant="by-token"))
    (fixture,) = made.values()
    assert fixture.tenants == ("by-token",)
    assert {step["kind"] for step in fixture.expected["steps"]} >= {"run", "model", "tool", "policy", "approval"}
    assert_round_trip(tmp_path / "second", made, received_ns=time.time_ns())


def test_every_field_of_spans_and_log_records_comes_back(tmp_path: Path) -> None:
    """Requests with every field of the specification set to a value of its own."""
    sent = [(signal, message) for signal, _, message, _ in complete_messages() if signal != "metrics"]
    made = fixtures(sealed(tmp_path / "lake", [(signal, message.SerializeToString()) for signal, message in sent]))
    again = {signal: message for signal, payload in requests_of(made) for message in [SIGNALS[signal].request.FromString(payload)]}
    for signal, message in sent:
        assert again[signal] == message


def test_an_unknown_run_is_none_and_ids_that_otlp_cannot_carry_are_refused(tmp_path: Path) -> None:
    write_lake(tmp_path, spans=[span("work")])
    with Lake.open(tmp_path) as lake:
        assert make_fixture(lake, "nothing") is None
        with pytest.raises(StorageError, match="trace_id of it is not 16 bytes"):
            make_fixture(lake, "run-1")


def test_values_are_encoded_as_the_specification_says() -> None:
    """OTLP 1.11: 64-bit integers are decimal strings, the rest as in protobuf's JSON mapping."""
    assert any_value({"a": [1, 2.5, True, "x", None]}) == {
        "kvlistValue": {
            "values": [
                {
                    "key": "a",
                    "value": {
                        "arrayValue": {
                            "values": [{"intValue": "1"}, {"doubleValue": 2.5}, {"boolValue": True}, {"stringValue": "x"}, {}],
                        }
                    },
                }
            ]
        }
    }


def test_the_id_of_a_run_is_one_word_of_the_commands_in_the_readme() -> None:
    """Whoever sent the run chose it, and somebody will run these commands."""
    text = readme("a'; rm -rf $HOME\n```\"", ["traces"], tenants=[], different=[])
    (line,) = (line for line in text.splitlines() if line.startswith("auditlake export"))
    assert shlex.split(line)[2:5] == ["--fixture", "a'; rm -rf $HOME\\n   \"", "--format"]
    assert text.count("```") == 4
    strings = [node.value for node in ast.walk(ast.parse(text.split("```python")[1].split("```")[0])) if isinstance(node, ast.Constant)]
    assert "a'; rm -rf $HOME\\n   \"" in strings
