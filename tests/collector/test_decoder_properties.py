"""Whatever is sent: decoding ends with a refusal or with rows, never with another exception."""

import gzip
import json
import zlib
from typing import Any

import pyarrow as pa
from google.protobuf.descriptor import Descriptor
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmarks.soak.decoding import CODINGS, mutated, prefix, seeds, take
from collector.errors import Malformed, MethodNotAllowed, Overloaded, TooLarge, UnsupportedMedia
from collector.receivers.encoding import Encoding
from collector.signals import SIGNALS

OUTCOMES = {"taken", "nothing", "empty", *(kind.reason for kind in (Malformed, TooLarge, UnsupportedMedia, Overloaded, MethodNotAllowed))}
SEEDS = [seed for seed in seeds() if len(seed) < 8000]
SETTINGS = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
FEW = settings(SETTINGS, max_examples=120)
COMPRESS = {
    "": bytes,
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "zlib": zlib.compress,
    "zstd": lambda data: bytes(pa.compress(data, codec="zstd", asbytes=True)),
}

signals, encodings, codings = st.sampled_from(list(SIGNALS)), st.sampled_from(list(Encoding)), st.sampled_from(CODINGS)


def test_what_the_seeds_hold_is_taken() -> None:
    """Otherwise the properties would be about refusals alone."""
    assert len(SEEDS) > 50
    assert {take(seed) for seed in SEEDS[::7]} == {"taken"}


@SETTINGS
@given(signals, encodings, codings, st.binary(max_size=300))
def test_any_bytes(signal: str, encoding: Encoding, coding: str, body: bytes) -> None:
    assert take(prefix(signal, encoding, coding) + body) in OUTCOMES


@FEW
@given(signals, encodings, codings, st.binary(max_size=300))
def test_any_bytes_that_are_compressed(signal: str, encoding: Encoding, coding: str, body: bytes) -> None:
    assert take(prefix(signal, encoding, coding) + COMPRESS[coding](body)) in OUTCOMES


@FEW
@given(st.sampled_from(SEEDS), st.integers(0, 2**32))
def test_requests_with_changed_bytes_and_fields(seed: bytes, number: int) -> None:
    assert take(mutated(seed, 65536, number)) in OUTCOMES


def names_below(descriptor: Descriptor, seen: set[str]) -> set[str]:
    """Return the JSON names of every field of a message and of those in it."""
    if descriptor.full_name in seen:
        return set()
    seen.add(descriptor.full_name)
    inner = [names_below(field.message_type, seen) for field in descriptor.fields if field.message_type is not None]
    return {field.json_name for field in descriptor.fields}.union(*inner)


NAMES = sorted(names_below(SIGNALS["traces"].request.DESCRIPTOR, set()) | names_below(SIGNALS["metrics"].request.DESCRIPTOR, set()))
scalars = st.none() | st.booleans() | st.integers(-(2**65), 2**65) | st.floats() | st.text(max_size=20)
scalars |= st.sampled_from(["NaN", "-1", "18446744073709551615", "ab" * 16, "cd" * 8, "AQL/", "_-8="])
json_values: st.SearchStrategy[Any] = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=5), max_leaves=20
)


@FEW
@given(signals, json_values)
def test_any_json_of_known_names(signal: str, value: Any) -> None:
    assert take(prefix(signal, Encoding.JSON) + json.dumps(value).encode()) in OUTCOMES


@FEW
@given(signals, st.sampled_from(["spans", "logRecords", "metrics"]), st.dictionaries(st.sampled_from(NAMES), json_values, max_size=8))
def test_any_record_in_json(signal: str, records: str, fields: dict[str, Any]) -> None:
    """At its right place in a request, with ids that are ids."""
    kind = {"traces": "Spans", "logs": "Logs", "metrics": "Metrics"}[signal]
    record = {**fields, "traceId": "ab" * 16, "spanId": "cd" * 8} if signal == "traces" else fields
    body = {f"resource{kind}": [{f"scope{kind}": [{records: [record]}]}]}
    assert take(prefix(signal, Encoding.JSON) + json.dumps(body).encode()) in OUTCOMES
